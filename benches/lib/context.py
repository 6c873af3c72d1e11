"""What a part of the benchmark is given: the peers, and rounds that interleave
them."""

import sys


class Peer:
    """Somewhere to connect to. `pid` is the proxy's process, none for Postgres itself."""

    def __init__(self, name, server, database=None):
        self.name = name
        self.server = server
        self.database = database
        self.pid = server.pid if name != "direct" else None

    def url(self, database):
        return self.server.url(self.database or database)


class Context:
    def __init__(self, arguments, postgres, peers, folder, data, binary):
        self.arguments = arguments
        self.postgres = postgres
        self.peers = peers
        self.folder = folder
        self.data = data
        self.binary = binary
        self.failures = {}

    @property
    def names(self):
        return [peer.name for peer in self.peers]

    def interleaved(self, cases):
        """Every case on every peer, round after round: what disturbs the machine
        for a while disturbs them alike. Each round begins with another peer. A
        case that failed on a peer is not tried there again."""
        for turn in range(self.arguments.rounds):
            for case in cases:
                for index in range(len(self.peers)):
                    peer = self.peers[(index + turn) % len(self.peers)]
                    if (case, peer.name) not in self.failures:
                        yield case, peer

    def failed(self, case, peer, error):
        self.failures[case, peer.name] = str(error)
        self.say(f"{peer.name}: {describe(case)}: {error}")

    def notes(self, cases):
        """The failures among these cases, for under a table."""
        found = [(case, name, error) for (case, name), error in self.failures.items()
                 if case in cases]
        by_error = {}
        for case, name, error in found:
            by_error.setdefault((name, error), []).append(describe(case))
        return "".join(f"\n- {name} failed at {'; '.join(which)}: {error}"
                       for (name, error), which in by_error.items())

    @staticmethod
    def say(text):
        print(text, file=sys.stderr, flush=True)


def describe(case):
    return " ".join(str(item) for item in case) if isinstance(case, tuple) else str(case)
