"""DuckDB with its Postgres extension, in a process of its own that answers one
statement after another. Both are fetched from the Python registry into the cache
and not installed."""

import json
import pathlib
import subprocess
import sys

from .peers import cache

# The newest that the extension is published for.
VERSION = "1.5.5"
PACKAGES = [f"duckdb=={VERSION}", f"duckdb-extension-postgres-scanner=={VERSION}"]
WORKER = pathlib.Path(__file__).with_name("duck_worker.py")


class DuckError(Exception):
    pass


class Duck:
    """A context manager. `threads` are DuckDB's; its Postgres is attached as `pg`."""

    def __init__(self, postgres_url, threads, connections=None):
        self.postgres_url = postgres_url
        self.threads = threads
        self.connections = connections or threads
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen([python(), WORKER], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.run(f"set threads = {self.threads}")
        self.run(f"set pg_connection_limit = {self.connections}")
        self.run(f"attach '{self.postgres_url}' as pg (type postgres, read_only)")
        return self

    def run(self, sql):
        """Seconds, and the rows as lists of text."""
        self.process.stdin.write(json.dumps(sql) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise DuckError("DuckDB's process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise DuckError(answer["error"])
        return answer["seconds"], answer["rows"]

    @property
    def pid(self):
        return self.process.pid

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)


def python():
    folder = cache() / f"duckdb-{VERSION}"
    program = folder / "bin/python"
    if not (folder / ".complete").exists():
        print(f"fetching DuckDB {VERSION} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", *PACKAGES], check=True)
        (folder / ".complete").touch()
    return program
