//! What the source gets, form by form.

use super::check;

#[test]
fn queries() {
    check(&[
        ("select * from shop.orders", "select * from public.orders"),
        ("select * from orders", "select * from public.orders"),
        ("select * from Orders", "select * from public.Orders"),
        (
            "select * from \"orders\" o",
            "select * from public.\"orders\" o",
        ),
        ("select * from SHOP.Orders", "select * from public.Orders"),
        (
            "select * from \"shop\".\"Odd Name\"",
            "select * from public.\"Odd Name\"",
        ),
        (
            "select * from narrows.shop.orders",
            "select * from public.orders",
        ),
        (
            "select * from \"narrows\" . shop . orders",
            "select * from public . orders",
        ),
        (
            "select * from shop_crm.people",
            "select * from \"CRM\".people",
        ),
        ("select * from people", "select * from \"CRM\".people"),
        ("select * from stock.parts", "select * from stock.parts"),
        (
            "select * from narrows.stock.parts",
            "select * from stock.parts",
        ),
        ("select * from é", "select * from public.é"),
        ("table orders", "table public.orders"),
        (
            "values ((select max(id) from orders))",
            "values ((select max(id) from public.orders))",
        ),
        (
            "select * from only orders*, only (shop.items)",
            "select * from only public.orders*, only (public.items)",
        ),
        (
            "select * from orders o join items using (id), lateral (select * from people where id = o.id) p",
            "select * from public.orders o join public.items using (id), lateral (select * from \"CRM\".people where id = o.id) p",
        ),
        (
            "select * from orders natural left join (items cross join people) as j",
            "select * from public.orders natural left join (public.items cross join \"CRM\".people) as j",
        ),
        (
            "select * from orders as o (a, b) tablesample bernoulli (10) repeatable (1)",
            "select * from public.orders as o (a, b) tablesample bernoulli (10) repeatable (1)",
        ),
        (
            "select a from orders union (select b from items except table people) order by 1",
            "select a from public.orders union (select b from public.items except table \"CRM\".people) order by 1",
        ),
        (
            "select exists (select from items where id = any (select id from people)), array(select 1 from items) from orders",
            "select exists (select from public.items where id = any (select id from \"CRM\".people)), array(select 1 from public.items) from public.orders",
        ),
        (
            "select * from rows from (shop.f(1), generate_series(1, 3)) with ordinality r, shop.g(1) as (x int, y shop.mood)",
            "select * from rows from (public.f(1), generate_series(1, 3)) with ordinality r, public.g(1) as (x int, y public.mood)",
        ),
        (
            "select * from orders, xmltable('/r' passing x columns a shop.mood path 'a'), json_table(js, '$' columns (a int path '$.a'))",
            "select * from public.orders, xmltable('/r' passing x columns a public.mood path 'a'), json_table(js, '$' columns (a int path '$.a'))",
        ),
        (
            "select o.id from orders o for update of o skip locked",
            "select o.id from public.orders o for update of o skip locked",
        ),
        (
            "select count(*) filter (where shop.orders.id > 1) over (partition by shop.orders.id) from orders group by rollup (shop.orders.id)",
            "select count(*) filter (where public.orders.id > 1) over (partition by public.orders.id) from public.orders group by rollup (public.orders.id)",
        ),
        ("select shop.my_func(1)", "select public.my_func(1)"),
        ("select narrows.shop.my_func(1)", "select public.my_func(1)"),
        (
            "/* shop.orders */ select 1 -- shop.orders\n from shop.orders",
            "/* shop.orders */ select 1 -- shop.orders\n from public.orders",
        ),
    ]);
}

#[test]
fn columns() {
    check(&[
        (
            "select orders.id, o.id from orders, items o",
            "select orders.id, o.id from public.orders, public.items o",
        ),
        (
            "select shop.orders.id from orders",
            "select public.orders.id from public.orders",
        ),
        (
            "select narrows.shop.orders.id from orders",
            "select public.orders.id from public.orders",
        ),
        (
            "select shop.orders.* from orders",
            "select public.orders.* from public.orders",
        ),
        (
            "select narrows.shop.orders.* from orders",
            "select public.orders.* from public.orders",
        ),
        (
            "select (shop.orders.addr).city from orders",
            "select (public.orders.addr).city from public.orders",
        ),
        (
            "select shop.orders.tags[1].x from orders",
            "select public.orders.tags[1].x from public.orders",
        ),
        (
            "select (orders).id, orders, row(orders.*) from orders",
            "select (orders).id, orders, row(orders.*) from public.orders",
        ),
        (
            "select shop.id from orders shop",
            "select shop.id from public.orders shop",
        ),
        (
            "select 1 as shop, 2 \"shop.orders\" from orders",
            "select 1 as shop, 2 \"shop.orders\" from public.orders",
        ),
        (
            "select orders from orders where orders.orders = 1",
            "select orders from public.orders where orders.orders = 1",
        ),
        (
            "select 'shop.orders', $$shop.orders$$ from orders",
            "select 'shop.orders', $$shop.orders$$ from public.orders",
        ),
        (
            "select distinct on (shop.orders.id) 1 from orders order by shop.orders.id",
            "select distinct on (public.orders.id) 1 from public.orders order by public.orders.id",
        ),
        (
            "select a[shop.orders.id:2] from orders",
            "select a[public.orders.id:2] from public.orders",
        ),
        (
            "select \"CRM\".id from orders \"CRM\"",
            "select \"CRM\".id from public.orders \"CRM\"",
        ),
    ]);
}

#[test]
fn with_queries() {
    check(&[
        ("with orders as (select 1) select * from orders, items", "with orders as (select 1) select * from orders, public.items"),
        ("with orders as (select * from orders) select * from orders", "with orders as (select * from public.orders) select * from orders"),
        ("with recursive orders as (select 1 union all select * from orders) select * from orders, items", "with recursive orders as (select 1 union all select * from orders) select * from orders, public.items"),
        ("with a as (select * from b), b as (select 1 from items) select 1 from a, b", ""),
        ("with orders as (select 1) select * from shop.orders", "with orders as (select 1) select * from public.orders"),
        ("with \"Orders\" as (select 1) select * from Orders", "with \"Orders\" as (select 1) select * from public.Orders"),
        ("with ORDERS as (select 1) select * from \"orders\", items", "with ORDERS as (select 1) select * from \"orders\", public.items"),
        ("select * from (with orders as (select 1) select * from orders) x, orders", "select * from (with orders as (select 1) select * from orders) x, public.orders"),
        ("with orders as (select 1) select 1 from orders union select 1 from orders, items", "with orders as (select 1) select 1 from orders union select 1 from orders, public.items"),
        ("(with orders as (select 1) select 1 from orders) union select 1 from orders", "(with orders as (select 1) select 1 from orders) union select 1 from public.orders"),
        ("with orders as (select 1) delete from orders", "with orders as (select 1) delete from public.orders"),
        ("with items as (select 1) update orders set a = 1 from items", "with items as (select 1) update public.orders set a = 1 from items"),
        ("with d as (delete from orders returning *), i as (insert into items select * from d returning id) select * from d, i", "with d as (delete from public.orders returning *), i as (insert into public.items select * from d returning id) select * from d, i"),
        ("insert into orders with items as (select 1) select * from items", "insert into public.orders with items as (select 1) select * from items"),
        ("with x as (select 1) select * from orders where id in (with orders as (table x) select * from orders)", "with x as (select 1) select * from public.orders where id in (with orders as (table x) select * from orders)"),
        ("with x as materialized (with items as (select 1) select * from items) select * from x, items", "with x as materialized (with items as (select 1) select * from items) select * from x, public.items"),
        ("with recursive t(n) as (select 1 union all select n+1 from t) search depth first by n set o cycle n set c using p select * from t, orders", "with recursive t(n) as (select 1 union all select n+1 from t) search depth first by n set o cycle n set c using p select * from t, public.orders"),
    ].into_iter().filter(|(_, expected)| !expected.is_empty()).collect::<Vec<_>>());
    assert_eq!(
        super::reason("with a as (select * from b), b as (select 1 from items) select 1 from a, b"),
        "unknown name b"
    );
}

#[test]
fn changes() {
    check(&[
        (
            "insert into orders as o (id, tags[1], addr.city) values (default, 1, $1) on conflict (id) do update set a = excluded.a where o.id > 1 returning o.*, shop.orders.id",
            "insert into public.orders as o (id, tags[1], addr.city) values (default, 1, $1) on conflict (id) do update set a = excluded.a where o.id > 1 returning o.*, public.orders.id",
        ),
        (
            "insert into shop.orders default values",
            "insert into public.orders default values",
        ),
        (
            "insert into orders select * from items on conflict on constraint orders do nothing",
            "insert into public.orders select * from public.items on conflict on constraint orders do nothing",
        ),
        (
            "update shop.orders set a = shop.orders.a + 1, (b, c) = (select 1, 2 from items), addr.city = 'x' from people p where p.id = orders.id returning orders.*",
            "update public.orders set a = public.orders.a + 1, (b, c) = (select 1, 2 from public.items), addr.city = 'x' from \"CRM\".people p where p.id = orders.id returning orders.*",
        ),
        (
            "update only shop.orders as o set a = 1 where current of orders",
            "update only public.orders as o set a = 1 where current of orders",
        ),
        (
            "delete from shop.orders o using items where o.id = items.id",
            "delete from public.orders o using public.items where o.id = items.id",
        ),
        (
            "merge into shop.orders o using (select * from items) i on o.id = i.id when matched and i.x > 1 then update set a = i.a when not matched then insert (id) values (i.id)",
            "merge into public.orders o using (select * from public.items) i on o.id = i.id when matched and i.x > 1 then update set a = i.a when not matched then insert (id) values (i.id)",
        ),
        (
            "merge into orders using items on orders.id = items.id when matched then delete",
            "merge into public.orders using public.items on orders.id = items.id when matched then delete",
        ),
        (
            "truncate only shop.orders, people restart identity cascade",
            "truncate only public.orders, \"CRM\".people restart identity cascade",
        ),
        (
            "copy shop.orders (id, a) to stdout with (format csv)",
            "copy public.orders (id, a) to stdout with (format csv)",
        ),
        (
            "copy (select * from orders) to stdout",
            "copy (select * from public.orders) to stdout",
        ),
        (
            "copy orders from stdin where id > 1",
            "copy public.orders from stdin where id > 1",
        ),
        (
            "lock table orders in share mode",
            "lock table public.orders in share mode",
        ),
        (
            "vacuum (analyze) shop.orders (id), items",
            "vacuum (analyze) public.orders (id), public.items",
        ),
        ("analyze shop.orders", "analyze public.orders"),
        ("reindex table shop.orders", "reindex table public.orders"),
        (
            "reindex index shop.orders_pkey",
            "reindex index public.orders_pkey",
        ),
        (
            "refresh materialized view shop.mv",
            "refresh materialized view public.mv",
        ),
        ("call shop.p(1, 'x')", "call public.p(1, 'x')"),
        (
            "explain (analyze, format json) select * from orders",
            "explain (analyze, format json) select * from public.orders",
        ),
        (
            "explain verbose delete from orders",
            "explain verbose delete from public.orders",
        ),
        (
            "declare c cursor with hold for select * from orders",
            "declare c cursor with hold for select * from public.orders",
        ),
    ]);
}

#[test]
fn definitions() {
    check(&[
        (
            "drop table if exists nosuch, orders",
            "drop table if exists nosuch, public.orders",
        ),
        ("drop table if exists nosuch", "drop table if exists nosuch"),
        ("create temp table x (a int)", "create temp table x (a int)"),
        (
            "create recursive view shop.orders (n) as values (1) union all select n + 1 from orders, items",
            "create recursive view public.orders (n) as values (1) union all select n + 1 from orders, public.items",
        ),
        (
            "create table shop.n (a int)",
            "create table public.n (a int)",
        ),
        ("create table n (a int)", "create table public.n (a int)"),
        (
            "create table if not exists shop.n (like orders including all, b shop.mood collate shop.\"x\" references items (id), check (a > 1)) inherits (people)",
            "create table if not exists public.n (like public.orders including all, b public.mood collate public.\"x\" references public.items (id), check (a > 1)) inherits (\"CRM\".people)",
        ),
        (
            "create table shop.n partition of shop.orders for values from (1) to (2)",
            "create table public.n partition of public.orders for values from (1) to (2)",
        ),
        (
            "create table shop_crm.n as select * from shop.orders with no data",
            "create table \"CRM\".n as select * from public.orders with no data",
        ),
        (
            "create temp table x as select * from shop.orders",
            "create temp table x as select * from public.orders",
        ),
        (
            "create table pg_temp.x as select * from shop.orders",
            "create table pg_temp.x as select * from public.orders",
        ),
        (
            "select * into n from orders",
            "select * into public.n from public.orders",
        ),
        (
            "select * into temp n from orders",
            "select * into temp n from public.orders",
        ),
        (
            "create index concurrently i on shop.orders using gin (a shop.ops, lower(b)) where shop.f(a) > 1",
            "create index concurrently i on public.orders using gin (a public.ops, lower(b)) where public.f(a) > 1",
        ),
        (
            "create or replace view shop.v as select * from orders",
            "create or replace view public.v as select * from public.orders",
        ),
        (
            "create view v as select * from orders",
            "create view public.v as select * from public.orders",
        ),
        (
            "create materialized view shop.v as table orders",
            "create materialized view public.v as table public.orders",
        ),
        (
            "create trigger t before insert on shop.orders for each row execute function shop.f()",
            "create trigger t before insert on public.orders for each row execute function public.f()",
        ),
        (
            "create rule r as on insert to orders do instead insert into items values (new.*)",
            "create rule r as on insert to public.orders do instead insert into public.items values (new.*)",
        ),
        (
            "create policy p on orders using (shop.orders.a = current_user)",
            "create policy p on public.orders using (public.orders.a = current_user)",
        ),
        (
            "create function shop.f(a shop.mood) returns setof shop.orders language sql as $$ select shop $$",
            "create function public.f(a public.mood) returns setof public.orders language sql as $$ select shop $$",
        ),
        (
            "create sequence shop.s owned by shop.orders.id",
            "create sequence public.s owned by public.orders.id",
        ),
        (
            "create type shop.mood as enum ('a')",
            "create type public.mood as enum ('a')",
        ),
        (
            "create type mood as enum ('a')",
            "create type mood as enum ('a')",
        ),
        (
            "alter table shop.orders add column x shop.mood, add foreign key (a) references items (id)",
            "alter table public.orders add column x public.mood, add foreign key (a) references public.items (id)",
        ),
        (
            "alter table orders rename to orders2",
            "alter table public.orders rename to orders2",
        ),
        (
            "alter table orders set schema shop_crm",
            "alter table public.orders set schema \"CRM\"",
        ),
        (
            "alter table orders attach partition shop_crm.orders default",
            "alter table public.orders attach partition \"CRM\".orders default",
        ),
        (
            "alter sequence shop.s restart",
            "alter sequence public.s restart",
        ),
        (
            "drop table if exists shop.orders, people cascade",
            "drop table if exists public.orders, \"CRM\".people cascade",
        ),
        ("drop table shop.gone", "drop table public.gone"),
        ("drop view shop.v", "drop view public.v"),
        ("drop index shop.i", "drop index public.i"),
        (
            "drop function shop.f(int, shop.mood)",
            "drop function public.f(int, public.mood)",
        ),
        (
            "drop operator shop.+ (int, int)",
            "drop operator public.+ (int, int)",
        ),
        (
            "comment on column shop.orders.id is 'shop.orders'",
            "comment on column public.orders.id is 'shop.orders'",
        ),
        (
            "comment on column orders.id is 'x'",
            "comment on column public.orders.id is 'x'",
        ),
        (
            "comment on table orders is null",
            "comment on table public.orders is null",
        ),
        (
            "grant select (id) on shop.orders, items to bob",
            "grant select (id) on public.orders, public.items to bob",
        ),
        (
            "grant select on all tables in schema shop to bob",
            "grant select on all tables in schema public to bob",
        ),
    ]);
}

#[test]
fn types_operators_and_constants_that_name() {
    check(&[
        (
            "select a::shop.mood, cast(b as shop.mood[]), shop.mood 'x' from orders",
            "select a::public.mood, cast(b as public.mood[]), public.mood 'x' from public.orders",
        ),
        (
            "select a operator(shop.+) b collate shop.\"x\" from orders order by a using operator(shop.<)",
            "select a operator(public.+) b collate public.\"x\" from public.orders order by a using operator(public.<)",
        ),
        (
            "select a::pg_catalog.int4, pg_catalog.lower(b) from orders",
            "select a::pg_catalog.int4, pg_catalog.lower(b) from public.orders",
        ),
        (
            "select 'shop.orders'::regclass from orders",
            "select 'public.orders'::regclass from public.orders",
        ),
        (
            "select regclass 'people', cast(E'shop.\"Odd Name\"' as pg_catalog.regclass) from orders",
            "select regclass '\"CRM\".people', cast('public.\"Odd Name\"' as pg_catalog.regclass) from public.orders",
        ),
        (
            "select 'nosuch'::regclass, '42'::regclass, 'pg_class'::regclass from orders",
            "select 'nosuch'::regclass, '42'::regclass, 'pg_class'::regclass from public.orders",
        ),
        ("select nextval('shop.s')", "select nextval('public.s')"),
        (
            "select nextval('narrows.shop.s'::regclass)",
            "select nextval('public.s'::regclass)",
        ),
        (
            "select pg_catalog.setval('shop_crm.\"S\"', 1, true)",
            "select pg_catalog.setval('\"CRM\".\"S\"', 1, true)",
        ),
        (
            "insert into orders values (nextval('s'))",
            "insert into public.orders values (nextval('s'))",
        ),
        (
            "select to_regclass('shop.orders'), to_regtype('shop.mood'), pg_get_serial_sequence('shop.orders', 'id') from orders",
            "select to_regclass('public.orders'), to_regtype('public.mood'), pg_get_serial_sequence('public.orders', 'id') from public.orders",
        ),
        (
            "select pg_relation_size('shop.orders'), pg_total_relation_size('orders') from orders",
            "select pg_relation_size('public.orders'), pg_total_relation_size('public.orders') from public.orders",
        ),
        (
            "select has_table_privilege('shop.orders', 'select'), has_table_privilege('bob', 'shop.orders', 'select') from orders",
            "select has_table_privilege('public.orders', 'select'), has_table_privilege('bob', 'public.orders', 'select') from public.orders",
        ),
        (
            "select 'shop.f(int)'::regprocedure, 'shop'::regnamespace, 'shop.mood'::regtype from orders",
            "select 'public.f(int)'::regprocedure, 'public'::regnamespace, 'public.mood'::regtype from public.orders",
        ),
        (
            "select lower('shop.orders'), to_tsvector('english', 'shop.orders') from orders",
            "select lower('shop.orders'), to_tsvector('english', 'shop.orders') from public.orders",
        ),
        (
            "select $1::regclass, nextval($2) from orders",
            "select $1::regclass, nextval($2) from public.orders",
        ),
        (
            "select a @> '{\"shop\": 1}' and b -> 'shop.orders' ->> 'x' ~* 'y' from orders",
            "select a @> '{\"shop\": 1}' and b -> 'shop.orders' ->> 'x' ~* 'y' from public.orders",
        ),
    ]);
}
