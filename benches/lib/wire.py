"""A small client of the Postgres protocol (version 3.0): every byte of a result
as it came, and a way to read one without looking at its rows. Drivers decode,
prepare and retry by themselves, which is what must not happen here. Trust
authentication only."""

import re
import socket
import struct
import time
import urllib.parse

END = re.compile(rb"C....([A-Z][A-Z0-9 ]*)\x00Z\x00\x00\x00\x05[ITE]$", re.DOTALL)
BUFFER = 1 << 18


class ServerError(Exception):
    """An ErrorResponse: its fields by their letters."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.code = fields.get("C")


class Result:
    """One statement's: columns as (name, type OID, modifier, format), rows of bytes."""

    def __init__(self):
        self.columns = None
        self.rows = []
        self.tag = None
        self.error = None
        self.copied = None

    def shape(self):
        return None if self.columns is None else [column[1] for column in self.columns]


class Connection:
    def __init__(self, url, timeout=60.0, **settings):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.socket = socket.create_connection(self.address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb", BUFFER)
        self.parameters = {}
        self.notices = []
        self.status = None
        names = {"user": parts.username, "database": parts.path.lstrip("/"), **settings}
        body = b"".join(f"{name}\0{value}\0".encode() for name, value in names.items()) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(body) + 8, 196608) + body)
        self.log_in()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def log_in(self):
        for kind, body in self.messages():
            if kind == b"R" and body[:4] != b"\0\0\0\0":
                raise ServerError({"C": "28000", "M": "only trust authentication is known here"})
            if kind == b"K":
                self.key = body
            if kind == b"E":
                raise ServerError(fields(body))

    # --- messages -----------------------------------------------------------

    def send(self, *messages):
        self.socket.sendall(b"".join(
            kind + struct.pack("!i", len(body) + 4) + body for kind, body in messages))

    def message(self):
        """One message: its kind and its body; what comes unasked is kept aside."""
        while True:
            head = self.input.read(5)
            if len(head) < 5:
                raise ConnectionError("the server closed the connection")
            body = self.input.read(struct.unpack("!i", head[1:])[0] - 4)
            kind = head[:1]
            if kind == b"N":
                self.notices.append(fields(body))
            elif kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind != b"A":
                return kind, body

    def messages(self):
        """Up to and with ReadyForQuery."""
        while True:
            kind, body = self.message()
            yield kind, body
            if kind == b"Z":
                self.status = body.decode()
                return

    # --- queries ------------------------------------------------------------

    def query(self, sql, copied_in=None):
        """Simple protocol: a list of results, an error being the last one's."""
        self.send((b"Q", sql.encode() + b"\0"))
        return self.results(copied_in)

    def execute(self, sql, parameters=(), types=(), formats=(), result_format=0):
        """Extended protocol, unnamed statement: one result, with its parameters' types."""
        parse = b"\0" + sql.encode() + b"\0" + struct.pack(f"!h{len(types)}i", len(types), *types)
        bind = b"\0\0" + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
        bind += struct.pack("!h", len(parameters))
        for value in parameters:
            bind += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
        bind += struct.pack("!hh", 1, result_format)
        self.send((b"P", parse), (b"D", b"S\0"), (b"B", bind), (b"D", b"P\0"),
                  (b"E", b"\0" + struct.pack("!i", 0)), (b"S", b""))
        return self.results()[0]

    def results(self, copied_in=None):
        results = [Result()]
        for kind, body in self.messages():
            current = results[-1]
            if kind == b"T":
                current.columns = columns(body)
            elif kind == b"t":
                current.parameters = body
            elif kind == b"D":
                current.rows.append(row(body))
            elif kind == b"C":
                current.tag = body[:-1].decode()
                results.append(Result())
            elif kind == b"I":
                current.tag = ""
                results.append(Result())
            elif kind == b"E":
                current.error = fields(body)
                results.append(Result())
            elif kind == b"H":
                current.copied = []
            elif kind == b"d":
                current.copied.append(body)
            elif kind == b"G" and copied_in is None:
                self.send((b"f", b"no rows are offered\0"))
            elif kind == b"G":
                self.send((b"d", copied_in), (b"c", b""))
        if len(results) > 1:
            results.pop()
        return results

    def run(self, sql):
        """Simple protocol; an error is raised."""
        results = self.query(sql)
        for result in results:
            if result.error:
                raise ServerError(result.error)
        return results[-1]

    # --- without looking ----------------------------------------------------

    def drain(self, sql):
        """Reads a result to its end as fast as the socket gives it: the number
        of bytes and the tag. The end is known by the last bytes received."""
        self.send((b"Q", sql.encode() + b"\0"))
        return self.drained()

    def drain_binary(self, sql):
        """The same by the extended protocol, all columns in binary."""
        bind = b"\0\0" + struct.pack("!hhhh", 0, 0, 1, 1)
        self.send((b"P", b"\0" + sql.encode() + b"\0\0\0"), (b"B", bind),
                  (b"E", b"\0" + struct.pack("!i", 0)), (b"S", b""))
        return self.drained()

    def drained(self):
        self.first = None
        buffer = memoryview(bytearray(BUFFER))
        total, tail = 0, b""
        while True:
            received = self.socket.recv_into(buffer)
            if received == 0:
                raise ConnectionError("the server closed the connection")
            if self.first is None and b"D" in bytes(buffer[:received]):
                # Seconds of the process's clock: when the first rows came.
                self.first = time.perf_counter()
            total += received
            end = bytes(buffer[max(0, received - 512):received])
            tail = end if received >= 512 else (tail + end)[-512:]
            if total == received and buffer[0] == ord("E"):
                self.refuse(bytes(buffer[:received]))
            if tail[-6:-1] == b"Z\0\0\0\5":
                found = END.search(tail)
                if found:
                    return total, found[1].decode()
                if tail[-1:] in b"ITE" and b"SERROR\0" in tail:
                    raise ServerError(fields(tail[tail.rindex(b"SERROR\0"):-6]))

    def refuse(self, start):
        """The answer begins with an error: whatever comes until ReadyForQuery."""
        while start[-6:-1] != b"Z\0\0\0\5":
            start += self.socket.recv(BUFFER)
        raise ServerError(fields(start[5:]))

    def copy_in(self, sql, chunks):
        """The tag of a COPY FROM STDIN that these bytes were sent to."""
        self.send((b"Q", sql.encode() + b"\0"))
        kind, body = self.message()
        if kind == b"E":
            list(self.messages())
            raise ServerError(fields(body))
        for chunk in chunks:
            self.socket.sendall(b"d" + struct.pack("!i", len(chunk) + 4))
            self.socket.sendall(chunk)
        self.send((b"c", b""))
        return self.finished()

    def finished(self):
        error, tag = None, None
        for kind, body in self.messages():
            if kind == b"E":
                error = error or fields(body)
            elif kind == b"C":
                tag = body[:-1].decode()
        if error:
            raise ServerError(error)
        return tag

    # --- endings ------------------------------------------------------------

    def cancel(self):
        """Asks on a second connection, and waits until that is closed."""
        with socket.create_connection(self.address, 10) as other:
            other.sendall(struct.pack("!ii", 8 + len(self.key), 80877102) + self.key)
            other.recv(1)

    def kill(self):
        """Ends as a client that dies does: no Terminate message."""
        self.input.close()
        self.socket.close()

    def close(self):
        try:
            self.send((b"X", b""))
        except OSError:
            pass
        self.kill()


def fields(body):
    parts = body.rstrip(b"\0").split(b"\0")
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in parts if part}


def columns(body):
    found, at = [], 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        end = body.index(b"\0", at)
        _, _, oid, _, modifier, form = struct.unpack_from("!ihihih", body, end + 1)
        found.append((body[at:end].decode(errors="replace"), oid, modifier, form))
        at = end + 19
    return found


def row(body):
    values, at = [], 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        length = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if length < 0 else body[at:at + length])
        at += max(length, 0)
    return values
