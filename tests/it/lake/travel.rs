//! Tables as they were: by version, time, tag and branch, with the columns that
//! they had, in every kind of statement.

use super::{columns, failure, lake, lines};
use crate::wire::client::{Client, bind, describe, execute, kinds, parse, sync};

#[test]
fn versions_of_delta_tables() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    for (clause, names, rows) in [
        ("", &["id", "label"][..], &["4|d"][..]),
        ("FOR VERSION AS OF 0", &["id", "name"], &["1|a", "2|b"]),
        (
            "for system_version as of '1'",
            &["id", "name", "note"],
            &["1|a|NULL", "2|b|NULL", "3|c|new"],
        ),
        (
            "FOR VERSION AS OF 2",
            &["id", "name", "note"],
            &["2|b|NULL", "3|c|new"],
        ),
        ("FOR VERSION AS OF 3", &["id", "label"], &["4|d"]),
        (
            "FOR TIMESTAMP AS OF '2024-01-01 00:00:00'",
            &["id", "name"],
            &["1|a", "2|b"],
        ),
        (
            "FOR TIMESTAMP AS OF TIMESTAMP '2024-01-02 23:59:59.999'",
            &["id", "name", "note"],
            &["1|a|NULL", "2|b|NULL", "3|c|new"],
        ),
        (
            "FOR SYSTEM_TIME AS OF '2024-01-03'::timestamptz",
            &["id", "name", "note"],
            &["2|b|NULL", "3|c|new"],
        ),
        (
            "FOR TIMESTAMP AS OF DATE '2025-01-03'",
            &["id", "label"],
            &["4|d"],
        ),
    ] {
        let sql = format!("SELECT * FROM delta.changes {clause} ORDER BY id");
        assert_eq!(columns(&mut client, &sql), names, "{sql}");
        assert_eq!(lines(&mut client, &sql), rows, "{sql}");
    }
    // without a zone, a time is the session's
    client.query("SET timezone = 'Asia/Tokyo'");
    let at =
        |time: &str| format!("SELECT count(*) FROM delta.changes FOR TIMESTAMP AS OF '{time}'");
    assert_eq!(lines(&mut client, &at("2024-01-02 09:00")), ["3"]);
    assert_eq!(lines(&mut client, &at("2024-01-02 08:59")), ["2"]);
    assert_eq!(lines(&mut client, &at("2024-01-02 00:00Z")), ["3"]);
}

#[test]
fn snapshots_tags_and_branches_of_iceberg_tables() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    let [first, second, third] = lake.snapshots[..] else {
        panic!("{:?}", lake.snapshots)
    };
    let micros = |millis: i64| {
        let time = chrono::DateTime::from_timestamp_millis(millis).expect("a time");
        time.format("%Y-%m-%d %H:%M:%S%.3f+00").to_string()
    };
    let named = &["id", "name"][..];
    let noted = &["id", "name", "note"][..];
    let renamed = &["id", "label", "note", "extra"][..];
    for (clause, names, rows) in [
        (
            String::new(),
            renamed,
            &["2|b|NULL|NULL", "3|c|new|NULL"][..],
        ),
        (
            format!("FOR VERSION AS OF {}", first.0),
            named,
            &["1|a", "2|b"],
        ),
        (
            format!("FOR VERSION AS OF '{}'", first.0),
            named,
            &["1|a", "2|b"],
        ),
        (
            format!("FOR VERSION AS OF {}", second.0),
            noted,
            &["1|a|NULL", "2|b|NULL", "3|c|new"],
        ),
        (
            format!("FOR VERSION AS OF {}", third.0),
            noted,
            &["2|b|NULL", "3|c|new"],
        ),
        // sequence numbers
        (
            "FOR VERSION AS OF 2".into(),
            noted,
            &["1|a|NULL", "2|b|NULL", "3|c|new"],
        ),
        (
            format!("FOR TIMESTAMP AS OF '{}'", micros(first.1)),
            named,
            &["1|a", "2|b"],
        ),
        (
            format!("FOR TIMESTAMP AS OF '{}'", micros(third.1 - 1)),
            noted,
            &["1|a|NULL", "2|b|NULL", "3|c|new"],
        ),
        (
            format!("FOR TIMESTAMP AS OF '{}'", micros(third.1)),
            noted,
            &["2|b|NULL", "3|c|new"],
        ),
        ("FOR TAG 'first'".into(), named, &["1|a", "2|b"]),
        ("FOR VERSION AS OF 'first'".into(), named, &["1|a", "2|b"]),
        // a branch has the table's present columns
        (
            "FOR BRANCH 'main'".into(),
            renamed,
            &["2|b|NULL|NULL", "3|c|new|NULL"],
        ),
        (
            "FOR BRANCH 'audit'".into(),
            renamed,
            &["2|b|NULL|NULL", "3|c|new|NULL", "9|z|NULL|1"],
        ),
        (
            "FOR VERSION AS OF 'audit'".into(),
            renamed,
            &["2|b|NULL|NULL", "3|c|new|NULL", "9|z|NULL|1"],
        ),
    ] {
        let sql = format!("SELECT * FROM ice.changes {clause} ORDER BY id");
        assert_eq!(columns(&mut client, &sql), names, "{sql}");
        assert_eq!(lines(&mut client, &sql), rows, "{sql}");
    }
}

#[test]
fn statements_of_every_kind() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    for (sql, rows) in [
        // two versions of one table, and one with what Postgres holds
        (
            "SELECT now.id, old.id FROM delta.changes FOR VERSION AS OF 2 AS now \
             FULL JOIN delta.changes FOR VERSION AS OF 0 old ON old.id = now.id ORDER BY 1, 2",
            &["2|2", "3|NULL", "NULL|1"][..],
        ),
        (
            "SELECT id FROM delta.changes FOR VERSION AS OF 0 EXCEPT SELECT id FROM ice.changes FOR VERSION AS OF 3",
            &["1"],
        ),
        (
            "SELECT c.name, t.typname FROM delta.changes FOR VERSION AS OF 1 c \
             JOIN shop.pg_type t ON t.oid = c.id + 22 WHERE c.id = 1",
            &["a|text"].map(|_| "a|int4"),
        ),
        // names of tables stay what they are
        (
            "SELECT changes.name, delta.changes.id FROM delta.changes FOR VERSION AS OF 0 WHERE changes.id = 2",
            &["b|2"],
        ),
        (
            "WITH changes AS (SELECT * FROM delta.changes FOR VERSION AS OF 0) SELECT count(*) FROM changes",
            &["2"],
        ),
        (
            "SELECT (SELECT max(name) FROM delta.changes FOR VERSION AS OF 2), (SELECT max(label) FROM delta.changes)",
            &["c|d"],
        ),
        (
            "SELECT count(*) FROM (delta.changes FOR VERSION AS OF 0 CROSS JOIN ice.changes FOR TAG 'first' AS x)",
            &["4"],
        ),
        // no clause at all
        (
            "SELECT substring('abcdef' FROM 2 FOR 3), tag FROM (VALUES (1)) AS version(tag)",
            &["bcd|1"],
        ),
    ] {
        assert_eq!(lines(&mut client, sql), rows, "{sql}");
    }
    client.query("SET search_path = delta");
    let shadow = "WITH x AS (SELECT 1), changes AS (SELECT id FROM changes FOR VERSION AS OF 1) SELECT count(*) FROM changes";
    assert_eq!(lines(&mut client, shadow), ["3"]);

    let plan = lines(
        &mut client,
        "EXPLAIN SELECT * FROM delta.changes FOR VERSION AS OF 1 WHERE id > 1",
    )
    .join("\n");
    assert!(plan.contains("at version 1,"), "{plan}");
    client
        .query("PREPARE older AS SELECT name FROM delta.changes FOR VERSION AS OF 0 WHERE id = $1");
    assert_eq!(lines(&mut client, "EXECUTE older(2)"), ["b"]);
    client.query("BEGIN");
    client
        .query("DECLARE c CURSOR FOR SELECT id FROM delta.changes FOR VERSION AS OF 0 ORDER BY id");
    assert_eq!(lines(&mut client, "FETCH ALL FROM c"), ["1", "2"]);
    client.query("COMMIT");

    let sql = "SELECT id, name FROM delta.changes FOR VERSION AS OF 0 WHERE id = $1";
    let mut bytes = parse("s", sql, &[20]);
    for id in ["1", "2"] {
        bytes.extend(bind("", "s", &[Some(id.as_bytes())], [&[], &[]]));
        bytes.extend(describe('P', ""));
        bytes.extend(execute("", 0));
    }
    bytes.extend(sync());
    client.send(&bytes);
    let messages = client.until_ready();
    assert_eq!(
        kinds(&messages),
        "12TDC2TDCZ",
        "{}",
        super::texts(&messages)
    );
}

#[test]
fn a_setting_moves_every_lake_table() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    let count = "SELECT count(*) FROM delta.changes";
    assert_eq!(client.value(count), "1");
    client.query("PREPARE counted AS SELECT count(*) FROM delta.changes");
    assert_eq!(client.value("EXECUTE counted"), "1");
    client.query("SET timezone = 'Asia/Tokyo'");
    client.query("SET narrows.as_of = '2024-01-02 12:00'");
    assert_eq!(client.value("SHOW narrows.as_of"), "2024-01-02 03:00:00+00");
    assert_eq!(client.value(count), "3");
    assert_eq!(client.value("EXECUTE counted"), "3");
    assert_eq!(
        columns(&mut client, "SELECT * FROM delta.changes"),
        ["id", "name", "note"]
    );
    // a clause says it better; what keeps no versions is read as it is
    assert_eq!(
        client.value("SELECT count(*) FROM delta.changes FOR VERSION AS OF 0"),
        "2"
    );
    assert_eq!(client.value("SELECT count(*) FROM files.plain"), "1");
    assert_eq!(client.value("SELECT count(*) > 0 FROM shop.pg_type"), "t");
    assert_eq!(
        client.value("SELECT count(*) FROM shop.pg_type t, delta.changes c WHERE t.oid = 23"),
        "3"
    );
    // the Iceberg table is younger
    let [code, message, _, hint] = failure(&mut client, "SELECT * FROM ice.changes");
    assert_eq!(code, "22023");
    assert_eq!(
        message,
        "table \"ice.changes\" has no version as of 2024-01-02 03:00:00+00"
    );
    assert!(hint.contains(&lake.snapshots[0].0.to_string()), "{hint}");
    client.query("RESET narrows.as_of");
    assert_eq!(client.value("SHOW narrows.as_of"), "");
    assert_eq!(client.value(count), "1");
    assert_eq!(client.value("EXECUTE counted"), "1");
    client.query("BEGIN; SET LOCAL narrows.as_of = '2024-01-01T00:00:00Z'");
    assert_eq!(client.value(count), "2");
    client.query("COMMIT");
    assert_eq!(client.value(count), "1");
    for bad in ["yesterday", "infinity", "01/02/2024", "soon"] {
        let sql = format!("SET narrows.as_of = '{bad}'");
        assert_eq!(client.error(&sql), "22023", "{bad}");
    }
    client.query("SET narrows.as_of = '2999-01-01'");
    let [code, _, _, hint] = failure(&mut client, count);
    assert_eq!(
        (code.as_str(), hint.as_str()),
        ("22023", "That time is still to come.")
    );
    let mut client = Client::connect(lake.server.address);
    client.startup(
        0,
        &[
            ("user", "tester"),
            ("options", "-c narrows.as_of=2024-01-01T12:00:00Z"),
        ],
    );
    client.until_ready();
    assert_eq!(client.value(count), "2");
}

#[test]
fn what_is_not_kept_says_what_is() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    let (first, third) = (lake.snapshots[0].0, lake.snapshots[2].0);
    let delta =
        "Versions that are kept: 0 of 2024-01-01 00:00:00+00 to 3 of 2024-01-04 00:00:00+00.";
    for (from, code, message, hint) in [
        (
            "delta.changes FOR VERSION AS OF 4",
            "22023",
            "table \"delta.changes\" has no version 4",
            delta.to_string(),
        ),
        (
            "delta.changes FOR TIMESTAMP AS OF '2023-12-31 23:59'",
            "22023",
            "table \"delta.changes\" has no version as of 2023-12-31 23:59:00+00",
            delta.to_string(),
        ),
        (
            "delta.changes FOR TAG 'x'",
            "22023",
            "table \"delta.changes\" has no tag \"x\"",
            "no tags or branches".into(),
        ),
        (
            "delta.changes FOR TIMESTAMP AS OF '2999-01-01'",
            "22023",
            "table \"delta.changes\" has no version as of 2999-01-01 00:00:00+00",
            "still to come".into(),
        ),
        (
            "ice.changes FOR VERSION AS OF 77",
            "22023",
            "table \"ice.changes\" has no version 77",
            format!("{first} of "),
        ),
        (
            "ice.changes FOR TIMESTAMP AS OF '2020-01-01'",
            "22023",
            "table \"ice.changes\" has no version as of 2020-01-01 00:00:00+00",
            format!("the latest is {third}"),
        ),
        (
            "ice.changes FOR TAG 'main'",
            "22023",
            "table \"ice.changes\" has no tag \"main\"",
            "Its tags: first. Its branches: audit, main.".into(),
        ),
        (
            "ice.empty FOR VERSION AS OF 1",
            "22023",
            "table \"ice.empty\" has no version 1",
            "Nothing was written".into(),
        ),
        (
            "delta.changes FOR TIMESTAMP AS OF 'noon'",
            "22007",
            "invalid input syntax for type timestamp with time zone: \"noon\"",
            String::new(),
        ),
        (
            "delta.changes FOR VERSION AS OF 99999999999999999999",
            "22003",
            "version 99999999999999999999 is out of range",
            String::new(),
        ),
        (
            "files.plain FOR VERSION AS OF 1",
            "0A000",
            "\"files.plain\" keeps no versions",
            "Delta and Iceberg".into(),
        ),
        (
            "shop.pg_type FOR VERSION AS OF 1",
            "0A000",
            "\"shop.pg_type\" keeps no versions",
            "Delta and Iceberg".into(),
        ),
        (
            "pg_class FOR TAG 'x'",
            "0A000",
            "\"pg_catalog.pg_class\" keeps no versions",
            String::new(),
        ),
        (
            "delta.nothing FOR VERSION AS OF 1",
            "42P01",
            "relation \"delta.nothing\" does not exist",
            String::new(),
        ),
    ] {
        let sql = format!("SELECT * FROM {from}");
        let [got, text, _, hinted] = failure(&mut client, &sql);
        assert_eq!((got.as_str(), text.as_str()), (code, message), "{sql}");
        assert!(hinted.contains(&hint), "{sql}: {hinted}");
    }
    for (sql, code, position) in [
        (
            "SELECT 1 FROM delta.changes FOR VERSION AS OF 7",
            "22023",
            "29",
        ),
        (
            "SELECT 1 FROM delta.changes x FOR VERSION AS OF 7",
            "42601",
            "31",
        ),
        (
            "SELECT id FOR VERSION AS OF 7 FROM delta.changes",
            "42601",
            "11",
        ),
        (
            "SELECT 1 FROM delta.changes FOR VERSION AS OF -1",
            "42601",
            "47",
        ),
        ("SELECT 1 FROM delta.changes FOR VERSION AS OF", "42601", ""),
        (
            "SELECT 1 FROM delta.changes FOR VERSION AS OF $1",
            "0A000",
            "47",
        ),
        (
            "SELECT 1 FROM delta.changes FOR TIMESTAMP AS OF now()",
            "0A000",
            "49",
        ),
        (
            "SELECT 1 FROM delta.changes FOR VERSION AS OF 0 WHERE )",
            "42601",
            "55",
        ),
        (
            "WITH x AS (SELECT 1) SELECT 1 FROM x FOR VERSION AS OF 1",
            "0A000",
            "38",
        ),
        ("SELECT 1 FROM shop.pg_type FOR TAG 'x'", "0A000", ""),
        (
            "SELECT 1 FROM shop.pg_type FOR VERSION AS OF 'x'",
            "0A000",
            "",
        ),
    ] {
        let [got, text, at, _] = failure(&mut client, sql);
        assert_eq!(got, code, "{sql}: {text}");
        if !position.is_empty() {
            assert_eq!(at, position, "{sql}: {text}");
        }
    }
}
