"""All of lineitem, read into the engine with every column: by one connection and
by two, against one COPY BINARY that nobody looks at and against DuckDB."""

import time

from lib.data import TPCH
from lib.duck import Duck, DuckError
from lib.measure import markdown, number, ratio, show, spread
from lib.wire import Connection, ServerError

TITLE = "Bulk read of lineitem into the engine"
PEERS = ["direct", "narrows"]
# A filter that no row passes, and that stays here: all columns come, none leave.
SQL = "select * from {} where l_comment = 'none'"
COPY = "copy"
WAYS = ["narrows 1", "narrows 2", "duckdb 1", "duckdb 2"]


def run(context):
    found = {way: [] for way in (COPY, *WAYS)}
    ways = list(found)
    for turn in range(context.arguments.rounds):
        for way in ways[turn % len(ways):] + ways[:turn % len(ways)]:
            if (way, way) in context.failures:
                continue
            try:
                seconds = once(context, way)
            except (ServerError, OSError, DuckError) as error:
                context.failures[way, way] = str(error)
                continue
            found[way].append(seconds)
            context.say(f"{way:<12}{seconds:>8.2f} s")
    return {way: spread(runs) for way, runs in found.items() if runs}


def once(context, way):
    name, _, connections = way.partition(" ")
    peers = {peer.name: peer for peer in context.peers}
    if name == "duckdb":
        with Duck(context.postgres.url(TPCH), 2, int(connections)) as duck:
            duck.run("set pg_experimental_filter_pushdown = false")
            duck.run("select count(*) from pg.region")
            return duck.run(SQL.format("pg.lineitem"))[0]
    peer = peers["direct" if way == COPY else name]
    with Connection(peer.url(TPCH), timeout=600) as connection:
        sql = "copy lineitem to stdout (format binary)"
        if way != COPY:
            connection.run("set narrows.route = engine")
            connection.run("set narrows.pushdown = off")
            connection.run(f"set narrows.parallel_reads = {connections}")
            connection.run("select count(*) from region")
            sql = SQL.format("lineitem")
        start = time.perf_counter()
        connection.drain(sql)
        return time.perf_counter() - start


def report(_context, result):
    rows = [[way, show(result.get(way), 2), number(ratio(result.get(way), result.get(COPY)))]
            for way in (COPY, *WAYS)]
    text = markdown(["way, connections", "s", "/ COPY"], rows)
    for connections in (1, 2):
        lead = ratio(result.get(f"duckdb {connections}"), result.get(f"narrows {connections}"))
        text += f"\n- DuckDB / Narrows at {connections}: {number(lead)}"
    return text + "\n\nThe aims are 1.1 × of COPY by one connection and 0.6 by two, and 1.2 × " \
                  "DuckDB's speed."
