"""How soon the source is free again: from a cancel request, and from a client's
death, to a backend that pg_stat_activity no longer shows at work."""

import time

from lib.measure import markdown, percentile
from lib.programs import psql
from lib.wire import Connection, ServerError

TITLE = "Cancel and lost clients"
CASES = ["cancel", "lost client"]
# What is not seen to end after that is ended from outside, and counted.
PATIENCE = 3.0
# A peer that never notices a lost client need not show it 200 times.
ENOUGH_MISSES = 3
AT_WORK = """select count(*) from pg_stat_activity
             where datname = 'bench' and state = 'active' and wait_event = 'PgSleep'"""
END_ALL = """select pg_terminate_backend(pid, 1000) from pg_stat_activity
             where datname = 'bench' and state = 'active' and wait_event = 'PgSleep'"""


def prepare(postgres):
    psql(postgres.url("bench"),
         "create or replace view sleeper as select 1 as one from pg_sleep(600)", check=True)


def run(context):
    found = {case: {} for case in CASES}
    with Connection(context.postgres.url("bench")) as admin:
        for turn in range(context.arguments.tries):
            for case in CASES:
                for index in range(len(context.peers)):
                    peer = context.peers[(index + turn) % len(context.peers)]
                    seen = found[case].setdefault(peer.name, {"seconds": [], "missed": 0})
                    if seen["missed"] >= ENOUGH_MISSES or (case, peer.name) in context.failures:
                        continue
                    try:
                        took = once(admin, peer, case)
                    except (ServerError, OSError, Failure) as error:
                        context.failed(case, peer, error)
                        continue
                    if took is None:
                        seen["missed"] += 1
                        context.say(f"{case} {peer.name}: still at work after {PATIENCE:g} s")
                    else:
                        seen["seconds"].append(took)
    return [{"what": case, "peers": found[case]} for case in CASES]


class Failure(Exception):
    pass


def once(admin, peer, case):
    """Seconds, or none if the backend was at work still."""
    connection = Connection(peer.url("bench"), timeout=30)
    try:
        connection.send((b"Q", b"select one from sleeper\0"))
        if not until(admin, 1, 10):
            raise Failure("the query did not begin on the source")
        start = time.perf_counter()
        if case == "cancel":
            connection.cancel()
        else:
            connection.kill()
        if not until(admin, 0, PATIENCE):
            admin.run(END_ALL)
            return None
        took = time.perf_counter() - start
        if case == "cancel":
            code = (connection.results()[-1].error or {}).get("C")
            if code != "57014":
                raise Failure(f"the client was told {code} in place of 57014")
        return took
    finally:
        admin.run(END_ALL)
        connection.kill()


def until(admin, count, seconds):
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        if int(admin.run(AT_WORK).rows[0][0]) == count:
            return True
        time.sleep(0.0005)
    return False


def report(context, result):
    rows = []
    for case in result:
        for name in context.names:
            seen = case["peers"].get(name, {"seconds": [], "missed": 0})
            times = sorted(seconds * 1000 for seconds in seen["seconds"])
            numbers = [f"{value:,.1f}" for value in (
                percentile(times, 50), percentile(times, 99), times[-1])] if times else ["–"] * 3
            rows.append([case["what"], name, len(times), *numbers, seen["missed"]])
    header = ["what", "peer", "ended", "p50 ms", "p99 ms", "max ms", f"not in {PATIENCE:g} s"]
    return markdown(header, rows) + context.notes(CASES) + """

From the request, or from the client's closed socket, to pg_stat_activity
showing no backend at work. The aim is a p99 under 200 ms for cancel. Postgres
alone looks for a lost client only while it sends
(client_connection_check_interval is 0)."""
