//! COPY … TO STDOUT.

use super::client::*;
use super::running::start;

fn data(messages: &[Message]) -> Vec<u8> {
    messages
        .iter()
        .filter(|message| message.kind == 'd')
        .flat_map(|message| message.body.clone())
        .collect()
}

#[test]
fn rows_are_copied_in_every_format() {
    let server = start("");
    let mut client = server.client();
    let source = "(select 1::int4 as a, null::text as b, E'x\\ty\"' as c)";
    for (options, expected) in [
        ("", &b"1\t\\N\tx\\ty\"\n"[..]),
        ("csv header", b"a,b,c\n1,,\"x\ty\"\"\"\n"),
        ("(format csv, delimiter ';', null 'NA', force_quote *)", b"\"1\";NA;\"x\ty\"\"\"\n"),
        (
            "(format binary)",
            b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff\0\0\0\x04x\ty\"\xff\xff",
        ),
    ] {
        let messages = client.query(&format!("copy {source} to stdout {options}"));
        assert_eq!(messages[0].kind, 'H', "{options}");
        assert_eq!(data(&messages), expected, "{options}");
        assert_eq!(messages[messages.len() - 2].text(), "COPY 1");
    }
}

#[test]
fn copy_works_by_execute() {
    let server = start("");
    let mut client = server.client();
    client.send(
        &[
            parse(
                "",
                "COPY (SELECT * FROM generate_series(1, 3)) TO STDOUT (FORMAT \"binary\")",
                &[],
            ),
            bind("", "", &[], [&[], &[]]),
            describe('P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    let messages = client.until_ready();
    assert!(
        kinds(&messages).starts_with("12nHd"),
        "{}",
        kinds(&messages)
    );
    assert!(kinds(&messages).ends_with("cCZ"));
}

#[test]
fn other_copies_are_refused() {
    let server = start("");
    let mut client = server.client();
    for sql in [
        "copy t from stdin",
        "copy t to '/tmp/x'",
        "copy (select 1) to program 'cat'",
    ] {
        assert_eq!(client.error(sql), "0A000");
    }
}
