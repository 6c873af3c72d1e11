"""SQL files as psql reads them, in pieces: statements, backslash commands, and
the data after COPY FROM STDIN. The pieces in a row are the file again.

Where a statement ends follows psql's lexer (psqlscan.l): not in quotes,
parentheses, or the BEGIN ATOMIC … END of a function's body."""

import re

# Backslash commands that send what has been typed before them.
SENDING = re.compile(r"\\(g|gx|gset|gexec|gdesc|crosstabview|bind)\b")
TOKEN = re.compile(r"""
    (?P<comment>--[^\n]*|/\*)
  | (?P<space>\s+)
  | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)
  | (?P<escape>[eE]')
  | (?P<quote>'|")
  | (?P<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
  | (?P<number>\d[\w.]*)
  | (?P<semicolon>;)
  | (?P<open>[(])
  | (?P<close>[)])
  | (?P<meta>\\[^\n]*)
  | (?P<other>.)
""", re.VERBOSE)
FROM_STDIN = re.compile(r"^\\?copy\b.*\bfrom\s+(stdin|pstdin)\b", re.IGNORECASE | re.DOTALL)
# :name and :'name', but not a cast, an array's slice or an operator.
VARIABLE = re.compile(r"""(?<![:\w\]\[])(?::['"]\w+['"]|:[A-Za-z_]\w*)""")
STRINGS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$""", re.DOTALL)
COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class Piece:
    """`kind`: statement, meta or rest. `sql` has no comments before it, nor the end."""

    def __init__(self, kind, raw, sql, line, sent=";"):
        self.kind = kind
        self.raw = raw
        self.sql = sql
        self.line = line
        self.sent = sent
        self.data = None

    @property
    def words(self):
        """The first of them, in lower case."""
        return re.findall(r"\w+", COMMENTS.sub(" ", self.sql[:300]).lower())[:8]

    @property
    def plain(self):
        """Sent by a semicolon as it stands: psql would replace nothing in it."""
        return self.sent == ";" and "\\;" not in self.sql and not has_variable(self.sql)


def has_variable(sql):
    # In quotes psql replaces nothing; a variable's own quotes are behind its colon.
    bare = STRINGS.sub(lambda found: found[0] if sql[found.start() - 1:found.start()] == ":"
                       else "''", COMMENTS.sub(" ", sql))
    return bool(VARIABLE.search(bare))


def names(sql):
    """Every word outside of comments and literals, as Postgres folds it."""
    bare = STRINGS.sub(lambda found: found[0] if found[0][0] == '"' else " ",
                       COMMENTS.sub(" ", sql))
    return set(re.findall(r"\w+", bare.lower()))


def split(text):
    scanner = Scanner(text)
    pieces = []
    while scanner.at < len(text):
        pieces.append(scanner.piece())
    return pieces


class Scanner:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def piece(self):
        start, first = self.at, None
        depth = bodies = 0
        words = []
        while self.at < len(self.text):
            found = TOKEN.match(self.text, self.at)
            kind, begin = found.lastgroup, self.at
            self.at = found.end()
            if kind == "comment":
                if found[0] == "/*":
                    self.skip_comment()
                continue
            if kind == "space":
                continue
            if kind == "meta" and found[0].startswith("\\;"):
                self.at = begin + 2
                continue
            if kind == "meta":
                if first is None:
                    return self.finish("meta", start, begin, self.at, "")
                if SENDING.match(found[0]):
                    return self.finish("statement", start, first, begin, found[0])
                continue
            if first is None:
                first = begin
            if kind in ("quote", "escape"):
                self.skip_quoted(found[0][-1], kind == "escape")
            elif kind == "dollar":
                end = self.text.find(found[0], self.at)
                self.at = len(self.text) if end < 0 else end + len(found[0])
            elif kind == "open":
                depth += 1
            elif kind == "close":
                depth = max(0, depth - 1)
            elif kind == "word" and depth == 0:
                word = found[0].lower()
                words = [*words, word][:5]
                bodies += nesting(word, words, bodies)
            elif kind == "semicolon" and depth == 0 and bodies == 0:
                return self.finish("statement", start, first, begin, ";")
        return self.finish("rest", start, first or start, self.at, "")

    def finish(self, kind, start, first, end, sent):
        sql = self.text[first:end].rstrip()
        line = self.text.count("\n", 0, first) + 1
        data = None
        if kind != "rest" and FROM_STDIN.match(sql):
            newline = self.text.find("\n", self.at) + 1
            last = re.compile(r"^\\\.\r?$", re.MULTILINE).search(self.text, newline)
            if newline and last:
                data = self.text[newline:last.start()]
                self.at = min(len(self.text), last.end() + 1)
        piece = Piece(kind, self.text[start:self.at], sql, line, sent)
        piece.data = data
        return piece

    def skip_comment(self):
        nested = 1
        for found in re.compile(r"/\*|\*/").finditer(self.text, self.at):
            nested += 1 if found[0] == "/*" else -1
            if nested == 0:
                self.at = found.end()
                return
        self.at = len(self.text)

    def skip_quoted(self, quote, escapes):
        while self.at < len(self.text):
            if escapes and self.text[self.at] == "\\":
                self.at += 2
            elif self.text[self.at] != quote:
                self.at += 1
            elif self.text[self.at + 1:self.at + 2] == quote:
                self.at += 2
            else:
                self.at += 1
                return


def nesting(word, words, bodies):
    """By how much a word opens or closes the body of a function."""
    kinds = ("function", "procedure")
    creates = words[:1] == ["create"] and (
        words[1:2] and words[1] in kinds
        or words[1:3] == ["or", "replace"] and words[3:4] and words[3] in kinds)
    if not creates:
        return 0
    if word == "begin" or word == "case" and bodies:
        return 1
    return -1 if word == "end" and bodies else 0
