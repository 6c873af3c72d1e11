//! Where a statement goes: reasons against the relay, and search paths.

use super::{catalog, check, path, reason, relayed, with_names};
use crate::names::SourceName;
use crate::plan::relay::{Names, Reading, Temporary, read, remote_search_path};

#[test]
fn what_is_not_of_one_postgres_is_the_engines() {
    for (text, expected) in [
        ("", "no table named"),
        ("select 1", "no table named"),
        ("select lower('x'), now()", "no table named"),
        ("select 'shop.orders'::regclass", "no table named"),
        ("vacuum", "no table named"),
        (
            "select * from orders, stock.parts",
            "tables of two sources: shop, stock",
        ),
        (
            "select * from lake.lineitem l, orders, stock.parts",
            "tables of three sources: lake, shop, stock",
        ),
        ("select * from lake.lineitem", "lake table lake.lineitem"),
        (
            "select lake.lineitem.id from orders",
            "tables of two sources: lake, shop",
        ),
        (
            "select 'lake.lineitem'::regclass from orders",
            "tables of two sources: shop, lake",
        ),
        (
            "select stock.f(1) from orders",
            "tables of two sources: stock, shop",
        ),
        (
            "insert into orders select * from stock.parts",
            "tables of two sources: shop, stock",
        ),
        ("select * from pg_class", "system catalog pg_class"),
        (
            "select * from pg_catalog.pg_class, orders",
            "system catalog pg_catalog.pg_class",
        ),
        (
            "select * from information_schema.tables",
            "system catalog information_schema.tables",
        ),
        ("select * from nosuch", "unknown name nosuch"),
        ("select * from shop.nosuch", "unknown name shop.nosuch"),
        ("select * from nosuch.orders", "unknown name nosuch.orders"),
        (
            "insert into shop.nosuch values (1)",
            "unknown name shop.nosuch",
        ),
        ("select other.f(1) from orders", "unknown name other.f"),
        (
            "select a::other.mood from orders",
            "unknown name other.mood",
        ),
        (
            "select other.orders.id from orders",
            "unknown name other.orders.id",
        ),
        (
            "select * from other.shop.orders",
            "not understood: the name other.shop.orders",
        ),
        ("select * from pg_temp.x", "unknown name pg_temp.x"),
        (
            "select set_config('a', 'b', false) from orders",
            "set_config is not relayed",
        ),
        (
            "copy orders to '/tmp/x'",
            "COPY with a file or program is not relayed",
        ),
        (
            "copy orders from program 'x'",
            "COPY with a file or program is not relayed",
        ),
        (
            "set search_path = shop",
            "a statement of the session or the server is not relayed",
        ),
        (
            "create extension hstore schema shop",
            "a statement of the session or the server is not relayed",
        ),
        (
            "create role shop",
            "a statement of the session or the server is not relayed",
        ),
        ("grant shop to bob", "a change of roles is not relayed"),
        (
            "prepare p as select * from orders",
            "a statement of the session or the server is not relayed",
        ),
        (
            "explain execute p",
            "EXPLAIN of such a statement is not relayed",
        ),
        (
            "select * from orders; select 1",
            "not understood: more than one statement",
        ),
        (
            "select U&\"o\\0072ders\" from U&\"o\\0072ders\"",
            "not understood: a name with U& escapes",
        ),
        (
            "select 'a",
            "not understood: a string or comment that never ends",
        ),
        (
            "select E'a'\n'\\'' from orders",
            "not understood: a continued E'…' constant",
        ),
        (
            "select 'sh'\n'op.orders'::regclass from orders",
            "not understood: the name 'sh'\n'op.orders'",
        ),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
    assert!(reason("select * from from orders").starts_with("not understood: "));
}

#[test]
fn unknown_names_tell_their_source() {
    use crate::plan::relay::Reason;
    for (text, source) in [
        ("select * from shop.nosuch", Some("shop")),
        ("select * from nosuch", None),
        ("select * from orders, nosuch", Some("shop")),
    ] {
        let Reading::Engine(reason) = with_names(&["shop"], |names| read(text, names)) else {
            panic!("{text} is relayed");
        };
        let Reason::Unknown { source: found, .. } = &*reason else {
            panic!("{text}: {reason}");
        };
        assert_eq!(found.as_ref().map(SourceName::as_str), source, "{text}");
    }
}

#[test]
fn the_path_decides_what_a_bare_name_is() {
    let outcome = |search_path: &[&str], text: &str| {
        with_names(search_path, |names| match read(text, names) {
            Reading::Relay(_, rewritten) => rewritten.text().to_string(),
            Reading::Engine(reason) => reason.to_string(),
        })
    };
    for (search_path, text, expected) in [
        (
            &["shop", "shop_crm"][..],
            "table orders",
            "table public.orders",
        ),
        (
            &["shop_crm", "shop"],
            "table orders",
            "table \"CRM\".orders",
        ),
        (
            &["nosuch", "lake", "shop"],
            "table orders",
            "lake table lake.orders",
        ),
        (&[], "table orders", "unknown name orders"),
        (
            &["shop"],
            "create table n (a int)",
            "create table public.n (a int)",
        ),
        (
            &["lake", "shop_crm", "shop"],
            "create table n (a int)",
            "create table \"CRM\".n (a int)",
        ),
        (
            &["shop", "stock"],
            "create table n (a int)",
            "no table named",
        ),
        (
            &["stock", "shop"],
            "create table n as table orders",
            "create table public.n as table public.orders",
        ),
        (
            &["shop", "stock"],
            "create type mood as enum ('a')",
            "no table named",
        ),
        (&["lake"], "create table n (a int)", "no table named"),
        (
            &["lake"],
            "create table n as table shop.orders",
            "unknown name n",
        ),
        (&["shop"], "call p()", "call p()"),
        (&["shop"], "select nextval('s')", "select nextval('s')"),
    ] {
        assert_eq!(
            outcome(search_path, text),
            expected,
            "{search_path:?} {text}"
        );
    }
}

#[test]
fn the_sources_path_is_the_clients_by_remote_names() {
    let (catalog, search_path) = (
        catalog(),
        path(&["stock", "shop_crm", "nosuch", "shop", "shop_crm"]),
    );
    let names = Names {
        catalog: &catalog,
        search_path: &search_path,
        database: "narrows",
        temporary: Temporary::default(),
    };
    let remote = |source| remote_search_path(&names, &SourceName::new(source));
    assert_eq!(remote("shop"), ["CRM", "public"]);
    assert_eq!(remote("stock"), ["stock"]);
    assert!(remote("lake").is_empty());
}

#[test]
fn temporary_relations_hide_others() {
    let (catalog, search_path) = (catalog(), path(&["shop"]));
    let (source, temporary) = (SourceName::new("shop"), path(&["orders", "pg_class", "x"]));
    let names = Names {
        catalog: &catalog,
        search_path: &search_path,
        database: "narrows",
        temporary: Temporary {
            source: Some(&source),
            names: &temporary,
        },
    };
    for (text, expected) in [
        (
            "select * from orders, x, items",
            "select * from orders, x, public.items",
        ),
        (
            "select * from shop.orders, pg_temp.x",
            "select * from public.orders, pg_temp.x",
        ),
        ("select * from pg_class", "select * from pg_class"),
        (
            "select * from pg_catalog.pg_class",
            "system catalog pg_catalog.pg_class",
        ),
        ("insert into x values (1)", "insert into x values (1)"),
        ("drop table x", "drop table x"),
        (
            "create view v as select * from x, items",
            "create view v as select * from x, public.items",
        ),
        (
            "create view shop.v as table x",
            "create view public.v as table x",
        ),
        (
            "create table n as table x",
            "create table public.n as table x",
        ),
        (
            "select * from x, stock.parts",
            "tables of two sources: shop, stock",
        ),
    ] {
        let outcome = match read(text, &names) {
            Reading::Relay(_, rewritten) => rewritten.text().to_string(),
            Reading::Engine(reason) => reason.to_string(),
        };
        assert_eq!(outcome, expected, "{text}");
    }
    let made = |text: &str| relayed(text).0.temporary.join(" ");
    assert_eq!(made("create temp table X (a int)"), "x");
    assert_eq!(made("select 1 into temporary \"X\" from orders"), "X");
    assert_eq!(made("create table pg_temp.x as table orders"), "x");
    assert_eq!(made("create temp view v as table orders"), "v");
    assert_eq!(made("create table n as table orders"), "");
}

#[test]
fn long_names_are_cut_as_postgres_cuts_them() {
    let long = "o".repeat(70);
    let text = format!(
        "with {long} as (select 1) select * from {}, orders",
        "o".repeat(63)
    );
    assert_eq!(
        relayed(&text).1.text(),
        text.replace(", orders", ", public.orders")
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |open: &str, close: &str, levels: usize| {
        format!(
            "select {}1{} from orders",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    for text in [
        nested("(", ")", 100_000),
        nested("array[", "]", 100_000),
        nested("not ", "", 100_000),
        nested("- ", "", 100_000),
        nested("case when ", " then 1 end", 100_000),
        nested("exists (select ", ")", 10_000),
        nested("", " between 1 and 2", 100_000),
        nested("", " + 1", 100_000),
        nested("", " -> 1", 100_000),
        "explain ".repeat(100_000),
        format!(
            "select * from orders {}{}",
            " join a".repeat(9_000),
            " on true".repeat(9_000)
        ),
    ] {
        assert_eq!(reason(&text), "too deep", "{}", &text[..40]);
    }
    for (text, expected) in [
        (nested("", " + 1", 10_000), "public.orders"),
        (nested("", " or true", 10_000), "public.orders"),
        (nested("(", ")", 4_000), "public.orders"),
        (nested("exists (select ", ")", 4_000), "public.orders"),
        (nested("case when ", " then 1 end", 4_000), "public.orders"),
        (nested("", "::int", 10_000), "public.orders"),
        (
            format!("select a{} from orders", ".a".repeat(10_000)),
            "public.orders",
        ),
        (nested("", " union select 1", 9_000), "public.orders"),
    ] {
        let (_, rewritten) = relayed(&text);
        assert!(rewritten.text().ends_with(expected), "{}", &text[..40]);
    }
}

/// Types and functions alone decide as well, if no table does.
#[test]
fn a_source_is_found_by_its_types_and_functions() {
    check(&[
        ("select $1::shop_crm.mood", "select $1::\"CRM\".mood"),
        ("select $1::mood[]", "select $1::mood[]"),
        ("select null::_mood", "select null::_mood"),
        ("select mood 'ok' < 'sad'", "select mood 'ok' < 'sad'"),
        ("select f(1)", "select f(1)"),
        ("select * from f(1) g", "select * from f(1) g"),
        // where it is listed and where it lies
        ("select ''::shop.hstore", "select ''::extensions.hstore"),
        (
            "select ''::narrows.shop.hstore",
            "select ''::extensions.hstore",
        ),
        (
            "select ''::extensions.hstore",
            "select ''::extensions.hstore",
        ),
        (
            "select ''::extensions.hstore from orders",
            "select ''::extensions.hstore from public.orders",
        ),
    ]);
    for (text, expected) in [
        (
            "select ''::extensions.nosuch",
            "unknown name extensions.nosuch",
        ),
        (
            "select ''::extensions.hstore from stock.parts",
            "unknown name extensions.hstore",
        ),
        ("select ''::nosuch", "no table named"),
        ("select mood(1) from pg_class", "system catalog pg_class"),
        ("select pg_typeof(1), lower('x')", "no table named"),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
    let nowhere = with_names(&["shop", "stock"], |names| read("select f(1)", names));
    assert!(matches!(nowhere, Reading::Engine(_)));
}
