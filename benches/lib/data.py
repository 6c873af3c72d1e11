"""What is in the databases: TPC-H made by `narrows demo-data`, and pgbench's
tables. Both are made once; the database remembers that it is complete."""

import argparse
import re
import subprocess
import sys

from .programs import ROOT, psql, scalar

QUERIES = ROOT / "benches/tpch/queries"
# sum * 10^-4 at scale 1, by section 2.4.11.3 of the specification.
FRACTION = "0.0001000000"
PGBENCH_SCALE = 10
# The database with all eight tables.
TPCH = "tpch"


def query(number, scale):
    """The text of one of the 22 queries, and whether its order is total."""
    text = (QUERIES / f"q{number:02}.sql").read_text()
    return text.replace(FRACTION, f"{0.0001 / scale:.10f}"), "-- order: total" in text


def numbers(text):
    """1,3,7-9 as a list."""
    chosen = []
    for item in text.split(","):
        first, _, last = item.partition("-")
        chosen.extend(range(int(first), int(last or first) + 1))
    if not all(1 <= number <= 22 for number in chosen):
        raise argparse.ArgumentTypeError("queries are numbered 1 to 22")
    return chosen


def prepare_tpch(url, scale, narrows):
    """All eight tables. `narrows` gives the binary, and is asked only when it is needed."""
    make(url, f"tpch {scale:g}",
         lambda: subprocess.run([narrows(), "demo-data", "--scale", str(scale), "--postgres", url,
                                 "--all-tables"], check=True))


def prepare_pgbench(url):
    def load():
        print("pgbench: tables", file=sys.stderr)
        subprocess.run(["pgbench", "-i", "-q", "-s", str(PGBENCH_SCALE), url], check=True,
                       stderr=subprocess.DEVNULL)
    make(url, f"pgbench {PGBENCH_SCALE}", load)


def make(url, mark, load):
    remembered = scalar(url, "select obj_description('public'::regnamespace)")
    if remembered != mark:
        load()
        psql(url, f"comment on schema public is '{mark}'", check=True)


def definition(url, table):
    """CREATE TABLE without keys, as a table of another database needs it."""
    columns = scalar(url, f"""
        select string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '
                          order by attnum)
        from pg_attribute where attrelid = '{table}'::regclass and attnum > 0
            and not attisdropped""")
    return re.sub(r'^"|"$', "", columns)
