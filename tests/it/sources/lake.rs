//! Lake tables with deleted rows, from a client's side: the tables of Spark and of
//! Iceberg's library in tests/fixtures/lake, alone and beside a Postgres table.

use crate::fixture::{environment, here, psql};
use crate::wire::running::start;

/// Of the test Postgres; dropped with it.
struct Schema {
    home: url::Url,
    name: String,
}

impl Schema {
    fn create(home: &url::Url, tables: &str) -> Schema {
        let name = format!("narrows_lake_{}", std::process::id());
        let sql = format!("CREATE SCHEMA {name}; SET search_path = {name}; {tables}");
        psql(home, &["-c", &sql]);
        Schema {
            home: home.clone(),
            name,
        }
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        psql(
            &self.home,
            &["-c", &format!("DROP SCHEMA {} CASCADE", self.name)],
        );
    }
}

#[test]
fn deleted_rows_reach_no_client() {
    let Some(environment) = environment() else {
        return;
    };
    let schema = Schema::create(
        &environment.postgres,
        "CREATE TABLE wanted AS SELECT n AS id, 'w' || n AS mark FROM generate_series(0, 40, 4) AS n;
         ANALYZE wanted",
    );
    let folder = |path: &str| here("tests/fixtures/lake").join(path).display().to_string();
    let server = start(&format!(
        "[sources.shop]\nkind = \"postgres\"\nurl = \"{}\"\nschemas = {{ {} = \"shop\" }}\n\
         [sources.lake]\nkind = \"delta\"\n[sources.lake.tables]\nvectors = \"{}\"\n\
         [sources.ice]\nkind = \"iceberg\"\n[sources.ice.tables]\n\
         positions = \"{}\"\nvectors = \"{}\"\nkeys = \"{}\"\n",
        environment.postgres,
        schema.name,
        folder("delta/deletion_vectors"),
        folder("iceberg/position_deletes_shared"),
        folder("iceberg/deletion_vectors"),
        folder("iceberg/equality_deletes"),
    ));
    let mut client = server.client();
    let mut rows = |sql: &str| -> Vec<String> {
        let values = |row: Vec<Option<String>>| -> String {
            let values = row.into_iter().map(|value| value.unwrap_or("NULL".into()));
            values.collect::<Vec<_>>().join("|")
        };
        client.rows(sql).into_iter().map(values).collect()
    };
    for (sql, expected) in [
        ("SELECT count(*) FROM lake.vectors", vec!["32"]),
        (
            "SELECT * FROM lake.vectors WHERE id BETWEEN 9 AND 17 ORDER BY id",
            vec!["9|n9|4.50|eu", "16|n16|8.00|eu", "17|n17|8.50|eu"],
        ),
        (
            "SELECT id FROM lake.vectors ORDER BY id DESC LIMIT 3",
            vec!["41", "39", "38"],
        ),
        (
            "SELECT w.mark, l.name FROM shop.wanted w JOIN lake.vectors l USING (id) ORDER BY id",
            vec![
                "w0|n0", "w4|n4", "w8|n8", "w16|n16", "w20|n20", "w24|n24", "w28|n28", "w32|n32",
                "w36|n36",
            ],
        ),
        (
            "SELECT count(*), min(id), max(id) FROM ice.positions",
            vec!["24|0|29"],
        ),
        (
            "SELECT w.id, p.name FROM ice.positions p JOIN shop.wanted w USING (id) ORDER BY 1",
            vec!["0|n0", "8|n8", "12|updated", "16|n16", "20|n20", "28|n28"],
        ),
        (
            "SELECT id FROM ice.vectors WHERE name >= 'n25' ORDER BY id LIMIT 6",
            vec!["5", "6", "7", "8", "9", "12"],
        ),
        (
            "SELECT name FROM ice.keys k JOIN shop.wanted w ON w.id = k.id",
            vec!["NULL"],
        ),
        (
            "SELECT v.id FROM ice.keys k JOIN lake.vectors v ON v.id = k.id ORDER BY 1",
            vec!["1", "2", "6", "8"],
        ),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
    let plan = rows("EXPLAIN ANALYZE SELECT sum(id) FROM lake.vectors").join("\n");
    assert!(plan.contains("rows_deleted=13"), "{plan}");
}
