"""Two answers to one statement: are they the same, and if not, in what way."""

import re

LITERAL = re.compile(r"\"[^\"]*\"|'[^']*'|\d+")


def asked(connection, piece):
    """The statement's answer in a transaction that is undone, and whether it
    read a table of the database's own, where that can be seen."""
    connection.run("begin")
    try:
        data = piece.data.encode() if piece.data is not None else None
        results = connection.query(piece.sql, data)
        touched = None
        if connection.status == "T" and connection.watch:
            touched = connection.run(LOCKED).rows[0][0] != b"0"
    finally:
        if connection.status != "I":
            connection.query("rollback")
    return results[-1], touched


# A statement locks what it reads and writes until the transaction ends.
LOCKED = """select count(*) from pg_catalog.pg_locks l
    join pg_catalog.pg_class c on c.oid = l.relation
    join pg_catalog.pg_database d on d.oid = l.database and d.datname = current_database()
    where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation'
    and c.relnamespace::regnamespace::text !~ '^(pg_catalog|pg_toast|information_schema)'"""


def code(result):
    return result.error.get("C") if result.error else None


def same(one, other):
    return difference(one, other) is None


def difference(expected, found):
    """What is compared: rows, names and types of columns, tags, SQLSTATEs. None,
    or the class that the difference falls in."""
    if code(expected) != code(found):
        if found.error:
            return refusal(expected, found)
        return f"no error in place of {code(expected)}"
    if expected.error:
        return None
    if shape(expected, 0) != shape(found, 0):
        return "names of columns"
    if shape(expected, 1) != shape(found, 1):
        return "type OIDs"
    if shape(expected, 2) != shape(found, 2):
        return "type modifiers"
    if expected.tag != found.tag:
        return "tag"
    if expected.copied != found.copied:
        return "copied rows"
    if expected.rows == found.rows:
        return None
    if sorted(map(repr, expected.rows)) == sorted(map(repr, found.rows)):
        return "order of rows"
    return "rows"


def shape(result, part):
    return None if result.columns is None else [column[part] for column in result.columns]


def refusal(expected, found):
    message = LITERAL.sub("…", found.error.get("M", "").split("\n")[0])
    wanted = code(expected)
    return f"{code(found)} {message[:90]}" + (f" (in place of {wanted})" if wanted else "")


def same_words(expected, found):
    """Of two errors: the message and the position as well."""
    return all(expected.error.get(field) == found.error.get(field) for field in "MP")
