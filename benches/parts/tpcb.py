"""pgbench's own TPC-B: writes in transactions of seven statements."""

from lib.programs import psql
from . import point

TITLE = "TPC-B: writes in transactions"
CASES = [(mode, clients) for mode in ("simple", "prepared") for clients in (1, 8, 32)]


def run(context):
    admin = context.postgres.url("bench")

    # What pgbench itself does before a run, and what -n leaves out: else each
    # run would leave a more bloated table to the next one.
    def tidy():
        psql(admin, "vacuum pgbench_branches", "vacuum pgbench_tellers",
             "truncate pgbench_history", check=True)
    return point.measure(context, CASES, lambda peer: ["-b", "tpcb-like"], tidy)


def report(context, result):
    return point.table(context, result, CASES) + """

tps: transactions, each of seven statements. CPU: µs of the proxy a transaction."""
