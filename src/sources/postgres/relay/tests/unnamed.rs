//! What is sent and what is handed out where a text is parsed again and again.

use std::sync::Mutex;

use super::*;

const OUTDATED: &[u8] = b"SERROR\0C0A000\0Mcached plan must not change result type\0\0";
const INVALID: &[u8] = b"SERROR\0C22P02\0Minvalid\0\0";

/// A server that takes everything, but fails each Bind that `refuses` names,
/// counting from 1. What it was sent is in the list, a kind each.
async fn session(
    refuses: &'static [usize],
    with: &'static [u8],
) -> (Arc<PostgresSource>, Lease, Arc<Mutex<Vec<u8>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = sent.clone();
    let address = server(move |mut socket| {
        let heard = heard.clone();
        async move {
            startup(&mut socket).await?;
            socket.write_all(&welcome()).await?;
            let (mut binds, mut skipping) = (0, false);
            loop {
                let (kind, _) = message(&mut socket).await?;
                heard.lock().expect("whole").push(kind);
                binds += usize::from(kind == b'B');
                let answer = match kind {
                    b'S' => READY.to_vec(),
                    b'Q' => [&frame(b'C', b"SELECT 1\0")[..], READY].concat(),
                    _ if skipping => Vec::new(),
                    b'P' => frame(b'1', b""),
                    b'B' if refuses.contains(&binds) => frame(b'E', with),
                    b'B' => frame(b'2', b""),
                    b'D' => frame(b'n', b""),
                    b'E' => frame(b'C', b"SELECT 0\0"),
                    _ => Vec::new(),
                };
                skipping = kind != b'S' && (skipping || answer.first() == Some(&b'E'));
                socket.write_all(&answer).await?;
            }
        }
    })
    .await;
    let source = source(&address, "sslmode=disable");
    let lease = lease(&source).await.expect("let in");
    sent.lock().expect("whole").clear();
    (source, lease, sent)
}

/// Messages of one batch: `P` parses the same text each time.
async fn batch(lease: &mut Lease, messages: &[u8]) -> String {
    for kind in messages {
        match kind {
            b'P' => lease.parse_unnamed("SELECT $1", &[23]),
            b'p' => lease.parse_unnamed("SELECT $2", &[]),
            b'B' => lease.bind("", "", &[0; 6]),
            b'D' => lease.describe_portal(""),
            b'd' => lease.describe_statement(""),
            b'E' => lease.execute("", 0),
            b'H' => lease.flush_message(),
            b'Q' => lease.query("SELECT 1"),
            _ => lease.sync(),
        }
    }
    let mut kinds = String::new();
    while !lease.is_quiet() || lease.has_unsent() {
        lease.receive().await.expect("open");
        while let Some(frame) = lease.next().expect("well-formed") {
            kinds.push(char::from(frame.kind));
        }
    }
    kinds
}

#[tokio::test]
async fn a_text_is_parsed_every_fifth_time() {
    let (_source, mut lease, sent) = session(&[], INVALID).await;
    for _ in 0..6 {
        assert_eq!(batch(&mut lease, b"PBDES").await, "12nCZ");
    }
    let sent = sent.lock().expect("whole").clone();
    assert_eq!(sent, b"PBDESBDESBDESBDESBDESPBDES");
}

#[tokio::test]
async fn only_a_bind_of_the_same_text_spares_the_parse() {
    for (batches, heard) in [
        (
            &[("PBES", "12CZ"), ("pBES", "12CZ"), ("PBES", "12CZ")][..],
            "PBESPBESPBES",
        ),
        (
            &[("PBES", "12CZ"), ("Q", "CZ"), ("PBES", "12CZ")],
            "PBESQPBES",
        ),
        (
            &[("PBES", "12CZ"), ("PdS", "1nZ"), ("PBES", "12CZ")],
            "PBESPDSBES",
        ),
        (
            &[("PBES", "12CZ"), ("PS", "1Z"), ("PBES", "12CZ")],
            "PBESPSBES",
        ),
        (&[("PBES", "12CZ"), ("PHBES", "12CZ")], "PBESPHBES"),
        // the batch before it cannot be undone alone
        (&[("PBES", "12CZ"), ("PBEPBES", "12C12CZ")], "PBESBEPBES"),
    ] {
        let (_source, mut lease, sent) = session(&[], INVALID).await;
        for (messages, answers) in batches {
            assert_eq!(batch(&mut lease, messages.as_bytes()).await, *answers);
        }
        let sent = sent.lock().expect("whole").clone();
        assert_eq!(String::from_utf8_lossy(&sent), heard, "{batches:?}");
    }
}

#[tokio::test]
async fn what_is_outdated_is_sent_again_whole() {
    let (_source, mut lease, sent) = session(&[2], OUTDATED).await;
    for _ in 0..3 {
        assert_eq!(batch(&mut lease, b"PBDES").await, "12nCZ");
    }
    let sent = sent.lock().expect("whole").clone();
    assert_eq!(sent, b"PBDESBDESPBDESBDES");
}

#[tokio::test]
async fn what_stays_wrong_is_told_once() {
    let (_source, mut lease, sent) = session(&[2, 3], OUTDATED).await;
    assert_eq!(batch(&mut lease, b"PBDES").await, "12nCZ");
    assert_eq!(batch(&mut lease, b"PBDES").await, "1EZ");
    assert_eq!(batch(&mut lease, b"PBDES").await, "12nCZ");
    let sent = sent.lock().expect("whole").clone();
    assert_eq!(sent, b"PBDESBDESPBDESPBDES");
}

#[tokio::test]
async fn errors_of_values_come_at_once() {
    let (_source, mut lease, sent) = session(&[2], INVALID).await;
    assert_eq!(batch(&mut lease, b"PBDES").await, "12nCZ");
    assert_eq!(batch(&mut lease, b"PBDES").await, "1EZ");
    assert_eq!(batch(&mut lease, b"PBDES").await, "12nCZ");
    let sent = sent.lock().expect("whole").clone();
    assert_eq!(sent, b"PBDESBDESPBDES");
}
