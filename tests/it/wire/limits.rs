//! Sizes: of messages, of statements, of results that are not read.

use super::client::*;
use super::running::start;

#[test]
fn lengths_that_lie_end_the_connection() {
    let server = start("");
    for bytes in [
        b"Q\xff\xff\xff\xff".to_vec(),
        b"Q\0\0\0\x03".to_vec(),
        b"Q\x80\0\0\0".to_vec(),
        b"Q\x7f\xff\xff\xff".to_vec(),
        b"\0\0\0\0\x08".to_vec(),
        b"!\0\0\0\x04".to_vec(),
        b"p\0\0\0\x04".to_vec(),
    ] {
        let mut client = server.client();
        client.send(&bytes);
        let messages = client.until_ready();
        assert_eq!(kinds(&messages), "E", "{bytes:?}");
        assert!(matches!(messages[0].code().as_str(), "08P01" | "54000"));
    }
    assert_eq!(server.client().value("select 1"), "1");
}

#[test]
fn long_and_deep_statements_are_answered_or_refused() {
    let server = start("");
    let mut client = server.client();
    let nested = format!("select {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    let chain = format!("select 1{}", "+1".repeat(100_000));
    let list = format!("select 1 where 1 in (1{})", ",2".repeat(100_000));
    let cases = format!(
        "select {}1{}",
        "case when true then ".repeat(10_000),
        " end".repeat(10_000)
    );
    for sql in [nested, chain, list, cases] {
        let messages = client.query(&sql);
        status(&messages);
        if let Some(error) = messages.iter().find(|message| message.kind == 'E') {
            let code = error.code();
            assert!(
                matches!(code.as_str(), "54001" | "54000" | "54011" | "42601"),
                "{code}"
            );
        }
    }
    let long = format!("select '{}'", "x".repeat(50 << 20));
    let messages = client.query(&long);
    assert!(matches!(kinds(&messages).as_str(), "TDCZ" | "EZ" | "E"));
    assert_eq!(server.client().value("select 1"), "1");
}

#[test]
fn no_result_is_collected() {
    let server = start("");
    let mut client = server.client();
    // terabytes, if anyone tried
    client.send(&query(
        "select repeat('x', 10000) from generate_series(1, 100000000000)",
    ));
    for _ in 0..1000 {
        client.read();
    }
    drop(client);
    assert_eq!(server.client().value("select 1"), "1");
}

#[test]
fn internals_are_never_told() {
    let server = start("");
    let mut client = server.client();
    for sql in [
        "select 1/0",
        "select nonsense",
        "select * from nowhere",
        "select 'abc'::int",
        "select generate_series(1, 'x')",
        "create table t (a int)",
        "select $1",
    ] {
        let messages = client.query(sql);
        let error = messages
            .iter()
            .find(|message| message.kind == 'E')
            .expect(sql);
        assert!(!error.code().starts_with("XX"), "{sql}");
        for word in [".rs", "panicked", "DataFusion", "datafusion"] {
            assert!(!error.text().contains(word), "{sql}: {}", error.text());
        }
        // no source file, line or routine
        for field in ['F', 'L', 'R'] {
            assert_eq!(error.field(field), None);
        }
    }
}
