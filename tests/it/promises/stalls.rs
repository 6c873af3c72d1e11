//! Promise 31: a reader that stalls stops the reading, and a source that stalls
//! stops the client; what is on its way is all that is held.

use std::io::Write;
use std::time::{Duration, Instant};

use super::proxy::{Mode, Side};
use super::rig::{Declared, ROUTES, Route, rig, settled, until};
use crate::wire::client::*;

/// The sockets on the way hold some megabytes; the whole answer is two gigabytes.
const ON_ITS_WAY: u64 = 48 << 20;

#[test]
fn promise_31_a_client_that_does_not_read_stops_the_source() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    for route in ROUTES {
        for extended in [false, true] {
            let mut client = rig.client(route);
            let sql = "SELECT n, filler FROM shop.big";
            let before = rig.proxy.taken();
            match extended {
                false => client.send(&query(sql)),
                true => client.send(
                    &[
                        parse("", sql, &[]),
                        bind("", "", &[], [&[], &[1]]),
                        execute("", 0),
                        sync(),
                    ]
                    .concat(),
                ),
            }
            until("the first rows", Duration::from_secs(10), || {
                rig.proxy.taken() > before
            });
            let taken = settled(|| rig.proxy.taken()) - before;
            assert!(
                (1..ON_ITS_WAY).contains(&taken),
                "{route:?}: {taken} bytes were read for a client that does not read"
            );
            // and it goes on where it stood
            let mut rows = 0;
            while rows < 20_000 {
                let message = client.read().expect("a message");
                assert!(matches!(message.kind, 'T' | 'D' | '1' | '2'), "{message:?}");
                rows += usize::from(message.kind == 'D');
            }
        }
    }
}

#[test]
fn promise_31_a_source_that_does_not_read_stops_the_client() {
    let Some(rig) = rig(&Declared {
        ddl: "CREATE TABLE shop.copied (line text)",
        writable: true,
        ..Declared::default()
    }) else {
        return;
    };
    let mut client = rig.client(Route::Relay);
    client.send(&query("COPY shop.copied FROM STDIN"));
    assert_eq!(client.read().expect("an answer").kind, 'G');
    rig.proxy.set(Mode::Silent(Side::ToSource));
    let line = message(b'd', format!("{}\n", "x".repeat(65_000)).as_bytes());
    client.socket.set_nonblocking(true).expect("set");
    let mut sent = 0;
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1500) && sent < 4 * ON_ITS_WAY {
        match client.socket.write(&line) {
            Ok(count) => sent += count as u64,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    assert!(sent < ON_ITS_WAY, "{sent} bytes were taken from the client");
}
