"""The 22 queries with all eight tables in one Postgres, by the engine and not by
the relay: what pushdown makes of them."""

from lib.data import query
from lib.wire import Connection

from . import tpch
from .micro import AIM, by_engine

TITLE = "TPC-H, all tables in one Postgres, by the engine"
PEERS = ["direct", "narrows"]


def run(context):
    return {"queries": tpch.measure(context, by_engine), "differing": differing(context)}


def differing(context):
    """Queries whose rows are not Postgres's, byte for byte."""
    found = []
    direct, *others = [by_engine(peer) for peer in context.peers]
    for number in context.arguments.queries:
        sql, ordered = query(number, context.arguments.scale)
        expected = rows(direct, sql, ordered)
        if any(rows(other, sql, ordered) != expected for other in others):
            found.append(f"Q{number}")
    for connection in (direct, *others):
        connection.close()
    return found


def rows(connection: Connection, sql, ordered):
    answer = connection.query(sql)[0].rows
    return answer if ordered else sorted(map(repr, answer))


def report(context, result):
    queries = result["queries"]
    text = tpch.table(context, queries, AIM, 0, f"{AIM} ×")
    sums = {name: sum(case["seconds"][name]["median"] for case in queries
                      if name in case["seconds"]) for name in context.names}
    text += "\n- sums of the medians: " + ", ".join(
        f"{name} {seconds:,.2f} s" for name, seconds in sums.items())
    if result["differing"]:
        text += f"\n- answers that differ: {', '.join(result['differing'])}"
    return text
