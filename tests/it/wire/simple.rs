//! Query messages: several statements, errors, transaction status.

use super::client::{kinds, status};
use super::running::start;

#[test]
fn statements_of_one_message_run_until_the_first_error() {
    let server = start("");
    let mut client = server.client();
    assert_eq!(kinds(&client.query("select 1")), "TDCZ");
    assert_eq!(kinds(&client.query("select 1; select 2;")), "TDCTDCZ");
    assert_eq!(
        kinds(&client.query("select 1; select 1/0; select 2")),
        "TDCTEZ"
    );
    // all are parsed before any runs
    assert_eq!(kinds(&client.query("select 1; selec 2")), "EZ");
    assert_eq!(kinds(&client.query("")), "IZ");
    assert_eq!(kinds(&client.query(" ; -- nothing\n ;")), "IZ");
}

#[test]
fn error_positions_count_characters_of_the_whole_message() {
    let server = start("");
    let mut client = server.client();
    let messages = client.query("select 'é'; selec 2");
    assert_eq!(messages[0].field('P').as_deref(), Some("13"));
    assert_eq!(messages[0].code(), "42601");
}

#[test]
fn the_status_follows_the_transaction() {
    let server = start("");
    let mut client = server.client();
    let mut expect = |sql: &str, shape: &str, state: char| {
        let messages = client.query(sql);
        assert_eq!(
            (kinds(&messages).as_str(), status(&messages)),
            (shape, state),
            "{sql}"
        );
    };
    expect("begin", "CZ", 'T');
    expect("select 1", "TDCZ", 'T');
    expect("select 1/0", "TEZ", 'E');
    expect("select 1", "EZ", 'E');
    expect("rollback", "CZ", 'I');
    expect("begin; select 1/0; select 2", "CTEZ", 'E');
    expect("commit", "CZ", 'I');
    expect("commit", "NCZ", 'I');
    expect("begin; savepoint a", "CCZ", 'T');
    expect("select nonsense", "EZ", 'E');
    expect("rollback to a", "CZ", 'T');
    expect("release a; commit", "CCZ", 'I');
    expect("savepoint a", "EZ", 'I');
}

#[test]
fn a_failed_commit_says_rollback() {
    let server = start("");
    let mut client = server.client();
    client.query("begin");
    client.query("select nonsense");
    assert_eq!(client.query("commit")[0].text(), "ROLLBACK");
}

#[test]
fn invalid_utf8_is_refused() {
    let server = start("");
    let mut client = server.client();
    client.send(&super::client::message(b'Q', b"select '\xff'\0"));
    let messages = client.until_ready();
    assert_eq!(messages[0].code(), "22021");
    assert_eq!(client.value("select 1"), "1");
}

#[test]
fn tableaus_cursor_message_works() {
    let server = start("");
    let mut client = server.client();
    let messages = client.query(
        "BEGIN; declare \"SQL_CUR0x1\" cursor with hold for select * from generate_series(1, 250); \
         fetch 100 in \"SQL_CUR0x1\"",
    );
    assert_eq!(messages.iter().filter(|m| m.kind == 'D').count(), 100);
    assert_eq!(status(&messages), 'T');
    client.query("SAVEPOINT a; RELEASE a; COMMIT");
    assert_eq!(client.rows("fetch 100 in \"SQL_CUR0x1\"").len(), 100);
    assert_eq!(client.rows("fetch 100 in \"SQL_CUR0x1\"").len(), 50);
    assert_eq!(
        client.query("close \"SQL_CUR0x1\"")[0].text(),
        "CLOSE CURSOR"
    );
    assert_eq!(client.error("fetch 1 in \"SQL_CUR0x1\""), "34000");
}
