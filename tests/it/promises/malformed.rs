//! Promise 35: what a source may not say gives an error, never a panic, a hang
//! or an answer that looks whole. The rows of relayed statements are not read
//! here: what is wrong within them is for the client to refuse.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::proxy::{End, Mode, Step};
use super::rig::{Declared, ROUTES, Rig, Route, client_at, error_of, rig, until};
use crate::wire::client::*;

const ROWS: &str = "SELECT id, name, price FROM shop.items WHERE id < 20";

/// Ends what it says about one kind of message, the first one alone.
fn replace(rig: &Rig, kind: u8, with: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) {
    let seen = AtomicUsize::new(0);
    rig.proxy.spoil(move |message| {
        let first = message[0] == kind && seen.fetch_add(1, Ordering::Relaxed) == 0;
        Step::Send(if first {
            with(message)
        } else {
            message.to_vec()
        })
    });
}

fn sound_again(rig: &Rig, route: Route) {
    rig.proxy.set(Mode::Pass);
    let mut client = rig.client(route);
    until("the recovery", Duration::from_secs(6), || {
        kinds(&client.query("SELECT count(*) FROM shop.items")) == "TDCZ"
    });
}

/// An error that is not an internal one, within the time that a statement has.
fn refuses(rig: &Rig, route: Route, what: &str) {
    let mut client = rig.client(route);
    client.query("SET statement_timeout = 100");
    let started = Instant::now();
    let messages = client.query(ROWS);
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{route:?} {what}"
    );
    if messages.last().map(|message| message.kind) != Some('Z') {
        // closed where nothing else was possible
        return;
    }
    let error = error_of(&messages).unwrap_or_else(|got| panic!("{route:?} {what}: {got}"));
    let (code, text) = (error.code(), error.text());
    assert!(!code.starts_with("XX"), "{route:?} {what}: {code}");
    assert!(
        !text.contains(".rs") && !text.contains("could not complete"),
        "{what}: {text}"
    );
    assert_eq!(status(&messages), 'I');
}

fn with_length(message: &[u8], length: u32) -> Vec<u8> {
    let mut bytes = message.to_vec();
    bytes[1..5].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// A whole message around this body.
fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    message(kind, body)
}

#[test]
fn promise_35_messages_that_cannot_be_are_errors() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    let panics = narrows::metrics::panics::total();
    type Spoiler = fn(&[u8]) -> Vec<u8>;
    let spoilers: [(&str, Spoiler); 9] = [
        ("a negative length", |m| with_length(m, u32::MAX)),
        ("a length of 3", |m| with_length(m, 3)),
        ("a length of 0", |m| with_length(m, 0)),
        ("a length of a gigabyte", |m| with_length(m, 1 << 30)),
        ("a length too long by one", |m| {
            with_length(m, m.len() as u32)
        }),
        ("an unknown kind", |m| [b"~", &m[1..]].concat()),
        ("kind zero", |m| [b"\0", &m[1..]].concat()),
        ("a login's message", |_| framed(b'R', &[0, 0, 0, 0])),
        ("twice", |m| [m, m].concat()),
    ];
    for route in ROUTES {
        let kinds: &[u8] = match route {
            Route::Relay => b"TCZ",
            Route::Engine => b"1tTHdcCZ",
        };
        for kind in kinds {
            for (what, spoiler) in spoilers {
                // more of what may come at any time or more than once
                if what == "twice"
                    && matches!(
                        (route, kind),
                        (_, b'd' | b'T' | b'C' | b'Z') | (Route::Engine, _)
                    )
                {
                    continue;
                }
                // a scan is over when its rows are; what follows is of its connection alone
                if route == Route::Engine
                    && matches!(kind, b'C' | b'Z' | b'c' | b't' | b'1')
                    && !what.contains("kind")
                {
                    continue;
                }
                if route == Route::Engine && matches!(kind, b'C' | b'Z') {
                    continue;
                }
                replace(&rig, *kind, spoiler);
                refuses(&rig, route, &format!("{what} of {}", char::from(*kind)));
                rig.proxy.end(End::Close);
            }
        }
        sound_again(&rig, route);
    }
    assert_eq!(narrows::metrics::panics::total(), panics);
    rig.pool_is_whole(4);
}

#[test]
fn promise_35_binary_rows_that_cannot_be_are_errors() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    let panics = narrows::metrics::panics::total();
    type Spoiler = fn(Vec<u8>) -> Vec<u8>;
    // the body of a CopyData that is a row: a count, then lengths and values
    let spoilers: [(&str, Spoiler); 10] = [
        ("more columns", |mut row| {
            row[1] += 1;
            row
        }),
        ("fewer columns", |mut row| {
            row[1] -= 1;
            row
        }),
        ("no columns", |_| vec![0, 0]),
        ("minus two columns", |_| vec![0xff, 0xfe]),
        ("a length past the end", |mut row| {
            row[2..6].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
            row
        }),
        ("a length of minus two", |mut row| {
            row[2..6].copy_from_slice(&[0xff, 0xff, 0xff, 0xfe]);
            row
        }),
        ("an integer of three bytes", |mut row| {
            row[5] = 3;
            row.remove(9);
            row
        }),
        ("a row cut short", |mut row| {
            row.truncate(row.len() - 3);
            row
        }),
        ("a row too long", |mut row| {
            row.push(0);
            row
        }),
        ("invalid UTF-8", |mut row| {
            row[14] = 0xff;
            row
        }),
    ];
    for (what, spoiler) in spoilers {
        let seen = AtomicUsize::new(0);
        rig.proxy.spoil(move |message| {
            // the header may come with the first row
            let row = message[0] == b'd' && seen.fetch_add(1, Ordering::Relaxed) == 5;
            match row {
                true => Step::Send(framed(b'd', &spoiler(message[5..].to_vec()))),
                false => Step::Send(message.to_vec()),
            }
        });
        refuses(&rig, Route::Engine, what);
    }
    for header in [
        &b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x01"[..],
        b"",
        b"PGCOPY",
        b"nonsense",
    ] {
        let header = header.to_vec();
        let seen = AtomicUsize::new(0);
        rig.proxy.spoil(move |message| {
            let first = message[0] == b'd' && seen.fetch_add(1, Ordering::Relaxed) == 0;
            match first {
                true => Step::Send(framed(b'd', &header)),
                false => Step::Send(message.to_vec()),
            }
        });
        refuses(&rig, Route::Engine, "another header");
    }
    sound_again(&rig, Route::Engine);
    assert_eq!(narrows::metrics::panics::total(), panics);
    rig.pool_is_whole(4);
}

/// The same numbers in every run.
struct Random(AtomicU64);

impl Random {
    fn next(&self, below: usize) -> usize {
        let step = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(step(n)));
        (before.unwrap_or_default() >> 33) as usize % below
    }
}

/// One of thirty messages is spoiled: a byte changed, cut short, lost, or doubled.
fn spoiled(random: &Random, message: &[u8]) -> Step {
    let mut bytes = message.to_vec();
    if random.next(30) > 0 {
        return Step::Send(bytes);
    }
    let at = random.next(bytes.len());
    match random.next(6) {
        0 => bytes[at] ^= 1 << random.next(8),
        1 => bytes[at] = random.next(256) as u8,
        // within the header
        2 => bytes[at.min(4)] = random.next(256) as u8,
        3 => bytes.truncate(at),
        4 => bytes.clear(),
        _ => bytes.extend_from_slice(message),
    }
    match random.next(8) {
        0 => Step::Last(bytes, End::Close),
        1 => Step::Last(bytes, End::Reset),
        _ => Step::Send(bytes),
    }
}

#[test]
fn promise_35_no_corruption_makes_a_panic_or_a_hang() {
    let Some(rig) = rig(&Declared {
        max_connections: 16,
        ..Declared::default()
    }) else {
        return;
    };
    let panics = narrows::metrics::panics::total();
    let random = Random(AtomicU64::new(20_261_121));
    rig.proxy.spoil(move |message| spoiled(&random, message));
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let address = rig.server.address;
            scope.spawn(move || {
                let route = ROUTES[worker % 2];
                let mut client = client_at(address, route);
                client.query("SET statement_timeout = 50");
                for round in 0..16 {
                    let started = Instant::now();
                    match round % 2 {
                        0 => client.send(&query(ROWS)),
                        _ => client.send(
                            &[
                                parse("", ROWS, &[]),
                                bind("", "", &[], [&[], &[]]),
                                describe('P', ""),
                                execute("", 0),
                                sync(),
                            ]
                            .concat(),
                        ),
                    }
                    let messages = client.until_ready();
                    assert!(started.elapsed() < Duration::from_secs(8), "{route:?} hung");
                    if messages.last().map(|message| message.kind) != Some('Z') {
                        client = client_at(address, route);
                        client.query("SET statement_timeout = 50");
                    }
                }
            });
        }
    });
    assert_eq!(narrows::metrics::panics::total(), panics);
    for route in ROUTES {
        sound_again(&rig, route);
    }
    rig.pool_is_whole(16);
}
