"""Runs in the environment that has the engines.

    lakehouse_worker.py make FOLDER                     Delta and Iceberg tables over its files
    lakehouse_worker.py duckdb|datafusion FOLDER N      a statement a line as JSON, and its
                                                        seconds with its rows, as JSON too
"""

import json
import pathlib
import sys
import time


def make(folder):
    import deltalake
    import pyarrow.parquet
    from pyiceberg.catalog.sql import SqlCatalog

    for table in sorted((folder / "delta").iterdir()):
        deltalake.convert_to_deltalake(str(table))
    warehouse = folder / "iceberg"
    catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/iceberg.db",
                         warehouse=f"file://{warehouse}")
    catalog.create_namespace("tpch")
    places = {}
    for table in sorted(path for path in warehouse.iterdir() if path.is_dir()):
        files = sorted(str(file) for file in table.glob("*.parquet"))
        schema = pyarrow.parquet.read_schema(files[0])
        made = catalog.create_table(f"tpch.{table.name}", schema=schema, location=f"file://{table}")
        made.add_files(files)
        places[table.name] = made.metadata_location.removeprefix("file://")
    (folder / "iceberg.json").write_text(json.dumps(places))


def duckdb_engine(folder, threads):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {threads}")
    for table in folder.iterdir():
        connection.execute(f"create view {table.name} as from read_parquet('{table}/*.parquet')")

    def run(sql):
        answer = connection.execute(sql)
        return answer.fetchall() if answer.description else []
    return run


def datafusion_engine(folder, threads):
    from datafusion import SessionConfig, SessionContext

    context = SessionContext(SessionConfig().with_target_partitions(threads))
    for table in folder.iterdir():
        context.register_parquet(table.name, str(table))

    def run(sql):
        rows = []
        for batch in context.sql(sql).collect():
            rows.extend(zip(*(column.to_pylist() for column in batch.columns)))
        return rows
    return run


def serve(run):
    for line in sys.stdin:
        start = time.perf_counter()
        try:
            rows = run(json.loads(line))
            told = {"seconds": time.perf_counter() - start,
                    "rows": [[None if cell is None else str(cell) for cell in row] for row in rows]}
        except Exception as error:
            told = {"error": str(error).split("\n")[0]}
        print(json.dumps(told), flush=True)


if sys.argv[1] == "make":
    make(pathlib.Path(sys.argv[2]))
else:
    engine = {"duckdb": duckdb_engine, "datafusion": datafusion_engine}[sys.argv[1]]
    serve(engine(pathlib.Path(sys.argv[2]), int(sys.argv[3])))
