//! Tables about tables: what Delta and Iceberg know of their own versions and files.

use std::process::Command;

use super::{columns, failure, lake, lake_for, lines};

#[test]
fn what_delta_says_of_its_tables() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    assert_eq!(
        lines(
            &mut client,
            "SELECT version, timestamp, operation, operation_parameters->>'mode' \
             FROM delta.\"changes$history\"",
        ),
        [
            "3|2024-01-04 00:00:00+00|WRITE|Overwrite",
            "2|2024-01-03 00:00:00+00|DELETE|NULL",
            "1|2024-01-02 00:00:00+00|WRITE|Append",
            "0|2024-01-01 00:00:00+00|WRITE|ErrorIfExists",
        ]
    );
    assert_eq!(
        lines(
            &mut client,
            "SELECT record_count, deleted_record_count, partition, lower_bounds, null_value_counts->>'id', \
             file_path LIKE '%.parquet', file_size_in_bytes > 100 FROM delta.changes$files",
        ),
        [r#"1|0|NULL|{"id": 4, "label": "d"}|0|t|t"#]
    );
}

#[test]
fn what_iceberg_says_of_its_tables() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    let [first, second, third] = lake.snapshots[..] else {
        panic!("{:?}", lake.snapshots)
    };
    let snapshots = lines(
        &mut client,
        "SELECT snapshot_id, parent_id, operation, summary->>'added-records' || '' \
         FROM ice.\"changes$snapshots\" ORDER BY committed_at",
    );
    assert_eq!(snapshots.len(), 4);
    assert!(
        snapshots[0].starts_with(&format!("{}|NULL|append|2", first.0)),
        "{snapshots:?}"
    );
    assert!(
        snapshots[1].starts_with(&format!("{}|{}|append|1", second.0, first.0)),
        "{snapshots:?}"
    );
    assert!(
        snapshots[2].starts_with(&format!("{}|{}|", third.0, second.0)),
        "{snapshots:?}"
    );
    assert_eq!(
        lines(
            &mut client,
            "SELECT snapshot_id, is_current_ancestor, (extract(epoch FROM made_current_at) * 1000)::bigint \
             FROM ice.\"changes$history\" ORDER BY 3",
        ),
        [first, second, third].map(|(id, millis)| format!("{id}|t|{millis}"))
    );
    let audit = lines(
        &mut client,
        "SELECT snapshot_id FROM ice.changes$snapshots EXCEPT SELECT snapshot_id FROM ice.changes$history",
    );
    assert_eq!(
        lines(
            &mut client,
            "SELECT name, type, snapshot_id, min_snapshots_to_keep FROM ice.\"changes$refs\" ORDER BY name"
        ),
        [
            format!("audit|BRANCH|{}|NULL", audit[0]),
            format!("first|TAG|{}|NULL", first.0),
            format!("main|BRANCH|{}|NULL", third.0),
        ]
    );
    assert_eq!(
        lines(
            &mut client,
            "SELECT partition, spec_id, record_count, file_count FROM ice.\"parted$partitions\" ORDER BY partition::text",
        ),
        [
            r#"{"day": "2024-01-01", "region": "eu"}|1|2|2"#,
            r#"{"day": "2024-01-01", "region": "us"}|1|1|1"#,
            r#"{"day": "2024-01-02", "region": null}|1|1|1"#,
        ]
    );
    assert_eq!(
        lines(
            &mut client,
            "SELECT content, file_format, spec_id, record_count, lower_bounds->>'1', null_value_counts->>'1' \
             FROM ice.\"parted$files\" WHERE partition->>'region' IS NOT NULL ORDER BY 5, 4",
        ),
        [
            "0|PARQUET|1|1|eu|0",
            "0|PARQUET|1|1|eu|0",
            "0|PARQUET|1|1|us|0"
        ]
    );
    assert_eq!(
        lines(
            &mut client,
            "SELECT content, added_data_files_count, added_rows_count, \
             partition_summaries->0->>'contains_null', partition_summaries->0->>'upper_bound' \
             FROM ice.\"parted$manifests\" ORDER BY 2",
        ),
        ["0|1|1|false|eu", "0|3|3|true|us"]
    );
    for about in [
        "snapshots",
        "history",
        "refs",
        "manifests",
        "files",
        "partitions",
    ] {
        let count = format!("SELECT count(*) FROM ice.empty${about}");
        assert_eq!(lines(&mut client, &count), ["0"], "{about}");
    }
    assert_eq!(
        columns(&mut client, "SELECT * FROM ice.empty$history"),
        [
            "made_current_at",
            "snapshot_id",
            "parent_id",
            "is_current_ancestor"
        ]
    );
}

#[test]
fn they_are_found_by_name_and_not_listed() {
    let Some(lake) = lake() else { return };
    let mut client = lake.server.client();
    let listed = "SELECT count(*) FROM pg_class WHERE relname LIKE '%$%'";
    assert_eq!(client.value(listed), "0");
    client.query("SET search_path = ice");
    assert_eq!(client.value("SELECT count(*) FROM changes$refs"), "3");
    // a join with another source
    let joined = "SELECT count(*) FROM changes$snapshots JOIN shop.pg_type t ON t.oid = 23";
    assert_eq!(client.value(joined), "4");
    for (sql, code) in [
        ("SELECT * FROM ice.\"changes$nothing\"", "42P01"),
        ("SELECT * FROM delta.\"changes$refs\"", "42P01"),
        ("SELECT * FROM files.\"plain$files\"", "42P01"),
        ("SELECT * FROM ice.\"nothing$files\"", "42P01"),
        (
            "SELECT * FROM ice.\"changes$files\" FOR VERSION AS OF 1",
            "0A000",
        ),
    ] {
        let [got, message, ..] = failure(&mut client, sql);
        assert_eq!(got, code, "{sql}: {message}");
    }
}

#[test]
fn who_may_not_read_a_table_may_not_read_about_it() {
    let users = "[[users]]\nname = \"ann\"\npassword = \"pencil\"\nread = [\"delta.*\"]\n";
    let Some(lake) = lake_for(users) else { return };
    let run = |sql: &str| {
        let address = lake.server.address;
        let url = format!(
            "postgres://ann:pencil@{}:{}/narrows",
            address.ip(),
            address.port()
        );
        let output = Command::new("psql")
            .args(["-XAtq", "-d", &url, "-c", sql])
            .output();
        let output = output.expect("psql");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(run("SELECT count(*) FROM delta.changes$history"), "4");
    assert_eq!(
        run("SELECT count(*) FROM delta.changes FOR VERSION AS OF 0"),
        "2"
    );
    for denied in [
        "changes$history",
        "changes FOR VERSION AS OF 1",
        "changes FOR VERSION AS OF 77",
    ] {
        let said = run(&format!("SELECT count(*) FROM ice.{denied}"));
        assert!(
            said.contains("permission denied for table changes"),
            "{denied}: {said}"
        );
    }
}
