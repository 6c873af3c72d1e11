"""Point lookups by primary key, by pgbench: throughput, latency, and what the
proxy itself spends on a query."""

import contextlib

from lib.data import PGBENCH_SCALE
from lib.measure import markdown, number, ratio, show, spread
from lib.pgbench import THREADS, Failure, pgbench

TITLE = "Point lookups by primary key"
CASES = [(mode, clients) for mode in ("simple", "extended", "prepared") for clients in (1, 8, 64)]
SCRIPT = f"""\
\\set aid random(1, {100_000 * PGBENCH_SCALE})
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""


def run(context):
    script = context.folder / "point.sql"
    script.write_text(SCRIPT)
    return measure(context, CASES, ["-f", script])


def report(context, result):
    return table(context, result, CASES) + """

tps: median (min–max). CPU: µs of the proxy's own process a query. p50: of the
transaction latencies, µs over direct's in brackets."""


def measure(context, cases, arguments, before=lambda: None, threads=THREADS):
    found = {}
    # The first run would pay for caches that later ones find warm.
    for peer in context.peers:
        with contextlib.suppress(Failure):
            pgbench(peer, arguments, *cases[0], threads, 1, context.folder)
    for case, peer in context.interleaved(cases):
        before()
        mode, clients = case
        try:
            one = pgbench(peer, arguments, mode, clients, threads,
                          context.arguments.seconds, context.folder)
        except Failure as failure:
            context.failed(case, peer, failure)
            continue
        found.setdefault(case, {}).setdefault(peer.name, []).append(one)
        context.say(f"{mode:<9}{clients:>3}  {peer.name:<10}{one['tps']:>10,.0f} tps"
                    f"{one['p50_ms'] * 1000:>8,.0f} µs")
    return [{"mode": mode, "clients": clients, "peers": {
        name: {measured: spread([run[measured] for run in runs]) for measured in runs[0]
               if runs[0][measured] is not None}
        for name, runs in found.get((mode, clients), {}).items()}} for mode, clients in cases]


def table(context, result, cases):
    names = context.names
    header = ["mode", "clients", *(f"{name} tps" for name in names)]
    proxies = [name for name in names if name != "direct"]
    compared = "narrows" in names and "pgbouncer" in names
    header += ["narrows / pgbouncer"] if compared else []
    header += [f"{name} CPU" for name in proxies] + [f"{name} p50" for name in names]
    rows = []
    for case in result:
        peers = case["peers"]
        value = lambda name, measured: peers.get(name, {}).get(measured)
        cells = [case["mode"], case["clients"], *(show(value(name, "tps")) for name in names)]
        if compared:
            cells.append(number(ratio(value("narrows", "tps"), value("pgbouncer", "tps"))))
        cells += [number(median(value(name, "cpu_us")), 1) for name in proxies]
        cells += [latency(value(name, "p50_ms"), value("direct", "p50_ms")) for name in names]
        rows.append(cells)
    return markdown(header, rows) + context.notes(cases)


def median(spread_of):
    return spread_of["median"] if spread_of else None


def latency(ours, direct):
    if not ours:
        return "–"
    microseconds = ours["median"] * 1000
    if not direct or ours is direct:
        return f"{microseconds:,.0f}"
    return f"{microseconds:,.0f} ({microseconds - direct['median'] * 1000:+,.0f})"
