"""The 22 queries with all eight tables in one Postgres: what being in between
costs a query that runs there. `engine` takes from here what it has in common."""

import time

from lib.data import query
from lib.measure import markdown, number, ratio, show, spread
from lib.wire import Connection, ServerError

TITLE = "TPC-H, all tables in one Postgres"
# At most 1.03 times Postgres alone, and a millisecond.
FACTOR, EXTRA = 1.03, 0.001


def run(context):
    return measure(context, lambda peer: Connection(peer.url("tpch"), timeout=600))


def measure(context, connect):
    cases = [f"Q{number}" for number in context.arguments.queries]
    connections, found, sizes = {}, {}, {}
    try:
        for peer in context.peers:
            connections[peer.name] = connect(peer)
        # Once each for warmth: caches of the server, of backends, of metadata.
        for case in cases:
            for peer in context.peers:
                once(context, case, peer, connections, connect, sizes)
        for case, peer in context.interleaved(cases):
            took = once(context, case, peer, connections, connect, sizes)
            if took is not None:
                found.setdefault(case, {}).setdefault(peer.name, []).append(took)
    finally:
        for connection in connections.values():
            connection.close()
    return [{"query": case, "bytes": {name: sizes.get((case, name)) for name in context.names},
             "seconds": {name: spread(runs) for name, runs in found.get(case, {}).items()}}
            for case in cases]


def once(context, case, peer, connections, connect, sizes):
    """Seconds from the query's first byte to the answer's last, or none."""
    sql, _ = query(int(case[1:]), context.arguments.scale)
    start = time.perf_counter()
    try:
        size, _ = connections[peer.name].drain(sql)
    except ServerError as error:
        context.failed(case, peer, error)
        return None
    except OSError as error:
        context.failed(case, peer, error)
        connections[peer.name] = connect(peer)
        return None
    took = time.perf_counter() - start
    sizes[case, peer.name] = size
    context.say(f"{case:<5}{peer.name:<10}{took * 1000:>10,.1f} ms")
    return took


def report(context, result):
    return table(context, result, FACTOR, EXTRA, "1.03 × + 1 ms")


def table(context, result, factor, extra, aim):
    names = context.names
    proxies = [name for name in names if name != "direct"] if "direct" in names else []
    header = ["query", *(f"{name} ms" for name in names)]
    for name in proxies:
        header += [f"{name} / direct", "fastest"]
    rows, within = [], {name: [0, 0] for name in proxies}
    for case in result:
        seconds = case["seconds"]
        cells = [case["query"], *(show(seconds.get(name), 1, 1000) for name in names)]
        for name in proxies:
            ours, direct = seconds.get(name), seconds.get("direct")
            for index, which in enumerate(("median", "min")):
                within[name][index] += bool(ours and direct) and (
                    ours[which] <= direct[which] * factor + extra)
            cells += [number(ratio(ours, direct), 3),
                      number(ours["min"] / direct["min"] if ours and direct else None, 3)]
        rows.append(cells)
    differing = [case["query"] for case in result
                 if len({size for size in case["bytes"].values() if size}) > 1]
    text = markdown(header, rows) + context.notes([case["query"] for case in result])
    for name in proxies:
        text += f"\n- {name}: {within[name][0]} of {len(result)} within {aim} by the " \
                f"medians, {within[name][1]} by the fastest runs"
    if differing:
        text += f"\n- answers of different lengths in bytes: {', '.join(differing)}"
    return text
