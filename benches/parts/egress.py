"""All of lineitem from files to a client, in text and in binary, beside Postgres
sending its own table: how long it takes, when the first rows come, and the memory."""

import time

from lib.data import TPCH
from lib.lakehouse import FORMATS, Lakehouse
from lib.measure import markdown, memory, number, ratio, reset_peak, show, spread
from lib.wire import Connection, ServerError

TITLE = "Lake to client"
PEERS = ["narrows"]
FORMS = ["text", "binary"]
SQL = "select * from lineitem"


def run(context):
    found = {}
    with Lakehouse(context) as lakehouse, \
            Connection(context.postgres.url(TPCH), timeout=600) as direct:
        connections = {layout: lakehouse.connect(layout) for layout in FORMATS}
        for turn in range(-1, context.arguments.rounds):
            for form in FORMS:
                for name in ["postgres", *FORMATS] if turn % 2 else [*FORMATS, "postgres"]:
                    connection = direct if name == "postgres" else connections[name]
                    try:
                        one = once(connection, form, lakehouse.narrows.pid)
                    except (ServerError, OSError) as error:
                        context.say(f"{form} {name}: {error}")
                        continue
                    if turn >= 0:
                        found.setdefault((form, name), []).append(one)
                        context.say(f"{form:<8}{name:<10}{one['seconds']:>8.2f} s")
        for connection in connections.values():
            connection.close()
    return [{"form": form, "peers": {
        name: {measured: spread([one[measured] for one in found[form, name]])
               for measured in found[form, name][0]}
        for name in ["postgres", *FORMATS] if (form, name) in found}} for form in FORMS]


def once(connection, form, pid):
    reset_peak(pid)
    before, _ = memory(pid)
    start = time.perf_counter()
    drain = connection.drain if form == "text" else connection.drain_binary
    size, _ = drain(SQL)
    took = time.perf_counter() - start
    return {"seconds": took, "first": connection.first - start, "bytes": size,
            "grown_mib": memory(pid)[1] - before, "peak_mib": memory(pid)[1]}


def report(_context, result):
    rows = []
    for case in result:
        direct = case["peers"].get("postgres", {})
        for name, peer in case["peers"].items():
            ours = name != "postgres"
            rows.append([f"{case['form']}, {name}", number(peer["bytes"]["median"] / 1e6, 0),
                         show(peer["seconds"], 2), show(peer["first"], 1, 1000),
                         number(ratio(direct.get("seconds"), peer["seconds"])),
                         f"{peer['peak_mib']['median']:.0f} (+{peer['grown_mib']['median']:.0f})"
                         if ours else "–"])
    return markdown(["", "MB", "seconds", "first rows ms", "× Postgres's speed", "peak MiB"], rows) \
        + "\n\nThe aims are 1.5 × Postgres's speed, first rows within 50 ms, and flat memory."
