//! Promise 21 where a source is involved: texts of any depth and length are
//! answered or refused, by whichever side, and the server goes on.

use super::rig::{Declared, ROUTES, error_of, rig};
use crate::wire::client::*;

#[test]
fn promise_21_deep_and_long_statements_over_a_source_are_answered_or_refused() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    let panics = narrows::metrics::panics::total();
    let from = "FROM shop.items WHERE id = 7";
    let nested = |open: &str, close: &str, count: usize| {
        format!(
            "SELECT id {from} AND {}id = 7{}",
            open.repeat(count),
            close.repeat(count)
        )
    };
    let statements = [
        nested("(", ")", 10_000),
        nested("NOT ", "", 10_000),
        nested("EXISTS (SELECT 1 FROM shop.items WHERE ", ")", 300),
        format!(
            "SELECT {}id{} {from}",
            "abs(".repeat(4_000),
            ")".repeat(4_000)
        ),
        format!(
            "SELECT {}1{} {from}",
            "CASE WHEN true THEN ".repeat(5_000),
            " END".repeat(5_000)
        ),
        format!("SELECT id {from}{}", " OR id = 8".repeat(100_000)),
        format!("SELECT id{} {from}", " + 1".repeat(100_000)),
        format!(
            "SELECT id FROM shop.items WHERE id IN (7{})",
            ", 8".repeat(20_000)
        ),
        format!("SELECT id{} {from}", ", name".repeat(5_000)),
        format!("SELECT id {from}{}", " UNION ALL SELECT 1".repeat(200)),
        format!(
            "{} SELECT id {from}",
            "/* ".repeat(5_000) + &"*/".repeat(5_000)
        ),
        format!("SELECT id, '{}' {from}", "x".repeat(20 << 20)),
    ];
    for sql in &statements {
        for route in ROUTES {
            let mut client = rig.client(route);
            client.query("SET statement_timeout = 4000");
            let messages = client.query(sql);
            let what = format!(
                "{route:?} {} … ({} bytes)",
                &sql[..60.min(sql.len())],
                sql.len()
            );
            assert_eq!(status(&messages), 'I', "{what}");
            if let Ok(error) = error_of(&messages) {
                let code = error.code();
                let known =
                    ["54001", "54000", "54011", "42601", "57014", "0A000"].contains(&code.as_str());
                assert!(known, "{what}: {}", error.text());
            }
            assert_eq!(
                client.value("SELECT count(*) FROM shop.items"),
                "1000",
                "{what}"
            );
        }
    }
    assert_eq!(narrows::metrics::panics::total(), panics);
}
