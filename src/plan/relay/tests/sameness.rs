//! The remembered way gives what the full way gives.

use super::with_names;
use crate::plan::relay::{Cache, Names, Reading, read};

/// Statements with the constants marked, and sets of constants for them.
const TEMPLATES: &[&str] = &[
    "select * from orders where id = {n}",
    "SELECT abalance FROM shop.orders WHERE aid = {n};",
    "update shop.orders set a = a + {n}, b = {s} where id = {n} returning shop.orders.*",
    "insert into orders (id, a) values ({n}, {s}), (-{n}, {s})",
    "select {s} || {s}, {n}::shop.mood from narrows.shop.orders o where o.a like {s} limit {n}",
    "select *, ({n}) from people /* {n} */ where x = {s} -- {s}",
    "select {s}::regclass, {n} from orders",
    "select nextval({s}), {n} from orders",
    "select 1 from stock.parts where p = {n}",
    "select * from lake.lineitem where l = {s}",
    "select {n}",
    "select * from pg_class where relname = {s}",
    "explain (analyze {n}) select {n} from orders",
    "select to_regclass({s}), lower({s}) from orders",
    "select * from nosuch where a = {s}",
    "copy orders to stdout (delimiter {s})",
    "select {s} {s} from orders",
];

const CONSTANTS: &[(&str, &str)] = &[
    ("1", "'a'"),
    ("0", "'shop.orders'"),
    ("12345678901234567890.5", "'é''é'"),
    ("3", "'public.orders'"),
    ("0", "'lake.orders'"),
    ("7", "'stock.parts'"),
    ("8", "'shop.\"Odd Name\"'"),
    ("1e5", "''"),
    ("0x1f", "'12'"),
    ("1", "E'shop.orders\\n'"),
    ("1", "$x$shop.orders$x$"),
    ("1_000", "'a.b.c.d.e'"),
];

#[test]
fn texts_of_one_shape_are_read_as_each_alone() {
    with_names(&["shop", "shop_crm"], |names| {
        let cache = Cache::default();
        // Twice and in two orders: what is remembered first must not matter.
        for constants in [
            CONSTANTS.to_vec(),
            CONSTANTS.iter().rev().copied().collect(),
        ] {
            for template in TEMPLATES {
                for (number, string) in &constants {
                    let text = template.replace("{n}", number).replace("{s}", string);
                    same(&cache, names, &text);
                }
            }
        }
    });
}

#[test]
fn much_is_forgotten_and_read_again() {
    with_names(&["shop"], |names| {
        let cache = Cache::default();
        for round in 0..2 {
            for i in 0..3_000 {
                let text = format!("select a{i} from orders where id = {round}");
                same(&cache, names, &text);
            }
        }
        assert!(cache.len() <= 2 * 2_048);
    });
}

#[test]
fn epochs_are_apart() {
    let cache = Cache::default();
    let text = "select * from orders";
    let first = with_names(&["shop"], |names| cache.lookup_or_read(text, names, 1));
    let second = with_names(&["shop_crm"], |names| cache.lookup_or_read(text, names, 2));
    assert_eq!(shown(&first).1, "select * from public.orders");
    assert_eq!(shown(&second).1, "select * from \"CRM\".orders");
}

fn same(cache: &Cache, names: &Names, text: &str) {
    let full = read(text, names);
    for _ in 0..2 {
        let remembered = cache.lookup_or_read(text, names, 7);
        assert_eq!(shown(&remembered), shown(&full), "{text}");
    }
}

/// The statement or nothing, the text or the reason, and where every character stems from.
fn shown(reading: &Reading) -> (Option<String>, String, Vec<usize>) {
    match reading {
        Reading::Relay(statement, rewritten) => {
            let characters = rewritten.text().chars().count();
            let positions = (1..=characters + 1).map(|at| rewritten.original_position(at));
            (
                Some(format!("{statement:?}")),
                rewritten.text().to_string(),
                positions.collect(),
            )
        }
        Reading::Engine(reason) => (None, reason.to_string(), Vec::new()),
    }
}
