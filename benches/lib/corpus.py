"""Postgres's regression tests: where they are, and what of a file makes the
database that its statements can be asked in. Nothing of them is kept here."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from . import peers
from .statements import split

INSIDE = "src/test/regress"
# What other files lean on; see the comments of parallel_schedule.
BASE = ["test_setup", "create_index", "create_misc", "create_type", "create_aggregate",
        "point", "lseg", "line", "box", "path", "polygon", "circle", "date", "time", "timetz",
        "timestamp", "timestamptz", "interval", "rangetypes", "create_view"]
# As pg_regress sets them for its clients.
SETTINGS = {"TimeZone": "PST8PDT", "DateStyle": "Postgres, MDY",
            "IntervalStyle": "postgres_verbose"}
KINDS = (r"table|view|materialized\s+view|foreign\s+table|sequence|schema|type|domain|function|"
         r"procedure|routine|aggregate|operator|index|collation|statistics")
CREATE = re.compile(rf"^create\s+(?:or\s+replace\s+)?(?:(?:global|local)\s+)?"
                    rf"(?:temp\w*\s+|unlogged\s+|unique\s+|recursive\s+)*(?:{KINDS})\s+"
                    rf"(?:if\s+not\s+exists\s+)?([\w.\"]+)", re.IGNORECASE)
DROP = re.compile(rf"^drop\s+(?:{KINDS})\s+(?:if\s+exists\s+)?(.*)", re.IGNORECASE | re.DOTALL)
TEMPORARY = re.compile(r"^(create\s+(?:or\s+replace\s+)?)(?:(?:global|local)\s+)?temp(?:orary)?\s+",
                       re.IGNORECASE)
EMPTYING = re.compile(r"^(truncate\b.*|delete\s+from\s+(only\s+)?[\w.]+\s*)$",
                      re.IGNORECASE | re.DOTALL)
ROLLBACK = re.compile(r"^(rollback|abort)(\s+(work|transaction))?$", re.IGNORECASE)
RECONNECT = re.compile(r"\\(c|connect|!|q|quit)\b")


def find(named, major):
    """The folder src/test/regress of the server's own major version."""
    if named:
        return named
    target = peers.cache() / f"postgresql-{major}-source"
    if not target.exists():
        fetch(target, major)
    return target / INSIDE


def fetch(target, major):
    """Debian's source package; of it, the SQL and the data."""
    if not peers.has_apt():
        sys.exit("there is no Debian apt-get to fetch the tests with: --corpus DIR says where "
                 f"src/test/regress of Postgres {major} is")
    release = pathlib.Path("/etc/os-release").read_text()
    suite = re.search(r'^VERSION_CODENAME="?(\w+)', release, re.MULTILINE)[1]
    print(f"fetching the tests of Postgres {major} from Debian {suite}", file=sys.stderr)
    work, apt = peers.private_apt(suite, "deb-src")
    subprocess.run([*apt, "source", "--download-only", f"postgresql-{major}"], check=True,
                   cwd=work, stdout=subprocess.DEVNULL)
    archive = next(work.glob(f"postgresql-{major}_*.orig.tar.*"))
    (work / "source").mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", work / "source", "--strip-components=1",
                    "--wildcards", f"*/{INSIDE}/sql", f"*/{INSIDE}/data",
                    f"*/{INSIDE}/parallel_schedule"], check=True)
    (work / "source").rename(target)
    shutil.rmtree(work)


def schedule(folder):
    """The files in their order, with those that no line names at the end."""
    named = []
    for line in (folder / "parallel_schedule").read_text().splitlines():
        if line.startswith(("test:", "ignore:")):
            named += line.split(":")[1].split()
    there = {path.stem for path in (folder / "sql").glob("*.sql")}
    ordered = list(dict.fromkeys(name for name in named if name in there))
    return ordered + sorted(there - set(ordered))


def read(folder, name):
    return split((folder / f"sql/{name}.sql").read_text(errors="replace"))


def building(pieces):
    """The file as a script that leaves its tables behind, with their rows: what
    is dropped at last, emptied or rolled back stays, and temporary tables are
    made for good, because another session has to see them."""
    created = {}
    for index, piece in enumerate(pieces):
        found = CREATE.match(piece.sql)
        if found:
            created[found[1].lower()] = index
    script = []
    for index, piece in enumerate(pieces):
        raw = piece.raw
        if piece.kind == "meta" and RECONNECT.match(piece.sql):
            continue
        if piece.kind == "statement":
            dropped = DROP.match(piece.sql)
            if dropped:
                names = re.findall(r"[\w.\"]+", dropped[1].lower())
                if all(created.get(name, -1) < index for name in names):
                    continue
            if EMPTYING.match(piece.sql):
                continue
            if ROLLBACK.match(piece.sql):
                raw = "\ncommit;"
            elif TEMPORARY.match(piece.sql):
                raw = raw.replace(piece.sql, TEMPORARY.sub(r"\1", piece.sql))
        script.append(raw)
    return "".join(script)


def run_script(url, script, folder, results):
    """What fails, fails, as in the tests themselves; each statement by itself."""
    environment = {
        **os.environ, "PGTZ": SETTINGS["TimeZone"], "PGDATESTYLE": SETTINGS["DateStyle"],
        "PGOPTIONS": f"-c intervalstyle={SETTINGS['IntervalStyle']} -c statement_timeout=20s",
        "PG_ABS_SRCDIR": str(folder), "PG_ABS_BUILDDIR": str(results),
        "PG_LIBDIR": str(results), "PG_DLSUFFIX": ".so",
    }
    try:
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_ROLLBACK=on", "-d", url], input=script,
                       env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       text=True, errors="replace", timeout=300, cwd=results)
    except subprocess.TimeoutExpired:
        print("  building the database did not end, and goes on without its rest",
              file=sys.stderr)
