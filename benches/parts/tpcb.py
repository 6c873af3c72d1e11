"""pgbench's own TPC-B: writes in transactions of seven statements."""

from lib.programs import psql
from . import point

TITLE = "TPC-B: writes in transactions"
CASES = [(mode, clients) for mode in ("simple", "prepared") for clients in (1, 8, 32)]
MOST_CLIENTS = 32


def run(context):
    admin = context.postgres.url("bench")

    # What pgbench itself does before a run, and what -n leaves out: else each
    # run would leave a more bloated table to the next one.
    def tidy():
        psql(admin, "vacuum pgbench_branches", "vacuum pgbench_tellers",
             "truncate pgbench_history", check=True)
    # A thread each: pgbench prepares with a blocking call, and one that waits
    # for a connection of the pool would hold up the clients of its thread that
    # have one and are in the middle of a transaction.
    return point.measure(context, CASES, ["-b", "tpcb-like"], tidy, threads=MOST_CLIENTS)


def report(context, result):
    return point.table(context, result, CASES) + """

tps: transactions, each of seven statements. CPU: µs of the proxy a transaction."""
