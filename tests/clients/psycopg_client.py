"""The queries through psycopg: text and binary results, repeated until psycopg
prepares them by name, and through a server-side cursor.

    psycopg_client.py queries.txt      (the server: PGHOST and the like)
"""

import sys
from datetime import date, datetime, timezone
from decimal import Decimal
from uuid import UUID

import psycopg

TYPES = {
    "int4": int,
    "int8": int,
    "numeric": Decimal,
    "float8": float,
    "text": str,
    "bool": lambda text: text == "t",
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": lambda text: datetime.fromisoformat(text + ":00"),
    "uuid": UUID,
    "bytea": lambda text: bytes.fromhex(text[2:]),
    "int4[]": lambda text: [int(element) for element in text[1:-1].split(",")],
}


def queries(path):
    found = []
    for line in open(path, encoding="utf-8"):
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "query":
            found.append({"name": rest, "sql": "", "params": [], "rows": []})
        elif word == "sql":
            found[-1]["sql"] = rest
        elif word == "param":
            kind, _, value = rest.partition(" ")
            found[-1]["params"].append(None if value == "\\N" else TYPES[kind](value))
        elif word == "row":
            found[-1]["rows"].append(rest)
    return found


def text(value):
    """A Python value as Postgres writes it."""
    match value:
        case None:
            return "\\N"
        case bool():
            return "t" if value else "f"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case bytes():
            return "\\x" + value.hex()
        case datetime():
            seconds = value.replace(tzinfo=None).isoformat(" ")
            if value.microsecond:
                seconds = seconds.rstrip("0")
            if value.tzinfo is None:
                return seconds
            assert value.utcoffset() == timezone.utc.utcoffset(None), value
            return seconds + "+00"
        case list():
            return "{" + ",".join(map(element, value)) + "}"
        case _:
            return str(value)


def element(value):
    if value is None:
        return "NULL"
    if value == "" or any(c in ' ,"\\{}' for c in value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text(value)


def main(path):
    wrong = 0
    with psycopg.connect(options="-c TimeZone=UTC") as connection:

        def check(query, way, rows):
            nonlocal wrong
            found = ["\t".join(map(text, row)) for row in rows]
            if found != query["rows"]:
                wrong += 1
                print(f"{query['name']}, {way}:\n  expected {query['rows']}\n  found    {found}")

        all_queries = queries(path)
        for query in all_queries:
            for binary in [False, True]:
                way = "binary" if binary else "text"
                for turn in range(7):
                    with psycopg.RawCursor(connection) as cursor:
                        cursor.execute(query["sql"], query["params"], binary=binary)
                        check(query, f"{way}, execution {turn + 1}", cursor)
                with psycopg.RawServerCursor(connection, "narrow") as cursor:
                    cursor.itersize = 2
                    cursor.execute(query["sql"], query["params"], binary=binary)
                    check(query, f"{way}, server-side cursor", cursor)
            connection.commit()
    print(f"{len(all_queries)} queries")
    sys.exit(wrong > 0)


main(sys.argv[1])
