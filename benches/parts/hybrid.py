"""The 22 queries with five tables in Postgres and three as Parquet files, against
DuckDB over the same: times, answers, and what was moved out of Postgres."""

import decimal
import re
import time

from lib.data import query
from lib.duck import DuckError
from lib.hybrid import Hybrid
from lib.measure import markdown, number, ratio, show, spread
from lib.wire import ServerError

from .micro import geometric_mean

TITLE = "TPC-H, Postgres and Parquet files"
PEERS = ["narrows"]
NAMES = ["narrows", "duckdb"]
PLACES = decimal.Decimal("0.01")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
MOVED = re.compile(r"\bbytes=(\d+)")


def run(context):
    found, answers, moved, failures = {}, {}, {}, {}
    with Hybrid(context) as both:
        connection = both.connect()
        for turn in range(-1, context.arguments.rounds):
            for which in context.arguments.queries:
                sql, ordered = query(which, context.arguments.scale)
                for name in NAMES if turn % 2 else NAMES[::-1]:
                    if (which, name) in failures:
                        continue
                    try:
                        took, rows = once(name, both, connection, sql)
                    except (ServerError, DuckError, OSError) as error:
                        failures[which, name] = str(error)
                        context.say(f"Q{which} {name}: {error}")
                        connection = both.connect()
                        continue
                    if turn < 0:
                        # for warmth
                        answers[which, name] = sorted(rows)
                        if name == "narrows":
                            moved[which] = bytes_moved(connection, sql)
                        continue
                    found.setdefault((which, name), []).append(took)
                    context.say(f"Q{which:<4}{name:<10}{took * 1000:>10,.1f} ms")
        connection.close()
    return [{"query": which, "moved": moved.get(which),
             "equal": answers.get((which, "narrows")) == answers.get((which, "duckdb")),
             "errors": [f"{name}: {failures[which, name]}" for name in NAMES
                        if (which, name) in failures],
             "seconds": {name: spread(found[which, name]) for name in NAMES
                         if (which, name) in found}}
            for which in context.arguments.queries]


def once(name, both, connection, sql):
    if name == "duckdb":
        took, rows = both.duck.run(sql)
    else:
        start = time.perf_counter()
        rows = connection.run(sql).rows
        took = time.perf_counter() - start
    return took, [tuple(map(canonical, row)) for row in rows]


def canonical(cell):
    """Numbers to two places: DuckDB's averages are doubles."""
    text = cell.decode() if isinstance(cell, bytes) else str(cell)
    if NUMBER.fullmatch(text):
        return str(decimal.Decimal(text).quantize(PLACES, decimal.ROUND_HALF_EVEN))
    return text.rstrip(" ")


def bytes_moved(connection, sql):
    plan = connection.run(f"explain (analyze) {sql.lstrip()}").rows
    return sum(int(moved) for row in plan for moved in MOVED.findall(row[0].decode())
               if b"shop" in row[0])


def report(_context, result):
    rows, ratios = [], []
    for case in result:
        seconds = case["seconds"]
        one = ratio(seconds.get("narrows"), seconds.get("duckdb"))
        if one:
            ratios.append(one)
        moved = case["moved"]
        rows.append([f"Q{case['query']}", *(show(seconds.get(name), 0, 1000) for name in NAMES),
                     number(one), number(moved / 1e6 if moved is not None else None),
                     "yes" if case["equal"] else "NO"])
    sums = [number(sum(case["seconds"][name]["median"] for case in result
                       if name in case["seconds"]) * 1000, 0) for name in NAMES]
    rows.append(["sum, geometric mean", *sums, number(geometric_mean(ratios)), "", ""])
    header = ["query", *(f"{name} ms" for name in NAMES), "narrows / duckdb", "MB moved", "equal"]
    notes = "".join(f"\n- Q{case['query']}: {error}" for case in result for error in case["errors"])
    return markdown(header, rows) + notes + \
        "\n\nThe aims are a geometric mean of 0.9 and no query over 1.3."
