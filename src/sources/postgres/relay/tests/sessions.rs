//! Servers that let the relay in and then say strange things.

use super::*;

/// A session in which the server answers the first message with `bytes`.
async fn session(bytes: &'static [u8]) -> (Arc<PostgresSource>, Lease) {
    let address = server(move |mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(&welcome()).await?;
        message(&mut socket).await?;
        socket.write_all(bytes).await?;
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await?;
        Ok(())
    })
    .await;
    let source = source(&address, "sslmode=disable");
    let lease = lease(&source).await.expect("let in");
    (source, lease)
}

#[tokio::test]
async fn malformed_answers_are_an_error() {
    for bytes in [
        &b"D\x7f\xff\xff\xff"[..],
        b"T\x3f\xff\xff\xff",
        b"C\0\0\0\0",
        b"Z\0\0\0\x05X",
        b"Z\0\0\0\x06II",
        b"1\0\0\0\x04",
        b"S\0\0\0\x05x",
        b"K\0\0\0\x0c\0\0\0\0\0\0\0\0",
        b"Z\0\0\0\x05IZ\0\0\0\x05I",
    ] {
        let (_source, mut lease) = session(bytes).await;
        lease.query("SELECT 1");
        let error = lease.settle().await;
        let error = match error {
            // What comes unasked is found by the next look.
            Ok(()) => lease.fill().await.and_then(|()| lease.next().map(drop)),
            error => error,
        };
        let error = error.expect_err("malformed");
        assert_eq!(
            error.state(),
            SqlState::PROTOCOL_VIOLATION,
            "{bytes:?}: {error}"
        );
        assert!(error.message().contains("\"shop\""));
        assert!(lease.is_dead());
    }
}

#[tokio::test]
async fn the_last_words_of_a_session_are_heard() {
    const FAREWELL: &[u8] = b"E\0\0\0\x1bSFATAL\0C57P01\0Mso long\0\0";
    let (_source, mut lease) = session(FAREWELL).await;
    lease.query("SELECT 1");
    lease.receive().await.expect("heard");
    let frame = lease.next().expect("well-formed").expect("an error");
    assert_eq!(Report::new(lease.body(frame)).message(), "so long");
    assert!(lease.is_dead());
    lease.release();
}

#[tokio::test]
async fn replies_to_the_relay_itself_are_not_shown() {
    // SET, then the client's query
    const ANSWERS: &[u8] = b"S\0\0\0\x12TimeZone\0Asia\0C\0\0\0\x08SET\0Z\0\0\0\x05I\
        I\0\0\0\x04Z\0\0\0\x05I";
    let (_source, mut lease) = session(ANSWERS).await;
    let wanted = UpstreamSettings::new([("TimeZone", "Asia")]).expect("valid");
    assert_eq!(lease.apply(&wanted), Applied::Sent);
    assert_eq!(lease.apply(&wanted), Applied::Same);
    lease.query("");
    let mut kinds = Vec::new();
    while !lease.is_quiet() {
        lease.receive().await.expect("open");
        while let Some(frame) = lease.next().expect("well-formed") {
            kinds.push(frame.kind);
        }
    }
    assert_eq!(kinds, b"IZ");
    assert_eq!(lease.taint_reason(), None);
    assert_eq!(lease.parameter("TimeZone"), Some("Asia"));
    assert!(lease.has_applied(&wanted));
}

#[tokio::test]
async fn what_changed_unasked_taints() {
    for (bytes, tainted) in [
        (
            &b"S\0\0\0\x12TimeZone\0Asia\0C\0\0\0\x08SET\0Z\0\0\0\x05I"[..],
            true,
        ),
        (b"C\0\0\0\x0fSELECT 1\0\0\0Z\0\0\0\x05I", false),
        (b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I", false),
        (b"C\0\0\0\x08SET\0Z\0\0\0\x05I", true),
        (b"C\0\0\0\x10DISCARD ALL\0Z\0\0\0\x05I", true),
        (b"C\0\0\0\x0bLISTEN\0Z\0\0\0\x05I", true),
        (b"S\0\0\0\x16in_hot_standby\0on\0Z\0\0\0\x05I", false),
    ] {
        let (_source, mut lease) = session(bytes).await;
        lease.query("anything");
        lease.settle().await.expect("well-formed");
        assert_eq!(lease.taint_reason().is_some(), tainted, "{bytes:?}");
    }
}

/// Neither side can wait for the other to read first.
#[tokio::test]
async fn large_requests_and_large_answers_do_not_block_each_other() {
    const SIZE: usize = 32 << 20;
    let address = server(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(&welcome()).await?;
        // An answer as large as the question, before the question is read.
        let row = frame(b'D', &vec![7; 1 << 20]);
        for _ in 0..SIZE >> 20 {
            socket.write_all(&row).await?;
        }
        let (_, question) = message(&mut socket).await?;
        assert!(question.len() >= SIZE);
        socket.write_all(READY).await?;
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await?;
        Ok(())
    })
    .await;
    let source = source(&address, "sslmode=disable");
    let mut lease = lease(&source).await.expect("let in");
    lease.query(&"x".repeat(SIZE));
    let work = async {
        let mut rows = 0;
        loop {
            lease.exchange().await.expect("open");
            rows += lease.bulk().expect("rows").len;
            if let Some(frame) = lease.next().expect("well-formed") {
                assert_eq!(frame.kind, b'Z');
                return rows;
            }
        }
    };
    let rows = timeout(Duration::from_secs(30), work).await;
    assert_eq!(rows.expect("no deadlock"), SIZE + 5 * (SIZE >> 20));
}

#[tokio::test]
async fn after_failures_the_source_is_left_alone_for_a_while() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = nobody.local_addr().expect("bound");
    drop(nobody);
    let source = source(&address.to_string(), "sslmode=disable");
    for _ in 0..20 {
        let error = lease(&source).await.expect_err("nobody is there");
        assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
    }
    // The last one did not try; once somebody is there, it is found.
    let listener = TcpListener::bind(address).await.expect("still free");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            startup(&mut socket).await.expect("a startup message");
            socket.write_all(&welcome()).await.expect("open");
            std::mem::forget(socket);
        }
    });
    lease(&source).await.expect_err("the pause is not over");
    tokio::time::sleep(Duration::from_millis(300)).await;
    lease(&source).await.expect("let in");
}
