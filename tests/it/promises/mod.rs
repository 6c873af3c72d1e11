//! What is promised when things go wrong at a source, or on the way there: every
//! test over a real Postgres, most with a proxy before it that a test steers, and
//! over both routes, the relay and the engine, where both can be meant.
//!
//! | promise | tests |
//! |---|---|
//! | 1 nothing runs before authentication ends | `wire/auth` |
//! | 4 bad proofs, nonces, bindings | `wire/auth`, `wire/tls` |
//! | 5 lengths that lie | `wire/auth`, `wire/limits`, `wire/startup` |
//! | 8 sizes before authentication | `wire/startup`, `wire/auth` |
//! | 9 one deadline for a login | `wire/startup` |
//! | 11 nothing in clear passes for encrypted | `wire/tls`; to sources `logins` |
//! | 13 what is trusted of a source | `logins`; `sources/postgres/tls`, `relay::tests::logins` |
//! | 14 the protocol as Postgres has it | `wire/extended`, `wire/simple`, `transactions` |
//! | 15 minor versions | `wire/startup` |
//! | 16 malformed input | `wire/limits`, `wire/extended` |
//! | 17 no length can wrap | `wire::encode` |
//! | 18 keys of cancel requests | `wire/cancel`, `ends` |
//! | 19 every end ends it at the source | `ends`, `federation` |
//! | 20 cancel, though the source says nothing | `ends` |
//! | 21 depth and length | `wire/limits`, `sizes` |
//! | 22 no internals are told | `wire/limits`, `malformed` |
//! | 23 hostile values, odd settings | `reading` |
//! | 24 UTF-8 | `reading`, `malformed` |
//! | 26 a source that is only read | `read_only`, `relay` |
//! | 25 what is pushed gives the same answer | `random`, `federation` |
//! | 27 one snapshot | `sources/postgres/snapshots` |
//! | 28 nothing crosses sessions | `pools`, `transactions`, `sources/postgres/relay_pool` |
//! | 30 passwords | `secrets`, `sources/postgres/connections` |
//! | 31 back-pressure | `stalls`, `sources/postgres/streams` |
//! | 32 memory and room to spill | `memory` |
//! | 33 caps, and places that come back | `pools`, `transactions` |
//! | 34 down, reset, closed, silent | `faults` |
//! | 35 malformed messages of a source | `malformed`, `relay::tests::sessions` |
//! | 36 tables that change | `drift` |

mod drift;
mod ends;
mod faults;
mod logins;
mod malformed;
mod memory;
mod pools;
mod proxy;
mod read_only;
mod reading;
mod rig;
mod secrets;
mod sizes;
mod stalls;
mod transactions;
