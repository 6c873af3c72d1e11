//! Settings and what ends with a session.

use super::client::*;
use super::running::start;

#[test]
fn settings_are_undone_with_their_transaction() {
    let server = start("");
    let mut client = server.client();
    client.query("begin; set timezone = 'Asia/Tokyo'");
    assert_eq!(client.value("show timezone"), "Asia/Tokyo");
    let messages = client.query("rollback");
    assert_eq!(
        kinds(&messages),
        "CSZ",
        "the client is told that it went back"
    );
    assert_eq!(client.value("show timezone"), "UTC");
    client.query("set timezone = 'Asia/Tokyo'; select 1/0");
    assert_eq!(client.value("show timezone"), "UTC");
    client.query("begin; set local work_mem = '8MB'; commit");
    assert_eq!(client.value("show work_mem"), "4MB");
}

#[test]
fn sessions_do_not_see_each_other() {
    let server = start("");
    let (mut one, mut two) = (server.client(), server.client());
    one.query(
        "set application_name = 'one'; prepare p as select 1; begin; declare c cursor for select 1",
    );
    assert_eq!(two.value("show application_name"), "");
    assert_eq!(two.error("execute p"), "26000");
    assert_eq!(two.error("fetch c"), "34000");
    assert_ne!(one.pid, two.pid);
}

#[test]
fn discard_all_forgets() {
    let server = start("");
    let mut client = server.client();
    client.query("set work_mem = '8MB'; prepare p as select 1");
    assert_eq!(client.query("discard all")[0].text(), "DISCARD ALL");
    assert_eq!(client.value("show work_mem"), "4MB");
    assert_eq!(client.error("execute p"), "26000");
    client.query("begin");
    assert_eq!(client.error("discard all"), "25001");
}

#[test]
fn settings_shape_output() {
    let server = start("");
    let mut client = server.client();
    client.query("set timezone = 'America/New_York'; set datestyle = 'sql, dmy'; set intervalstyle = 'iso_8601'; set bytea_output = 'escape'");
    assert_eq!(
        client.value("select '2024-07-01 12:00:00+00'::timestamptz"),
        "01/07/2024 08:00:00 EDT"
    );
    assert_eq!(client.value("select interval '1 day 2 hours'"), "P1DT2H");
}

#[test]
fn what_drivers_send_on_release_is_answered() {
    let server = start("");
    let mut client = server.client();
    assert_eq!(
        kinds(&client.query("CLOSE ALL; UNLISTEN *; RESET ALL;")),
        "CCCZ"
    );
    for sql in [
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET extra_float_digits = 3",
        "SET client_encoding = 'UTF8'",
        "SET NAMES 'UTF8'",
        "SET TIME ZONE 'UTC'",
        "SET statement_timeout TO 0",
        "SET client_min_messages TO warning",
        "SET standard_conforming_strings TO ON",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SET my.own = 'x'",
        "SHOW ALL",
        "DISCARD TEMP",
        "DEALLOCATE ALL",
    ] {
        let messages = client.query(sql);
        assert!(!kinds(&messages).contains('E'), "{sql}");
    }
    assert_eq!(client.value("show my.own"), "x");
    assert_eq!(client.error("set nonsense = 1"), "42704");
    assert_eq!(client.error("set server_version = '1'"), "55P02");
    assert_eq!(client.error("set timezone = 'Mars'"), "22023");
}

#[test]
fn what_is_asked_again_is_of_its_own_time() {
    let server = start("");
    let mut client = server.client();
    for sql in [
        "select 'now'::timestamptz",
        "select timestamp 'Now'",
        "select ('n' || 'ow')::timestamptz",
        "select now()",
        "select localtimestamp",
        "select max(g) from generate_series(localtimestamp, localtimestamp, '1 s') g",
        "select t from (values (clock_timestamp())) v(t)",
    ] {
        let first = client.value(sql);
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_ne!(client.value(sql), first, "{sql}");
    }
    // what it is made of may change as well
    assert_eq!(
        client.value("select to_char(timestamptz '2024-01-31 12:00Z', 'HH24')"),
        "12"
    );
    client.query("set timezone = 'Asia/Tokyo'");
    assert_eq!(
        client.value("select to_char(timestamptz '2024-01-31 12:00Z', 'HH24')"),
        "21"
    );
}
