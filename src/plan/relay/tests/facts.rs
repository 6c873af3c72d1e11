//! What is said of statements beside their text: kinds, relations, functions,
//! effects, positions.

use super::relayed;
use crate::plan::relay::{Analyze, Effects, Hold, Kind, PlanForm};

#[test]
fn kinds() {
    let with_plan = |of, analyze, plan| Kind::Explain {
        of: Box::new(of),
        analyze,
        plan,
    };
    let explained = |of, analyze| with_plan(of, analyze, PlanForm::Lines);
    for (text, expected) in [
        ("select * from orders", Kind::Read),
        ("values ((select 1 from orders))", Kind::Read),
        ("select * from orders for share", Kind::Lock),
        (
            "select * from (select * from orders for no key update) x",
            Kind::Lock,
        ),
        (
            "with d as (delete from orders returning *) select * from d",
            Kind::Write,
        ),
        ("select nextval('shop.s')", Kind::Write),
        ("insert into orders values (1)", Kind::Write),
        (
            "merge into orders using items on true when matched then do nothing",
            Kind::Write,
        ),
        ("truncate orders", Kind::Write),
        ("select 1 into n from orders", Kind::Define),
        ("create index on orders (id)", Kind::Define),
        ("drop table orders", Kind::Define),
        ("comment on table orders is 'x'", Kind::Define),
        ("revoke all on orders from bob", Kind::Define),
        ("copy orders to stdout", Kind::CopyOut),
        (
            "copy (delete from orders returning *) to stdout",
            Kind::CopyOut,
        ),
        ("copy orders from stdin", Kind::CopyIn),
        ("vacuum orders", Kind::Maintain),
        ("lock orders", Kind::Maintain),
        ("call shop.p()", Kind::Call),
        ("do $$ begin end $$", Kind::Call),
        (
            "explain select * from orders",
            explained(Kind::Read, Analyze::No),
        ),
        (
            "explain analyze verbose delete from orders",
            explained(Kind::Write, Analyze::Yes),
        ),
        (
            "explain (costs off, analyze) table orders",
            explained(Kind::Read, Analyze::Yes),
        ),
        (
            "explain (analyze off) table orders",
            explained(Kind::Read, Analyze::No),
        ),
        (
            "explain (analyze 0) table orders",
            explained(Kind::Read, Analyze::No),
        ),
        (
            "explain (analyze 'false') table orders",
            explained(Kind::Read, Analyze::No),
        ),
        (
            "explain (format JSON) table orders",
            with_plan(Kind::Read, Analyze::No, PlanForm::Document),
        ),
        (
            "explain (analyze, format 'yaml') table orders",
            with_plan(Kind::Read, Analyze::Yes, PlanForm::Document),
        ),
        (
            "explain (format \"text\") table orders",
            explained(Kind::Read, Analyze::No),
        ),
        (
            "explain (analyze 1) create table n as table orders",
            explained(Kind::Define, Analyze::Yes),
        ),
        (
            "declare \"C\" cursor with hold for select * from orders for update",
            Kind::Declare {
                name: "C".into(),
                hold: Hold::Session,
                of: Box::new(Kind::Lock),
            },
        ),
        (
            "declare C scroll cursor for table orders",
            Kind::Declare {
                name: "c".into(),
                hold: Hold::Transaction,
                of: Box::new(Kind::Read),
            },
        ),
    ] {
        assert_eq!(relayed(text).0.kind, expected, "{text}");
    }
}

#[test]
fn relations_are_read_or_written() {
    for (text, reads, writes) in [
        (
            "select * from orders, shop.orders, people",
            "shop.orders shop_crm.people",
            "",
        ),
        (
            "insert into orders select * from items",
            "shop.items",
            "shop.orders",
        ),
        (
            "insert into orders values (1) returning *",
            "shop.orders",
            "shop.orders",
        ),
        (
            "insert into orders values (1) on conflict do nothing",
            "shop.orders",
            "shop.orders",
        ),
        ("update orders set a = 1", "shop.orders", "shop.orders"),
        ("delete from orders", "", "shop.orders"),
        (
            "delete from orders where id = 1",
            "shop.orders",
            "shop.orders",
        ),
        (
            "delete from orders using items",
            "shop.orders shop.items",
            "shop.orders",
        ),
        (
            "merge into orders using items on true when matched then delete",
            "shop.orders shop.items",
            "shop.orders",
        ),
        ("truncate orders, people", "", "shop.orders shop_crm.people"),
        ("copy orders to stdout", "shop.orders", ""),
        ("copy orders from stdin", "", "shop.orders"),
        ("create table n as table orders", "shop.orders", "shop.n"),
        ("create temp table n as table orders", "shop.orders", ""),
        (
            "create table shop_crm.n (like orders)",
            "shop.orders",
            "shop_crm.n",
        ),
        (
            "alter table orders add foreign key (a) references items",
            "shop.items",
            "shop.orders",
        ),
        (
            "create view v as select * from orders",
            "shop.orders",
            "shop.v",
        ),
        ("drop table orders, shop.gone", "", "shop.orders shop.gone"),
        ("vacuum orders", "", "shop.orders"),
        (
            "create function shop.f() returns int language sql as 'select 1'",
            "",
            "shop.f",
        ),
        (
            "create function f() returns int language sql as 'select 1'",
            "",
            "shop.f",
        ),
        (
            "create or replace procedure narrows.shop_crm.p() language sql as ''",
            "",
            "shop_crm.p",
        ),
        ("create type mood as enum ('a')", "", "shop.mood"),
        (
            "drop type shop.mood, shop.colour",
            "",
            "shop.mood shop.colour",
        ),
        ("drop index shop.i, j", "", "shop.i shop.j"),
        ("drop operator shop.+ (int, int)", "", "shop."),
        ("create operator shop.+ (function = shop.f)", "", "shop."),
        ("alter collation shop.c refresh version", "", "shop.c"),
        (
            "comment on operator class shop.c using btree is 'x'",
            "",
            "shop.c",
        ),
        (
            "create statistics s on a, b from orders",
            "",
            "shop.orders shop.s",
        ),
        (
            "alter table orders set schema shop_crm",
            "",
            "shop.orders shop_crm.*",
        ),
        (
            "grant select on all tables in schema shop to bob",
            "",
            "shop.*",
        ),
        (
            "create trigger t after insert on orders execute function shop.f()",
            "",
            "shop.orders",
        ),
        ("alter sequence s restart", "", "shop.s"),
        ("drop table if exists nosuch", "", "shop.nosuch"),
        (
            "select nextval('shop.s') from orders",
            "shop.orders",
            "shop.s",
        ),
        ("grant select on orders to bob", "", "shop.orders"),
        (
            "with x as (update orders set a = 1 returning *) select * from x, items",
            "shop.orders shop.items",
            "shop.orders",
        ),
    ] {
        let (statement, _) = relayed(text);
        let listed = |names: &[crate::names::RelationName]| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            names.join(" ")
        };
        assert_eq!(listed(&statement.reads), reads, "reads of {text}");
        assert_eq!(listed(&statement.writes), writes, "writes of {text}");
    }
}

#[test]
fn functions_that_reach_further_are_named() {
    for (text, functions, effects) in [
        (
            "select lower(a), count(*), now(), coalesce(a, b), float8(c), grouping(a) from orders",
            "",
            Effects::Plain,
        ),
        (
            "select extract(year from a), xmlelement(name x, a), current_date, trim(a) from orders",
            "",
            Effects::Plain,
        ),
        (
            "select shop.f(Shop.F(1)), g(1) from orders",
            "shop.f g",
            Effects::Taints,
        ),
        (
            "select query_to_xml('select 1', true, true, '') from orders",
            "query_to_xml",
            Effects::Plain,
        ),
        (
            "select pg_catalog.pg_read_file('x'), lo_get(1) from orders",
            "pg_catalog.pg_read_file lo_get",
            Effects::Plain,
        ),
        (
            "select pg_typeof(a), pg_sleep(1), pg_relation_size('orders') from orders",
            "",
            Effects::Plain,
        ),
        (
            "select pg_terminate_backend(1) from orders",
            "pg_terminate_backend",
            Effects::Plain,
        ),
        ("select dblink('x') from orders", "dblink", Effects::Taints),
        ("select setseed(0.1) from orders", "", Effects::Taints),
        ("select pg_advisory_lock(1) from orders", "", Effects::Keeps),
        (
            "select pg_advisory_xact_lock(1) from orders",
            "",
            Effects::Plain,
        ),
        (
            "select * from orders tablesample system (1)",
            "",
            Effects::Plain,
        ),
        ("call shop.p()", "shop.p", Effects::Taints),
        ("create temp table n as table orders", "", Effects::Keeps),
        ("create table pg_temp.n as table orders", "", Effects::Keeps),
        ("select * into temp n from orders", "", Effects::Keeps),
        (
            "declare c cursor with hold for table orders",
            "",
            Effects::Keeps,
        ),
        ("declare c cursor for table orders", "", Effects::Plain),
    ] {
        let (statement, _) = relayed(text);
        let named: Vec<String> = statement.functions.iter().map(|f| f.to_string()).collect();
        assert_eq!(named.join(" "), functions, "{text}");
        assert_eq!(statement.effects, effects, "{text}");
    }
}

#[test]
fn positions_lead_back_to_the_clients_text() {
    // The mark in each text is left out before it is read; the character after it
    // is the same in both.
    for (client, remote) in [
        ("select ‸x from shop.orders", "select ‸x from public.orders"),
        (
            "select 'éé', ‸x from shop.orders",
            "select 'éé', ‸x from public.orders",
        ),
        (
            "select * from shop.orders where ‸x",
            "select * from public.orders where ‸x",
        ),
        ("select * from shop.‸orders", "select * from public.‸orders"),
        ("select * from ‸shop.orders", "select * from ‸public.orders"),
        ("select * from ‸shop.orders", "select * from pub‸lic.orders"),
        ("select * from ‸orders", "select * from ‸public.orders"),
        ("select * from ‸orders", "select * from publ‸ic.orders"),
        ("select * from o‸rders", "select * from public.o‸rders"),
        (
            "select * from ‸narrows.shop.orders",
            "select * from pub‸lic.orders",
        ),
        (
            "select 'é' from shop.é, orders as é where é.‸x = 1",
            "select 'é' from public.é, public.orders as é where é.‸x = 1",
        ),
        (
            "select 'shop.orders'::‸regclass, a from orders",
            "select 'public.orders'::‸regclass, a from public.orders",
        ),
        ("select * from orders‸", "select * from public.orders‸"),
    ] {
        let at = |text: &str| text.chars().position(|c| c == '‸').map(|i| i + 1);
        let (_, rewritten) = relayed(&client.replace('‸', ""));
        assert_eq!(rewritten.text(), remote.replace('‸', ""));
        let position = at(remote).map(|position| rewritten.original_position(position));
        assert_eq!(position, at(client), "{client}");
    }
}
