"""The 22 queries over files alone: Narrows over Parquet, Delta and Iceberg tables,
which share their data files, against the plain engine and DuckDB over the files."""

import time

from lib.data import query
from lib.lakehouse import ENGINES, FORMATS, EngineError, Lakehouse
from lib.measure import markdown, number, ratio, show, spread
from lib.wire import ServerError

from .hybrid import canonical
from .micro import geometric_mean

TITLE = "TPC-H in Parquet, Delta and Iceberg"
PEERS = ["narrows"]
NAMES = [*FORMATS, *ENGINES]


def run(context):
    found, answers, failures = {}, {}, {}
    with Lakehouse(context) as lakehouse:
        connections = {layout: lakehouse.connect(layout) for layout in FORMATS}
        for turn in range(-1, context.arguments.rounds):
            for which in context.arguments.queries:
                sql, _ordered = query(which, context.arguments.scale)
                for name in NAMES if turn % 2 else NAMES[::-1]:
                    if (which, name) in failures:
                        continue
                    try:
                        took, rows = once(name, lakehouse, connections, sql)
                    except (ServerError, EngineError, OSError) as error:
                        failures[which, name] = str(error)
                        context.say(f"Q{which} {name}: {error}")
                        if name in FORMATS:
                            connections[name] = lakehouse.connect(name)
                        continue
                    if turn < 0:
                        # for warmth
                        answers[which, name] = sorted(rows)
                        continue
                    found.setdefault((which, name), []).append(took)
                    context.say(f"Q{which:<4}{name:<12}{took * 1000:>10,.1f} ms")
        for connection in connections.values():
            connection.close()
    return [{"query": which,
             "equal": all(answers.get((which, name)) == answers.get((which, "duckdb"))
                          for name in FORMATS),
             "errors": [f"{name}: {failures[which, name]}" for name in NAMES
                        if (which, name) in failures],
             "seconds": {name: spread(found[which, name]) for name in NAMES
                         if (which, name) in found}}
            for which in context.arguments.queries]


def once(name, lakehouse, connections, sql):
    if name in ENGINES:
        took, rows = lakehouse.engines[name].run(sql)
    else:
        start = time.perf_counter()
        rows = connections[name].run(sql).rows
        took = time.perf_counter() - start
    return took, [tuple(map(canonical, row)) for row in rows]


def report(_context, result):
    rows = []
    ratios = {engine: [] for engine in ENGINES}
    for case in result:
        seconds = case["seconds"]
        cells = []
        for engine in ENGINES:
            one = ratio(seconds.get("parquet"), seconds.get(engine))
            ratios[engine] += [one] if one else []
            cells.append(number(one))
        rows.append([f"Q{case['query']}", *(show(seconds.get(name), 0, 1000) for name in NAMES),
                     *cells, "yes" if case["equal"] else "NO"])
    sums = {name: sum(case["seconds"][name]["median"] for case in result
                      if name in case["seconds"]) for name in NAMES}
    rows.append(["sum, geometric mean", *(number(sums[name] * 1000, 0) for name in NAMES),
                 *(number(geometric_mean(ratios[engine])) for engine in ENGINES), ""])
    for engine in ENGINES:
        rows.append([f"sum over {engine}'s", *(number(sums[name] / sums[engine]) for name in NAMES),
                     "", "", ""])
    header = ["query", *(f"{name} ms" for name in NAMES),
              *(f"parquet / {engine}" for engine in ENGINES), "equal"]
    notes = "".join(f"\n- Q{case['query']}: {error}" for case in result for error in case["errors"])
    return markdown(header, rows) + notes + \
        "\n\nThe aims are 1.05 of the plain engine's sum for each format, and 1.3 of DuckDB's."
