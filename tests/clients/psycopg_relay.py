"""Pipelines, cancels, timeouts and COPY of a real driver over relayed statements.

Connects as the PG* variables say; `desk` is a schema of a writable source.
"""

import sys
import threading
import time

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo

LONG = "SELECT count(*) FROM desk.notes a, desk.notes b, desk.notes c, desk.notes d, desk.notes e"
INSERT = "INSERT INTO desk.copied_rows VALUES (%s, 'x')"


def main():
    connection = psycopg.connect(autocommit=True)

    def count():
        return connection.execute("SELECT count(*) FROM desk.copied_rows").fetchone()[0]

    def refused(*statements):
        try:
            with connection.pipeline():
                for statement, *parameters in statements:
                    connection.execute(statement, parameters or None)
        except psycopg.Error as error:
            return error.sqlstate
        return None

    def stopped():
        start = time.monotonic()
        try:
            connection.execute(LONG)
        except psycopg.Error as error:
            assert time.monotonic() - start < 2, "it came late"
            return error.sqlstate
        return None

    connection.execute("DROP TABLE IF EXISTS desk.copied_rows")
    connection.execute("CREATE TABLE desk.copied_rows (id int PRIMARY KEY, text text)")

    # what a batch wrote is undone, whether it fails at the source or here
    assert refused((INSERT, 1), ("SELECT nope FROM pg_class",)) == "42703"
    assert count() == 0
    assert refused((INSERT, 1), (INSERT, 1)) == "23505"
    assert count() == 0
    with connection.pipeline():
        connection.execute(INSERT, (1,))
        here = connection.execute("SELECT 1 + 1")
        there = connection.execute("SELECT text FROM desk.copied_rows WHERE id = %s", (1,))
    assert here.fetchone() == (2,) and there.fetchone() == ("x",)

    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    assert stopped() == "57014"
    timer.join()
    connection.execute("SET statement_timeout = '200ms'")
    assert stopped() == "57014"
    connection.execute("RESET statement_timeout")

    with connection.cursor().copy("COPY desk.copied_rows FROM STDIN") as copy:
        for number in range(2, 102):
            copy.write_row((number, "c"))
    assert count() == 101
    with connection.cursor().copy("COPY desk.copied_rows TO STDOUT (FORMAT binary)") as copy:
        assert sum(len(piece) for piece in copy) == 19 + 2 + 100 * (2 + 8 + 5) + 15
    try:
        with connection.cursor().copy("COPY desk.copied_rows FROM STDIN") as copy:
            copy.write(b"x\ty\n")
        sys.exit("a broken row was taken")
    except psycopg.Error as error:
        assert error.sqlstate == "22P02", error
    assert count() == 101

    with connection.transaction(), connection.cursor(name="c", binary=True) as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT id, mood, doc FROM desk.notes ORDER BY id")
        assert [row[0] for row in cursor] == list(range(1, 101))
    connection.execute("DROP TABLE desk.copied_rows")

    # a result's columns are found in the catalogs by what it says of them
    result = connection.execute("SELECT id + 1, mood FROM desk.notes LIMIT 1").pgresult
    assert (result.ftable(0), result.ftablecol(0)) == (0, 0)
    found = connection.execute(
        "SELECT relname, attname FROM pg_class c JOIN pg_attribute ON attrelid = c.oid"
        " WHERE c.oid = %s AND attnum = %s", (result.ftable(1), result.ftablecol(1))).fetchall()
    assert found == [("notes", "mood")], found

    # types as the catalogs describe them
    pair = CompositeInfo.fetch(connection, "desk.pair")
    assert list(pair.field_names) == ["a", "b"], pair.field_names
    register_composite(pair, connection)
    value = connection.execute("SELECT (1, 'x')::desk.pair").fetchone()[0]
    assert (value.a, value.b) == (1, "x"), value
    given = connection.execute("SELECT %s::desk.pair", (pair.python_type(2, "y"),)).fetchone()[0]
    assert (given.a, given.b) == (2, "y"), given
    assert list(EnumInfo.fetch(connection, "desk.mood").labels) == ["sad", "ok", "happy"]
    assert TypeInfo.fetch(connection, "desk.score").array_oid
    assert CompositeInfo.fetch(connection, "desk.nosuch") is None
    print("relayed")


main()
