"""The type matrix: every built-in type, and types of one's own, read and given
as parameters in text and binary. What counts is that each byte is the same as
Postgres's, with the same type OIDs and modifiers."""

from lib.measure import markdown
from lib.programs import psql
from lib.wire import Connection, ServerError
from .type_samples import OWN_TYPES, SAMPLES

TITLE = "Types: byte-equal to Postgres"
# What changes how values are written.
SETTINGS = {
    "DateStyle": "German, DMY", "IntervalStyle": "iso_8601", "TimeZone": "Asia/Kolkata",
    "bytea_output": "escape", "extra_float_digits": "0", "xmloption": "document",
}
# pgbouncer leaves what a client sets on whichever connection it had.
SESSIONS = {"direct", "narrows"}


def prepare(postgres):
    """One row per sample: v<n> is the n-th type's column, a<n> that of its arrays."""
    bench = postgres.url("bench")
    psql(bench, "drop table if exists type_samples", *OWN_TYPES, check=True)
    declared = ", ".join(f"{column} {name}" for column, name in columns())
    most = max(len(samples) for _, samples in SAMPLES)
    statements = ["set client_min_messages = warning",
                  f"create table type_samples (id int primary key, {declared})",
                  f"insert into type_samples (id) select generate_series(0, {most})"]
    for index, (name, samples) in enumerate(SAMPLES):
        two = samples[:2]
        arrays = [array([*samples, None]), "'{}'", f"array[{array(two)}, {array(two[::-1])}]"]
        for column, type_name, values in ((f"v{index}", name, list(map(quoted, samples))),
                                          (f"a{index}", f"{name}[]", arrays)):
            statements += [f"update type_samples set {column} = ({value})::{type_name} "
                           f"where id = {at}" for at, value in enumerate(values)]
    psql(bench, *statements, check=True)


def array(values):
    return f"array[{', '.join(map(quoted, values))}]"


def quoted(value):
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


def columns():
    for index, (name, _) in enumerate(SAMPLES):
        yield f"v{index}", name
        yield f"a{index}", f"{name}[]"


def read(column, _):
    return f"select {column} from type_samples order by id"


def as_text(connection, column, name, _values):
    return connection.query(read(column, name))[0]


def extended_text(connection, column, name, _values):
    return connection.execute(read(column, name))


def binary(connection, column, name, _values):
    return connection.execute(read(column, name), result_format=1)


def parameter(form):
    """A cast of a parameter, over a table so that it is a statement of the source."""
    def way(connection, _column, name, values):
        sql = f"select $1::{name} as v from type_samples where id = 0"
        return every(connection, sql, values[form], form)
    return way


def insert(form):
    def way(connection, column, _name, values):
        sql = f"insert into type_samples (id, {column}) values (-1, $1) returning {column}"
        return every(connection, sql, values[form], form)
    return way


def every(connection, sql, values, form):
    """The answers for all values, each in a transaction of its own that is undone."""
    answers = []
    for value in values:
        connection.run("begin")
        answers.append(connection.execute(sql, [value], formats=[form], result_format=form))
        connection.run("rollback")
    return answers


WAYS = {
    "simple, text": as_text, "extended, text": extended_text, "extended, binary": binary,
    "text parameter": parameter(0), "binary parameter": parameter(1),
    "text parameter of INSERT": insert(0), "binary parameter of INSERT": insert(1),
}


# What the engine reads: it writes nothing, and casts as it can.
ENGINE = ["simple, text", "extended, text", "extended, binary"]


def run(context):
    with Connection(context.postgres.url("bench")) as direct:
        direct.run("set timezone = 'UTC'")
        given = {}
        for column, name in columns():
            given[column] = {form: [row[0] for row in direct.execute(
                read(column, name), result_format=form).rows] for form in (0, 1)}
        expected = answers(direct, given)
    with Connection(context.postgres.url("bench")) as direct:
        with_settings = answers(direct, given, SETTINGS)
    result = []
    for peer in context.peers:
        if peer.name == "direct":
            continue
        with Connection(peer.url("bench")) as connection:
            if peer.name in SESSIONS:
                connection.run("set timezone = 'UTC'")
            result += compare(peer.name, expected, answers(connection, given))
        if peer.name in SESSIONS:
            with Connection(peer.url("bench")) as connection:
                result += compare(peer.name, with_settings, answers(connection, given, SETTINGS))
        if peer.name == "narrows":
            result += through_the_engine(peer, given, expected, with_settings)
    return result


def through_the_engine(peer, given, expected, with_settings):
    """As a federated statement reads them: decoded here and written again."""
    result = []
    for settings, reference in ((None, expected), (SETTINGS, with_settings)):
        read = {key: answer for key, answer in reference.items() if settings or key[0] in ENGINE}
        with Connection(peer.url("bench")) as connection:
            connection.run("set timezone = 'UTC'")
            connection.run("set narrows.route = 'engine'")
            result += compare("engine", read, answers(connection, given, settings, ENGINE))
    return result


def answers(connection, given, settings=None, only=tuple(WAYS)):
    """Everything that is compared, by way and type. With settings, text alone."""
    found = {}
    for name, value in (settings or {}).items():
        connection.run(f"set {name} = '{value}'")
    ways = {"simple, text, other settings": as_text} if settings else {
        way: ask for way, ask in WAYS.items() if way in only}
    for way, ask in ways.items():
        for column, name in columns():
            try:
                answer = ask(connection, column, name, given[column])
            except (ServerError, OSError) as error:
                found[way, name] = error
                if connection.status != "I":
                    connection.query("rollback")
                continue
            found[way, name] = [seen(one) for one in
                                (answer if isinstance(answer, list) else [answer])]
    return found


def seen(result):
    """What of a result has to be the same."""
    error = result.error and (result.error.get("C"), result.error.get("M"))
    return (getattr(result, "parameters", None), result.columns, result.rows, result.tag, error)


def compare(peer, expected, found):
    result = {}
    for (way, name), answer in expected.items():
        one = result.setdefault(way, {"way": way, "peer": peer, "types": 0, "differing": []})
        one["types"] += 1
        if found[way, name] != answer:
            one["differing"].append({"type": name, "why": difference(answer, found[way, name])})
    return list(result.values())


def difference(expected, found):
    """The first that is not the same."""
    if not isinstance(found, list) or not isinstance(expected, list):
        return f"{shorten(expected)} | {shorten(found)}"
    for one, other in zip(expected, found):
        for what, left, right in zip(("parameters", "columns", "rows", "tag", "error"), one, other):
            if left != right:
                return f"{what}: {shorten(left)} | {shorten(right)}"
    return "number of answers"


def shorten(value):
    text = repr(value) if not isinstance(value, Exception) else str(value)
    return text if len(text) <= 300 else text[:300] + "…"


def report(context, result):
    rows = [[one["way"], one["peer"], one["types"] - len(one["differing"]), one["types"],
             ", ".join(item["type"] for item in one["differing"][:6])
             + (", …" if len(one["differing"]) > 6 else "")] for one in result]
    return markdown(["way", "peer", "equal", "types", "differing"], rows) + """

A type and its arrays count as two. Equal: every byte of every value, the
columns' names, type OIDs and modifiers, the parameters' types, the tags and
errors. The JSON file has the first difference of each."""
