"""TPC-H with customer, orders, supplier, nation and region in Postgres and the
other tables as Parquet files: for Narrows as two sources, for DuckDB as views."""

import contextlib
import subprocess

from .data import TPCH
from .duck import Duck
from .servers import Narrows
from .wire import Connection

OPERATIONAL = ["region", "nation", "supplier", "customer", "orders"]
# Below the folder that `narrows demo-data` fills; the same files for both.
FILES = {"lineitem": "lake/lineitem", "part": "ice/part/data", "partsupp": "files/partsupp"}
THREADS = 2


class Hybrid:
    """Both of them, started. A context manager."""

    def __init__(self, context, more=()):
        self.context = context
        self.lake = context.data / "lake"
        self.more = dict(more)
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        arguments, url = self.context.arguments, self.context.postgres.url(TPCH)
        subprocess.run([self.context.binary, "demo-data", "--scale", str(arguments.scale),
                        "--data", self.lake], check=True)
        folder = self.context.folder / "hybrid"
        folder.mkdir(exist_ok=True)
        with self.stack:
            server = Narrows(self.context.binary, folder, self.catalog(url, arguments.pool))
            self.narrows = self.stack.enter_context(server)
            self.duck = self.stack.enter_context(Duck(url, THREADS))
            for name in OPERATIONAL:
                self.duck.run(f"create view {name} as from pg.{name}")
            for name, files in self.files():
                self.duck.run(f"create view {name} as from read_parquet('{files}')")
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def files(self):
        for name, folder in FILES.items():
            yield name, f"{self.lake / folder}/*.parquet"
        yield from self.more.items()

    def catalog(self, url, pool):
        tables = ", ".join(f'"{name}"' for name in OPERATIONAL)
        files = "".join(f'{name} = "{files}"\n' for name, files in self.files())
        return f"""\
[sources.shop]
kind = "postgres"
url = "{url}"
max_connections = {pool}
tables = [{tables}]

[sources.files]
kind = "files"

[sources.files.tables]
{files}"""

    def connect(self):
        connection = Connection(self.narrows.url("narrows"), timeout=600)
        connection.run("set search_path = shop, files")
        return connection
