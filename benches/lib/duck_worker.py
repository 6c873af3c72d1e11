"""Runs in the environment that has DuckDB: a statement a line as JSON, and its
seconds with its rows, as JSON too."""

import json
import pathlib
import sys
import time

import duckdb
import duckdb_extension_postgres_scanner


def main():
    connection = duckdb.connect()
    folder = pathlib.Path(duckdb_extension_postgres_scanner.__file__).parent
    [extension] = folder.rglob("*.duckdb_extension")
    connection.execute(f"load '{extension}'")
    for line in sys.stdin:
        start = time.perf_counter()
        try:
            answer = connection.execute(json.loads(line))
            rows = answer.fetchall() if answer.description else []
            seconds = time.perf_counter() - start
            told = {"seconds": seconds,
                    "rows": [[None if cell is None else str(cell) for cell in row] for row in rows]}
        except duckdb.Error as error:
            told = {"error": str(error).split("\n")[0]}
        print(json.dumps(told), flush=True)


main()
