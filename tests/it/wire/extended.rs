//! Parse, Bind, Describe, Execute, Close, Flush and Sync.

use super::client::*;
use super::running::start;

#[test]
fn a_statement_is_parsed_bound_described_and_executed() {
    let server = start("");
    let mut client = server.client();
    let mut all = parse("s", "select $1::int + 1 as a, $2::text as b", &[]);
    all.extend(describe('S', "s"));
    all.extend(bind("", "s", &[Some(b"41"), None], [&[], &[]]));
    all.extend(describe('P', ""));
    all.extend(execute("", 0));
    all.extend(sync());
    client.send(&all);
    let messages = client.until_ready();
    assert_eq!(kinds(&messages), "1tT2TDCZ");
    assert_eq!(messages[1].body, [0, 2, 0, 0, 0, 23, 0, 0, 0, 25]);
    assert_eq!(messages[5].values(), [Some(b"42".to_vec()), None]);
}

#[test]
fn parameters_are_described_even_where_there_are_none() {
    let server = start("");
    let mut client = server.client();
    for (sql, shape) in [
        ("select 1", "1tTZ"),
        ("set work_mem = '1MB'", "1tnZ"),
        ("", "1tnZ"),
        ("show work_mem", "1tTZ"),
    ] {
        client.send(&[parse("", sql, &[]), describe('S', ""), sync()].concat());
        assert_eq!(kinds(&client.until_ready()), shape, "{sql}");
    }
}

#[test]
fn formats_are_chosen_column_by_column() {
    let server = start("");
    let mut client = server.client();
    let statement = parse("", "select 1::int4, 2::int4, $1::int8", &[20]);
    let values: &[Option<&[u8]>] = &[Some(&[0, 0, 0, 0, 0, 0, 0, 9])];
    client.send(
        &[
            statement,
            bind("", "", values, [&[1], &[1, 0, 1]]),
            describe('P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    let messages = client.until_ready();
    assert_eq!(kinds(&messages), "12TDCZ");
    let values = messages[3].values();
    assert_eq!(values[0].as_deref(), Some(&[0, 0, 0, 1][..]));
    assert_eq!(values[1].as_deref(), Some(&b"2"[..]));
    assert_eq!(values[2].as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 9][..]));
    // the last two bytes of a column are its format
    let formats: Vec<u8> = messages[2].body[2..]
        .split_inclusive(|_| false)
        .flat_map(|body| body.iter().copied())
        .collect();
    assert_eq!(formats.last(), Some(&1));
}

#[test]
fn errors_skip_to_sync() {
    let server = start("");
    let mut client = server.client();
    client.send(
        &[
            parse("", "selec", &[]),
            bind("", "", &[], [&[], &[]]),
            execute("", 0),
            query("select 1"),
            flush(),
            sync(),
            query("select 2"),
        ]
        .concat(),
    );
    assert_eq!(kinds(&client.until_ready()), "EZ");
    assert_eq!(kinds(&client.until_ready()), "TDCZ");
}

#[test]
fn wrong_binds_are_errors() {
    let server = start("");
    let mut client = server.client();
    client.send(&[parse("s", "select $1::int, $2::int", &[]), sync()].concat());
    client.until_ready();
    for (bind, code) in [
        (bind("", "s", &[Some(b"1")], [&[], &[]]), "08P01"),
        (
            bind("", "s", &[Some(b"1"), Some(b"x")], [&[], &[]]),
            "22P02",
        ),
        (
            bind("", "s", &[Some(b"1"), Some(b"2")], [&[0, 0, 0], &[]]),
            "08P01",
        ),
        (
            bind("", "s", &[Some(b"1"), Some(b"2")], [&[], &[0, 0, 0]]),
            "08P01",
        ),
        (
            bind("", "s", &[Some(b"1"), Some(b"2")], [&[1], &[]]),
            "22P03",
        ),
        (
            bind("", "s", &[Some(b"1"), Some(b"\xff")], [&[], &[]]),
            "22021",
        ),
        (bind("", "none", &[], [&[], &[]]), "26000"),
    ] {
        client.send(&[bind, sync()].concat());
        let messages = client.until_ready();
        assert_eq!(kinds(&messages), "EZ");
        assert_eq!(messages[0].code(), code);
    }
}

#[test]
fn portals_suspend_and_outlive_sync_inside_a_transaction_only() {
    let server = start("");
    let mut client = server.client();
    let open = [
        parse("", "select * from generate_series(1, 5)", &[]),
        bind("p", "", &[], [&[], &[]]),
        execute("p", 2),
        sync(),
    ]
    .concat();
    client.send(&open);
    assert_eq!(kinds(&client.until_ready()), "12DDsZ");
    client.send(&[execute("p", 2), sync()].concat());
    assert_eq!(client.until_ready()[0].code(), "34000");

    client.query("begin");
    client.send(&open);
    assert_eq!(kinds(&client.until_ready()), "12DDsZ");
    client.send(&[execute("p", 3), sync()].concat());
    assert_eq!(kinds(&client.until_ready()), "DDDsZ");
    client.send(&[execute("p", 3), execute("p", 0), sync()].concat());
    let messages = client.until_ready();
    assert_eq!(kinds(&messages), "CCZ");
    assert_eq!(messages[0].text(), "SELECT 0");
    client.query("commit");
    client.send(&[execute("p", 1), sync()].concat());
    assert_eq!(client.until_ready()[0].code(), "34000");
}

#[test]
fn any_row_limit_is_taken() {
    let server = start("");
    let mut client = server.client();
    for (limit, shape) in [
        (-1, "12DDCZ"),
        (0, "12DDCZ"),
        (i32::MAX, "12DDCZ"),
        (i32::MIN, "12DDCZ"),
        (2, "12DDsZ"),
        (3, "12DDCZ"),
    ] {
        client.send(
            &[
                parse("", "select * from generate_series(1, 2)", &[]),
                bind("", "", &[], [&[], &[]]),
                execute("", limit),
                sync(),
            ]
            .concat(),
        );
        assert_eq!(kinds(&client.until_ready()), shape, "{limit}");
    }
}

#[test]
fn names_are_unique_until_closed() {
    let server = start("");
    let mut client = server.client();
    let again = [parse("s", "select 1", &[]), sync()].concat();
    client.send(&again);
    assert_eq!(kinds(&client.until_ready()), "1Z");
    client.send(&again);
    assert_eq!(client.until_ready()[0].code(), "42P05");
    client.send(
        &[
            close('S', "s"),
            close('P', "none"),
            parse("s", "select 2", &[]),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(kinds(&client.until_ready()), "331Z");
    // SQL's statements are the same ones
    assert_eq!(client.value("execute s"), "2");
    client.query("deallocate all");
    assert_eq!(client.error("execute s"), "26000");
}

#[test]
fn flush_brings_answers_before_sync() {
    let server = start("");
    let mut client = server.client();
    client.send(&[parse("", "select 1", &[]), flush()].concat());
    assert_eq!(client.read().map(|message| message.kind), Some('1'));
    client.send(&sync());
    assert_eq!(kinds(&client.until_ready()), "Z");
}

#[test]
fn errors_are_told_without_flush_or_sync() {
    let server = start("");
    let mut client = server.client();
    client.send(&[parse("", "selec", &[]), flush()].concat());
    assert_eq!(client.read().map(|message| message.kind), Some('E'));
    client.send(&sync());
    assert_eq!(kinds(&client.until_ready()), "Z");
}

#[test]
fn one_statement_a_parse() {
    let server = start("");
    let mut client = server.client();
    client.send(&[parse("", "select 1; select 2", &[]), sync()].concat());
    assert_eq!(client.until_ready()[0].code(), "42601");
}

#[test]
fn malformed_messages_are_errors_and_the_session_goes_on() {
    let server = start("");
    let mut client = server.client();
    client.send(&[parse("", "select 1", &[]), sync()].concat());
    client.until_ready();
    for body in [
        message(b'P', b""),
        message(b'P', b"\0select 1\0\xff\xff"),
        message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff"),
        message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe"),
        message(b'E', b"\0\0"),
        message(b'D', b"Q\0"),
        message(b'C', b"\0"),
    ] {
        client.send(&[body, sync()].concat());
        let messages = client.until_ready();
        assert_eq!(kinds(&messages), "EZ");
        assert_eq!(messages[0].code(), "08P01");
    }
    assert_eq!(client.value("select 1"), "1");
}

#[test]
fn settings_and_cursors_work_by_the_extended_protocol() {
    let server = start("");
    let mut client = server.client();
    let run = |client: &mut Client, sql: &str| {
        client.send(
            &[
                parse("", sql, &[]),
                bind("", "", &[], [&[], &[]]),
                describe('P', ""),
                execute("", 0),
                sync(),
            ]
            .concat(),
        );
        client.until_ready()
    };
    assert_eq!(
        kinds(&run(&mut client, "SET extra_float_digits = 3")),
        "12nCZ"
    );
    assert_eq!(
        kinds(&run(&mut client, "SET application_name = 'x'")),
        "12nCSZ"
    );
    assert_eq!(kinds(&run(&mut client, "BEGIN")), "12nCZ");
    run(
        &mut client,
        "DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 3)",
    );
    assert_eq!(kinds(&run(&mut client, "FETCH 2 FROM c")), "12TDDCZ");
    assert_eq!(
        kinds(&run(&mut client, "SHOW extra_float_digits")),
        "12TDCZ"
    );
    assert_eq!(kinds(&run(&mut client, "COMMIT")), "12nCZ");
}
