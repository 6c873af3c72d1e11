"""Keys that travel: a lake side that is small against orders by its primary key,
and keys of orders against the files of lineitem. What was read of each side is
taken from EXPLAIN ANALYZE."""

import json
import re
import time

from lib.data import TPCH
from lib.hybrid import Hybrid
from lib.measure import markdown, number, show, spread
from lib.wire import Connection

TITLE = "Join keys that travel"
PEERS = ["narrows"]
# Of orders, spread over the whole table.
LAKE_KEYS = [30, 2_000, 75_000]
# Of every 32 order keys 8 are used; written so that only the join tells the files.
POSTGRES_KEYS = {15: 60, 1_000: 4_000, 60_000: 240_000}
AIM = 1.3
MATCHED = re.compile(r"row_groups_pruned_statistics=(\d+) total → (\d+) matched")
ROWS = re.compile(r"Fragment on (\w+)[^:]*: rows=(\d+) bytes=(\d+)")


def run(context):
    made = {f"keys_{count}": f"{context.data}/keys-{count}.parquet" for count in LAKE_KEYS}
    with Hybrid(context) as first:
        for count, path in zip(LAKE_KEYS, made.values()):
            first.duck.run(f"copy (select o_orderkey as k from orders order by hash(o_orderkey) "
                           f"limit {count}) to '{path}' (format parquet)")
    with Hybrid(context, made) as both, both.connect() as ours, \
            Connection(context.postgres.url(TPCH), timeout=600) as postgres:
        return {"lake": [lake_keys(context, count, ours, both.duck, postgres)
                         for count in LAKE_KEYS],
                "postgres": [postgres_keys(context, keys, bound, ours, both.duck)
                             for keys, bound in POSTGRES_KEYS.items()]}


def lake_keys(context, count, ours, duck, postgres):
    sql = f"select count(*), sum(o_totalprice) from keys_{count} join orders on o_orderkey = k"
    keys = [row[0].decode() for row in ours.run(f"select k from keys_{count}").rows]
    array = "{" + ",".join(keys) + "}"
    chosen = "select o_orderkey, o_totalprice from orders"
    forms = {"any": f"{chosen} where o_orderkey = any($1::bigint[])",
             "unnest": f"{chosen} join unnest($1::bigint[]) as k on o_orderkey = k",
             "all": f"{chosen} where $1::bigint[] is not null"}
    ways = {"narrows": lambda: ours.run(sql),
            "lake": lambda: ours.run(f"select count(k), max(k) from keys_{count}"),
            "duckdb": lambda: duck.run(sql),
            **{name: lambda form=form: postgres.execute(form, [array.encode()], result_format=1)
               for name, form in forms.items()}}
    seconds = measured(context, f"{count} lake keys", ways)
    best = min((seconds[name] for name in forms), key=lambda spread_of: spread_of["median"])
    return {"keys": count, "seconds": seconds, "postgres": best,
            "moved": moved(ours, sql)["shop"][0]}


def postgres_keys(context, keys, bound, ours, duck):
    sql = f"select count(*), sum(l_quantity) from orders join lineitem " \
          f"on l_orderkey = o_orderkey where o_orderkey + 0 <= {bound}"
    seconds = measured(context, f"{keys} Postgres keys",
                       {"narrows": lambda: ours.run(sql), "duckdb": lambda: duck.run(sql)})
    plan = explained(ours, sql)
    matched = [found for line in plan if "l_orderkey" in line for found in MATCHED.findall(line)]
    return {"keys": keys, "seconds": seconds, "row_groups": matched,
            "moved": moved(ours, sql)}


def measured(context, what, ways):
    found = {name: [] for name in ways}
    for turn in range(-1, context.arguments.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn >= 0:
                found[name].append(time.perf_counter() - start)
    context.say(f"{what}: " + json.dumps({name: f"{min(runs) * 1000:,.1f} ms"
                                          for name, runs in found.items()}))
    return {name: spread(runs) for name, runs in found.items()}


def explained(connection, sql):
    return [row[0].decode() for row in connection.run(f"explain (analyze) {sql}").rows]


def moved(connection, sql):
    """Rows and bytes, by source."""
    return {source: (int(rows), int(size)) for line in explained(connection, sql)
            for source, rows, size in ROWS.findall(line)}


def report(_context, result):
    rows = []
    for case in result["lake"]:
        seconds = case["seconds"]
        least = case["postgres"]["median"] + seconds["lake"]["median"]
        rows.append([f"{case['keys']:,}", show(seconds["narrows"], 1, 1000),
                     show(case["postgres"], 1, 1000), show(seconds["lake"], 1, 1000),
                     number(seconds["narrows"]["median"] / least),
                     show(seconds["duckdb"], 1, 1000), f"{case['moved']:,}"])
    text = markdown(["lake keys", "narrows ms", "Postgres by these keys ms", "lake scan ms",
                     "narrows / (both)", "duckdb ms", "rows moved"], rows)
    rows = []
    for case in result["postgres"]:
        groups = "; ".join(f"{matched} of {total}" for total, matched in case["row_groups"])
        rows.append([f"{case['keys']:,}", show(case["seconds"]["narrows"], 1, 1000),
                     show(case["seconds"]["duckdb"], 1, 1000), groups,
                     f"{case['moved']['files'][0]:,}"])
    return text + "\n\n" + markdown(["Postgres keys", "narrows ms", "duckdb ms",
                                     "row groups read", "rows read of lineitem"], rows) + \
        f"\n\nThe aim is {AIM} × of both."
