"""TPC-H's eight tables in Parquet files, and the same files as Delta and as Iceberg
tables; and the engines that read them beside Narrows. What makes and reads them is
fetched from the Python registry into the cache and not installed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import pathlib

from .data import TPCH
from .duck import Duck
from .hybrid import FILES, OPERATIONAL, THREADS
from .peers import cache
from .servers import Narrows
from .wire import Connection

PACKAGES = ["duckdb==2.0.0", "datafusion==55.0.0", "deltalake==1.6.6",
            "pyiceberg[pyarrow,sql-sqlite]==0.12.0"]
WORKER = pathlib.Path(__file__).with_name("lakehouse_worker.py")
FORMATS = ["parquet", "delta", "iceberg"]
ENGINES = ["datafusion", "duckdb"]
COMPLETE = ".complete"


class EngineError(Exception):
    pass


class Engine:
    """One of ENGINES over the Parquet files, in a process of its own."""

    def __init__(self, name, folder):
        self.process = subprocess.Popen([python(), WORKER, name, folder, str(THREADS)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, sql):
        """Seconds, and the rows as lists of text."""
        self.process.stdin.write(json.dumps(sql) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise EngineError("the engine's process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise EngineError(answer["error"])
        return answer["seconds"], answer["rows"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)


class Lakehouse:
    """All of them, started. A context manager."""

    def __init__(self, context):
        self.context = context
        self.folder = context.data / "lakehouse"
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.make()
        folder = self.context.folder / "lakehouse"
        folder.mkdir(exist_ok=True)
        with self.stack:
            server = Narrows(self.context.binary, folder, self.catalog())
            self.narrows = self.stack.enter_context(server)
            self.engines = {name: self.stack.enter_context(Engine(name, self.folder / "parquet"))
                            for name in ENGINES}
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def make(self):
        """Once: the three formats are made of the same files, by hard links."""
        if (self.folder / COMPLETE).exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        arguments, lake = self.context.arguments, self.context.data / "lake"
        subprocess.run([self.context.binary, "demo-data", "--scale", str(arguments.scale),
                        "--data", lake], check=True)
        for name, source in FILES.items():
            target = self.folder / "parquet" / name
            target.mkdir(parents=True)
            for file in (lake / source).glob("*.parquet"):
                os.link(file, target / file.name)
        with Duck(self.context.postgres.url(TPCH), THREADS) as duck:
            for name in OPERATIONAL:
                target = self.folder / "parquet" / name
                target.mkdir(parents=True)
                duck.run(f"copy (from pg.{name}) to '{target}/part-0.parquet' "
                         "(format parquet, compression snappy)")
        for layout in FORMATS[1:]:
            shutil.copytree(self.folder / "parquet", self.folder / layout, copy_function=os.link)
        subprocess.run([python(), WORKER, "make", self.folder], check=True)
        (self.folder / COMPLETE).touch()

    def catalog(self):
        sections = ""
        for layout in FORMATS:
            kind = "files" if layout == "parquet" else layout
            sections += f'[sources.{layout}]\nkind = "{kind}"\n[sources.{layout}.tables]\n'
            for name in [*FILES, *OPERATIONAL]:
                table = self.folder / layout / name
                if layout == "iceberg":
                    table = json.loads((self.folder / "iceberg.json").read_text())[name]
                elif layout == "parquet":
                    table = f"{table}/*.parquet"
                sections += f'{name} = "{table}"\n'
        return sections

    def connect(self, layout):
        connection = Connection(self.narrows.url("narrows"), timeout=600)
        connection.run(f"set search_path = {layout}")
        return connection


def python():
    folder = cache() / "lakehouse"
    program = folder / "bin/python"
    if not (folder / COMPLETE).exists():
        print(f"fetching {', '.join(PACKAGES)} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", *PACKAGES], check=True)
        (folder / COMPLETE).touch()
    return program
