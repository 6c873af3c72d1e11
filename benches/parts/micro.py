"""One shape of query after another over tables of one Postgres, by the engine
and not by the relay: what planning, pushdown and the way of the rows cost."""

import math
import time

from lib.measure import markdown, number, ratio, show, spread
from lib.wire import Connection, ServerError

TITLE = "Shapes of queries over one Postgres, by the engine"
PEERS = ["direct", "narrows"]
AIM = 1.15
# What takes microseconds is run more often.
SECONDS, FEWEST, MOST = 0.3, 3, 200
SHAPES = {
    "point": "select * from orders where o_orderkey = 1000001",
    "in": "select * from orders where o_orderkey in (1, 2, 3, 4, 5, 6, 7, 32, 33, 34)",
    "range of 1 %": "select * from orders where o_orderkey between 1 and 60000",
    "or": "select o_orderkey, o_totalprice from orders where o_custkey = 370 or o_orderkey = 7",
    "prefix like": "select c_custkey, c_name from customer where c_name like 'Customer#00001%'",
    "infix like": "select p_partkey, p_name from part where p_name like '%green%'",
    "extract": "select count(*) from orders where extract(year from o_orderdate) = 1995",
    "count": "select count(*) from orders",
    "min, max": "select min(o_totalprice), max(o_orderdate) from orders",
    "group by": "select o_orderpriority, count(*), sum(o_totalprice) from orders group by 1",
    "distinct": "select distinct o_custkey from orders",
    "top n": "select o_orderkey, o_totalprice from orders order by o_totalprice desc, "
             "o_orderkey limit 10",
    "limit": "select * from lineitem limit 1000",
    "join by key": "select o_orderkey, o_totalprice, c_name from orders "
                   "join customer on c_custkey = o_custkey where o_orderkey between 1 and 1000",
    "join, aggregate": "select c_mktsegment, count(*), sum(o_totalprice) from customer "
                       "join orders on c_custkey = o_custkey group by 1",
    "window": "select o_orderkey, rank() over (partition by o_custkey order by o_totalprice desc) "
              "from orders where o_orderkey < 60000",
}


def run(context):
    found, sizes = {}, {}
    connections = {peer.name: by_engine(peer) for peer in context.peers}
    try:
        for case, peer in context.interleaved(SHAPES):
            try:
                took, size = several(connections[peer.name], SHAPES[case])
            except (ServerError, OSError) as error:
                context.failed(case, peer, error)
                connections[peer.name] = by_engine(peer)
                continue
            found.setdefault(case, {}).setdefault(peer.name, []).append(took)
            sizes[case, peer.name] = size
            context.say(f"{case:<16}{peer.name:<10}{took * 1000:>10,.2f} ms")
    finally:
        for connection in connections.values():
            connection.close()
    return [{"shape": case, "bytes": {name: sizes.get((case, name)) for name in context.names},
             "seconds": {name: spread(runs) for name, runs in found.get(case, {}).items()}}
            for case in SHAPES]


def by_engine(peer):
    connection = Connection(peer.url("tpch"), timeout=600)
    if peer.name == "narrows":
        connection.run("set narrows.route = engine")
    return connection


def several(connection, sql):
    """The median of its runs, after one that is not counted; bytes of the rows."""
    size, _ = connection.drain(sql)
    runs, until = [], time.perf_counter() + SECONDS
    while len(runs) < FEWEST or (len(runs) < MOST and time.perf_counter() < until):
        start = time.perf_counter()
        connection.drain(sql)
        runs.append(time.perf_counter() - start)
    return spread(runs)["median"], size


def report(context, result):
    names = context.names
    others = [name for name in names if name != "direct"] if "direct" in names else []
    rows, ratios = [], {name: [] for name in others}
    for case in result:
        seconds = case["seconds"]
        cells = [case["shape"], *(show(seconds.get(name), 2, 1000) for name in names)]
        for name in others:
            one = ratio(seconds.get(name), seconds.get("direct"))
            if one:
                ratios[name].append(one)
            cells.append(number(one))
        rows.append(cells)
    means = [number(geometric_mean(ratios[name])) for name in others]
    rows.append(["geometric mean", *("" for _ in names), *means])
    header = ["shape", *(f"{name} ms" for name in names), *(f"{name} / direct" for name in others)]
    text = markdown(header, rows) + context.notes(list(SHAPES))
    differing = [case["shape"] for case in result
                 if len({size for size in case["bytes"].values() if size is not None}) > 1]
    if differing:
        text += f"\n- answers of different lengths in bytes: {', '.join(differing)}"
    return text + f"\n\nThe aim is a geometric mean of {AIM}."


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None
