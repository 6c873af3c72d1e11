//! Statements before and after the rewrites, as text.

use super::*;
use crate::plan::parse::parse;
use datafusion::execution::SessionStateBuilder;

fn check(sql: &str, expected: &str) {
    let state = SessionStateBuilder::new().with_default_features().build();
    let mut statement = parse(sql).expect(sql).remove(0);
    rewrite(std::sync::Arc::make_mut(&mut statement.ast), &state).expect(sql);
    assert_eq!(statement.ast.to_string(), expected, "{sql}");
}

#[test]
fn distinct_from_binds_tighter_than_and() {
    check(
        "SELECT a WHERE x AND a IS DISTINCT FROM b AND c OR d",
        "SELECT a WHERE x AND a IS DISTINCT FROM b AND c OR d",
    );
    let mut statement = parse("SELECT a WHERE a IS DISTINCT FROM b AND c").expect("parses");
    let state = SessionStateBuilder::new().with_default_features().build();
    rewrite(std::sync::Arc::make_mut(&mut statement[0].ast), &state).expect("rewrites");
    let ast::Statement::Query(query) = statement[0].ast.as_ref() else {
        panic!("a query")
    };
    let ast::SetExpr::Select(select) = query.body.as_ref() else {
        panic!("a select")
    };
    assert!(matches!(
        select.selection,
        Some(Expr::BinaryOp {
            op: ast::BinaryOperator::And,
            ..
        })
    ));
}

#[test]
fn object_names_resolve() {
    check(
        "SELECT x FROM t WHERE a = 'shop.orders'::regclass",
        "SELECT x FROM t WHERE a = narrows_to_regclass('shop.orders')",
    );
    check(
        "SELECT oid::regclass FROM t",
        "SELECT narrows_regclass_out(oid::REGCLASS) FROM t",
    );
}

#[test]
fn subqueries_aggregate() {
    check(
        "SELECT (SELECT b FROM u WHERE u.a = t.a) FROM t",
        "SELECT narrows_only((SELECT narrows_collect(b) FROM u WHERE u.a = t.a)) FROM t",
    );
    check(
        "SELECT (SELECT max(b) FROM u) FROM t",
        "SELECT (SELECT max(b) FROM u) FROM t",
    );
    check(
        "SELECT ARRAY(SELECT b FROM u ORDER BY c)",
        "SELECT coalesce((SELECT array_agg(b ORDER BY c) FROM u), make_array())",
    );
    check(
        "SELECT EXISTS (SELECT b FROM u)",
        "SELECT ((SELECT count(*) FROM u) > 0)",
    );
    check(
        "SELECT (SELECT b FROM u ORDER BY c LIMIT 1) FROM t",
        "SELECT (SELECT first_value(b ORDER BY c) FROM u) FROM t",
    );
}

#[test]
fn operators_and_collations_are_plain() {
    check(
        "SELECT a FROM t WHERE a OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default",
        "SELECT a FROM t WHERE a ~ 'x'",
    );
}

#[test]
fn functions_in_from_are_subqueries() {
    check(
        "SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g(x)",
        "SELECT * FROM LATERAL (SELECT unnest(\"rows of generate_series\"(1, 3)) AS \"x\", \
         unnest(\"rows of ordinality\"(\"rows of generate_series\"(1, 3))) AS \"ordinality\") AS \"g\"",
    );
    check(
        "SELECT u FROM t, unnest(t.a) u",
        "SELECT u FROM t, LATERAL (SELECT unnest(t.a) AS \"u\") AS \"u\"",
    );
    check(
        "SELECT * FROM upper('a')",
        "SELECT * FROM LATERAL (SELECT upper('a') AS \"upper\") AS \"upper\"",
    );
}
