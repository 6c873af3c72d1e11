//! Promise 32: what does not fit into memory is spilled, and what cannot be is
//! refused; the query fails, and nothing else.

use std::path::Path;

use super::rig::error_of;
use crate::wire::client::status;
use crate::wire::running::{Running, start};

fn server(memory: &str, spill: &str, folder: &Path) -> Running {
    let folder = folder.display();
    start(&format!(
        "[limits]\nquery_memory = \"{memory}\"\nspill_limit = \"{spill}\"\nspill_dir = \"{folder}\"\n"
    ))
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let inner = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path),
            false => 1,
        }
    });
    inner.sum()
}

const ROWS: &str =
    "SELECT n, n % 1000 AS k, repeat(md5(n::text), 6) AS t FROM generate_series(1, 800000) AS g(n)";

#[test]
fn promise_32_what_does_not_fit_is_spilled_or_refused() {
    let sorted = format!(
        "SELECT count(*), max(r) FROM (SELECT row_number() OVER (ORDER BY t) AS r FROM ({ROWS}) a) b"
    );
    let grouped = format!("SELECT count(*) FROM (SELECT t, count(*) FROM ({ROWS}) a GROUP BY t) b");
    let joined = format!("SELECT count(*) FROM ({ROWS}) a JOIN ({ROWS}) b ON a.t = b.t");
    let named = format!(
        "WITH w AS (SELECT t, count(*) AS c FROM ({ROWS}) a GROUP BY t) \
         SELECT count(*) FROM w WHERE c = (SELECT max(c) FROM w)"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let roomy = server("128MB", "1GiB", folder.path());
    let mut client = roomy.client();
    for (sql, answer) in [(&sorted, "800000"), (&grouped, "800000")] {
        assert_eq!(client.value(sql), answer, "{sql}");
    }
    let narrow = server("128MB", "100kB", folder.path());
    for (server, sql, code) in [
        (&roomy, &joined, "53200"),
        (&roomy, &named, "53200"),
        (&narrow, &sorted, "53100"),
    ] {
        let mut client = server.client();
        // the others go on meanwhile
        let mut other = server.client();
        let messages = client.query(sql);
        let error = error_of(&messages).unwrap_or_else(|kinds| panic!("{sql}: {kinds}"));
        assert_eq!(error.code(), code, "{sql}: {}", error.text());
        assert_eq!(status(&messages), 'I');
        for client in [&mut client, &mut other] {
            assert_eq!(
                client.value("SELECT count(*) FROM generate_series(1, 10)"),
                "10"
            );
        }
    }
    drop(client);
    super::rig::until(
        "spilled files to go",
        std::time::Duration::from_secs(10),
        || files(folder.path()) == 0,
    );
}
