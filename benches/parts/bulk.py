"""Large results and loads: SELECT, COPY out, COPY in, a cursor. Time against
Postgres alone, and the most memory that a proxy took."""

import subprocess
import time

from lib.data import definition
from lib.measure import markdown, memory, number, ratio, reset_peak, show, spread
from lib.programs import psql
from lib.wire import Connection, ServerError

TITLE = "Bulk"
CASES = ["SELECT", "COPY out", "COPY in", "cursor"]
# Of the rows that are copied in.
LOADED = 1_000_000
CHUNK = 1 << 16
LIMIT_MIB = 64


def prepare(postgres):
    """The table to load, before a proxy reads what tables there are."""
    tpch, bench = postgres.url("tpch"), postgres.url("bench")
    psql(bench, "drop table if exists lineitem_copy", check=True)
    psql(bench, f"create unlogged table lineitem_copy ({definition(tpch, 'lineitem')})",
         check=True)


def run(context):
    with Connection(context.postgres.url("tpch"), timeout=600) as direct:
        out = direct.run(f"copy (select * from lineitem limit {LOADED}) to stdout")
    loaded = int(out.tag.split()[1])
    joined = b"".join(out.copied)
    chunks = [joined[at:at + CHUNK] for at in range(0, len(joined), CHUNK)]
    del out, joined
    found = {}
    for case, peer in context.interleaved(CASES):
        if peer.pid:
            reset_peak(peer.pid)
            resident, _ = memory(peer.pid)
        try:
            took, size = WAYS[case](context, peer, chunks, loaded)
        except (ServerError, OSError, Failure) as error:
            context.failed(case, peer, error)
            continue
        one = {"seconds": took, "bytes": size}
        if peer.pid:
            one["peak_mib"] = memory(peer.pid)[1]
            one["grown_mib"] = one["peak_mib"] - resident
        found.setdefault(case, {}).setdefault(peer.name, []).append(one)
        context.say(f"{case:<9}{peer.name:<10}{took:>8.2f} s")
    return [{"what": case, "peers": {
        name: {measured: spread([run[measured] for run in runs]) for measured in runs[0]
               if runs[0][measured] is not None}
        for name, runs in found.get(case, {}).items()}} for case in CASES]


class Failure(Exception):
    pass


def drain(sql):
    def way(_context, peer, _chunks, _loaded):
        with Connection(peer.url("tpch"), timeout=600) as connection:
            start = time.perf_counter()
            size, _ = connection.drain(sql)
            return time.perf_counter() - start, size
    return way


def copy_in(context, peer, chunks, loaded):
    psql(context.postgres.url("bench"), "truncate lineitem_copy", check=True)
    with Connection(peer.url("bench"), timeout=600) as connection:
        start = time.perf_counter()
        tag = connection.copy_in("copy lineitem_copy from stdin", chunks)
        took = time.perf_counter() - start
    if tag != f"COPY {loaded}":
        raise Failure(f"{tag} in place of COPY {loaded}")
    return took, sum(map(len, chunks))


def cursor(_context, peer, _chunks, _loaded):
    """psql's way to read what does not fit: DECLARE, FETCH 10000, …"""
    start = time.perf_counter()
    done = subprocess.run(
        ["psql", "-X", "-q", "-A", "-t", "-v", "FETCH_COUNT=10000", "-d", peer.url("tpch"),
         "-c", "select * from lineitem"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, timeout=600)
    if done.returncode != 0 or done.stderr:
        raise Failure(done.stderr.strip().split("\n")[0])
    return time.perf_counter() - start, None


WAYS = {
    "SELECT": drain("select * from lineitem"), "COPY out": drain("copy lineitem to stdout"),
    "COPY in": copy_in, "cursor": cursor,
}


def report(context, result):
    names = context.names
    proxies = [name for name in names if name != "direct"]
    header = ["what", "MB", *(f"{name} s" for name in names),
              *(f"{name} / direct" for name in proxies), *(f"{name} peak MiB" for name in proxies)]
    rows = []
    for case in result:
        peers = case["peers"]
        value = lambda name, measured: peers.get(name, {}).get(measured)
        sizes = {value(name, "bytes")["median"] for name in names if value(name, "bytes")}
        size = " ≠ ".join(f"{size / 1e6:,.1f}" for size in sorted(sizes)) or "–"
        rows.append([case["what"], size, *(show(value(name, "seconds"), 2) for name in names),
                     *(number(ratio(value(name, "seconds"), value("direct", "seconds")))
                       for name in proxies),
                     *(peak(value(name, "peak_mib"), value(name, "grown_mib"))
                       for name in proxies)])
    return markdown(header, rows) + context.notes(CASES) + f"""

SELECT and cursor read all of lineitem, COPY out too; COPY in loads up to
{LOADED:,} of its rows. Peak: the highest resident memory of the proxy during
the run, and in brackets by how much it grew in it; the aim is {LIMIT_MIB} MiB."""


def peak(highest, grown):
    if not highest:
        return "–"
    return f"{highest['max']:,.0f} ({grown['max']:+,.0f})"
