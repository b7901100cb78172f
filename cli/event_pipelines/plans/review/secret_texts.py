"""Finds sensitive values in a text, in any common encoding.

Every string in a sensitive value is registered once: as it is and trimmed, its lines, the leaves
and keys of JSON in it, and its decoded forms. A text to be shown is searched as it is and decoded
(backslash escapes of JSON and Markdown, HTML entities, percent signs, base64 also of gzip and
UTF-16, hexadecimal), including nested encodings.
"""

import base64
import binascii
import html
import json
import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

from event_pipelines.plans.review.plan_values import MAX_DEPTH, SENSITIVE, TooDeep, parsed

Form = Literal["markdown", "text", "html", "json"]
Span = tuple[int, int]

# Minimum length of secrets to find within other texts. Shorter ones would hide equal parts of
# unrelated words, and are found only as a whole value.
SHORTEST_WITHIN = 8
SHORTEST_ALONE = 3
# Longer secrets are split into pieces, which bounds the comparisons at each position.
LONGEST_PIECE = 64
# Maximum depth of nested encodings, such as base64 of JSON in JSON.
NESTED = 3
# Maximum ratio of decompressed to packed size; user data is packed to a tenth or more.
MOST_UNPACKED = 20
NOT_SECRET = frozenset({"true", "false", "null", SENSITIVE})
# Names of regions and zones are never hidden: it would leave nothing to review.
_PLACE = re.compile(r"(?:[a-z]{2}|us-gov|us-isob?|eu-isoe)-[a-z]{4,9}-[0-9][a-z]?")
# Minimum length of short secrets that are found as a word, if they contain a digit.
SHORTEST_WORD = 5
_TOKEN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{5,7}(?![A-Za-z0-9])")

_ESCAPE = re.compile(
    r"(?:\\u[0-9a-fA-F]{4})+|\\U[0-9a-fA-F]{8}|(?:\\x[0-9a-fA-F]{2})+|(?:\\[0-3][0-7]{2})+|\\[^uUx]"
)
# Line breaks and quoted quotes of programs: shells, SQL, CSV, YAML; quoted-printable.
_LINE_BREAK = re.compile(r"\r?\n[ \t]*")
_CONTINUED = re.compile(r"\\\r?\n[ \t]*")
_QUOTED_QUOTE = re.compile(r"""'"'"'|'\\''|''|\"\"""")
_PRINTABLE = re.compile(r"(?:=[0-9a-fA-F]{2})+|=\r?\n")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_FORM = re.compile(r"(?:%[0-9a-fA-F]{2})+|\+")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){3,}")
_SPACED_HEX = re.compile(r"[0-9a-fA-F]{2}(?:[ :,;-][ ]?(?:0x)?[0-9a-fA-F]{2}){3,}")
_BASE32 = re.compile(r"[A-Z2-7]{13,}")
# Secret parts of a text: passwords in URLs, values of names such as "password", parts of a
# token.
_PARTS = re.compile(
    r"""://[^\s/:@]{0,99}:(?P<address>[^\s/@]+)@
    |(?:pass|pwd|secret|token|key|credential|auth)[\w.-]{0,40}["']?[ ]?[=:][ ]?(?!basic\b|bearer\b)
     (?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s;,&"']+))
    |\b(?:basic|bearer)[ ]+(?P<header>[^\s"']+)""",
    re.IGNORECASE | re.VERBOSE,
)
_WEB_TOKEN = re.compile(r"[\w-]{8,}(?:\.[\w-]{8,}){2}", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")
_SEPARATORS = frozenset(" \t\r\n,;:|/=&.+_-'\"()[]{}")
# JSON strings and numbers; the second group tells that a string is a key.
_JSON_TOKEN = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|-?[0-9][-+.eE0-9]*', re.DOTALL)
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_QUOTED = re.compile(r'"([^"\\]{1,64})"|`([^`]{1,64})`|&quot;([^&]{1,64})&quot;')
# Words that the JSON output itself may use; a short secret like these stays visible there.
_VOCABULARY = re.compile(r"[a-z_]+")


class Needles:
    """Texts to search for, in time linear in the searched text, however many there are."""

    def __init__(self) -> None:
        self._pieces: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}
        self._samples: set[str] = set()

    def add(self, text: str) -> None:
        """Adds a text of at least SHORTEST_WITHIN characters; its case is ignored."""
        text = _folded(text)
        starts = range(0, max(1, len(text) - LONGEST_PIECE + 1), LONGEST_PIECE)
        for start in (*starts, max(0, len(text) - LONGEST_PIECE)):
            piece = text[start : start + LONGEST_PIECE]
            if piece in self._pieces:
                continue
            self._pieces.add(piece)
            first = piece[:SHORTEST_WITHIN]
            known = {*self._lengths.get(first, ()), len(piece)}
            self._lengths[first] = tuple(sorted(known, reverse=True))
            self._samples.update(first[at : at + 5] for at in range(4))

    def __len__(self) -> int:
        return len(self._pieces)

    def spans(self, text: str) -> list[Span]:
        """Returns the matches from left to right; those that overlap or touch are merged."""
        text = _folded(text)
        # A match of 8 characters contains 5 that start at a multiple of 4.
        if self._samples.isdisjoint([text[at : at + 5] for at in range(0, len(text) - 4, 4)]):
            return []
        found: list[Span] = []
        for start in range(len(text) - SHORTEST_WITHIN + 1):
            for length in self._lengths.get(text[start : start + SHORTEST_WITHIN], ()):
                if text[start : start + length] in self._pieces:
                    found.append((start, start + length))
                    break
        return _merged(found)


_SPACES = str.maketrans("\n\t\r", "   ")


def _folded(text: str) -> str:
    """Returns `text` in lower case with plain spaces, in the same length."""
    text = text.translate(_SPACES)
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := sign.lower()) == 1 else sign for sign in text)


def _merged(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


@dataclass(frozen=True)
class _View:
    """A decoded text, with the source span of each of its parts."""

    text: str
    starts: list[int]
    sources: list[Span]

    @classmethod
    def of(cls, text: str, token: re.Pattern[str], decode: Callable[[str], str]) -> "_View | None":
        parts: list[str] = []
        starts: list[int] = []
        sources: list[Span] = []
        done = length = 0

        def took(part: str, start: int, end: int) -> None:
            nonlocal length
            parts.append(part)
            starts.append(length)
            sources.append((start, end))
            length += len(part)

        for match in token.finditer(text):
            if match.start() > done:
                took(text[done : match.start()], done, match.start())
            took(decode(match[0]), *match.span())
            done = match.end()
        if not done:
            return None
        took(text[done:], done, len(text))
        return cls("".join(parts), starts, sources)

    def source(self, span: Span) -> Span:
        return self._at(span[0])[0], self._at(span[1] - 1)[1]

    def _at(self, position: int) -> Span:
        index = bisect_right(self.starts, position) - 1
        start, end = self.sources[index]
        ahead = position - self.starts[index]
        following = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.text)
        if following - self.starts[index] == end - start:
            return start + ahead, start + ahead + 1
        return start, end


def _unescaped(token: str) -> str:
    if token[1] == "x":
        return _from_bytes(bytes.fromhex(token.replace("\\x", "")))
    if token[1].isdigit() and len(token) > 2:
        return _from_bytes(bytes(int(part, 8) for part in token.split("\\")[1:]))
    if token[1] in "uU":
        numbers = [int(part[1:], 16) for part in token.split("\\")[1:]]
        joined = "".join(chr(number) if number < 0x110000 else "?" for number in numbers)
        return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROLS.get(token[1], token[1])


def _from_bytes(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _printed(token: str) -> str:
    return _from_bytes(bytes.fromhex(token.replace("=", ""))) if token[-1] != "\n" else ""


def _unquoted_form(part: str) -> str:
    return " " if part == "+" else unquote(part)


def _views(text: str) -> Iterator[_View]:
    """Yields decoded forms of `text`, for one kind of escape each."""
    codecs: tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...] = (
        ("\\", _ESCAPE, _unescaped),
        ("&", _ENTITY, html.unescape),
        ("%", _PERCENT, unquote),
        ("+", _FORM, _unquoted_form),
        ("\n", _LINE_BREAK, lambda _: ""),
        ("\\", _CONTINUED, lambda _: ""),
        ("'", _QUOTED_QUOTE, lambda token: token[-1]),
        ('""', _QUOTED_QUOTE, lambda token: token[-1]),
        ("=", _PRINTABLE, _printed),
    )
    for sign, token, decode in codecs:
        if sign in text and (view := _View.of(text, token, decode)) is not None:
            yield view


def _decoded_runs(text: str, shortest: int) -> Iterator[tuple[Span, str]]:
    """Yields runs of base64, hexadecimal or base32 digits with their decoded forms; up to three
    leading base64 digits may belong to something else."""
    for match in _BASE64.finditer(text):
        run = match[0].rstrip("=").translate(_URL_SAFE)
        if len(run) * 3 < shortest * 4:
            continue
        for skipped in range(4):
            yield match.span(), _text_of(_from_base64(run[skipped:]))
    for match in _HEX.finditer(text):
        if len(match[0]) >= 2 * shortest:
            yield match.span(), _text_of(bytes.fromhex(match[0]))
            yield match.span(), _text_of(bytes.fromhex(match[0][1:-1]))
    if len(text) < 2 * SHORTEST_WITHIN:
        # Most texts are short, and the searches below cost more than all others.
        return
    for match in _SPACED_HEX.finditer(text):
        digits = re.sub(r"0x|[^0-9a-fA-F]", "", match[0])
        yield match.span(), _text_of(bytes.fromhex(digits))
    for match in _BASE32.finditer(text):
        yield match.span(), _text_of(_from_base32(match[0]))


def _from_base64(run: str) -> bytes:
    # A single digit after whole groups encodes nothing.
    whole = run[: len(run) - (len(run) % 4 == 1)]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _from_base32(run: str) -> bytes:
    # Lengths of 1, 3 or 6 modulo 8 encode no whole number of bytes.
    whole = run[: len(run) - (len(run) % 8 in (1, 3, 6))]
    return base64.b32decode(whole + "=" * (-len(whole) % 8))


def _text_of(content: bytes) -> str:
    """Decodes bytes, also gzip, zlib and UTF-16 as of base64gzip and textencodebase64."""
    if content.startswith((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
        with suppress(zlib.error):
            unpacked = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(
                content, MOST_UNPACKED * len(content)
            )
            return unpacked.decode(errors="replace")
    if 3 * content.count(0) > len(content):
        order = "le" if content[1::2].count(0) > content[::2].count(0) else "be"
        return content.decode(f"utf-16-{order}", errors="replace")
    return content.decode(errors="replace")


def _parts(text: str) -> Iterator[str]:
    """Yields secrets within a secret text that may be copied elsewhere by themselves."""
    for match in _PARTS.finditer(text):
        part = match[match.lastgroup] if match.lastgroup else ""
        if len(part) >= SHORTEST_WITHIN:
            yield part
        if match.lastgroup == "header":
            _, _, password = _text_of(_from_base64(part.rstrip("="))).partition(":")
            if len(password) >= SHORTEST_WITHIN and password.isprintable():
                yield password
    if _WEB_TOKEN.fullmatch(text.strip()):
        yield from text.strip().split(".")[1:]


@dataclass
class Secrets:
    """All sensitive values of a plan, and texts that are shown nonetheless (see `keep`)."""

    within: Needles = field(default_factory=Needles)
    alone: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    kept: Needles = field(default_factory=Needles)
    _known: set[str] = field(default_factory=set)
    _shown: dict[str, str] = field(default_factory=dict)
    _names: frozenset[str] = frozenset()

    def public(self, names: Iterable[str]) -> None:
        """Registers attribute names, which come from the provider: as keys of a sensitive map they
        are not secret."""
        whole = frozenset(names)
        parts = {part for name in whole for part in name.split("_")}
        self._names = frozenset(name for name in whole | parts if _WORD.fullmatch(name))

    def add(self, value: Any, depth: int = 0) -> None:
        """Registers a sensitive value and everything in it. Raises TooDeep."""
        if depth > MAX_DEPTH:
            raise TooDeep
        match value:
            case str():
                self._add_text(value, depth)
            case bool() | None:
                return
            case int() | float():
                self._register(json.dumps(value))
            case dict():
                for key, inner in value.items():
                    if key not in self._names:
                        self._add_text(key, depth)
                    self.add(inner, depth + 1)
            case list():
                for inner in value:
                    self.add(inner, depth + 1)

    def _add_text(self, text: str, depth: int) -> None:
        if text in self._known:
            return
        self._known.add(text)
        self._register(text)
        if "\n" in text:
            for line in text.split("\n"):
                self._register(line)
        held = parsed(text)
        if held is not None:
            self.add(held, depth + 1)
            return
        if depth < NESTED:
            for part in _parts(text):
                self._add_text(part, depth + 1)
        decoded = [view.text for view in _views(text)]
        decoded += [
            meaning
            for (start, end), meaning in _decoded_runs(text, SHORTEST_WITHIN)
            if end - start == len(text) >= SHORTEST_WITHIN
            and len(meaning) >= SHORTEST_WITHIN
            and meaning.isprintable()
            and "\ufffd" not in meaning
        ]
        for meaning in decoded:
            if depth < NESTED:
                self._add_text(meaning, depth + 1)
            else:
                self._register(meaning)

    def _register(self, text: str) -> None:
        for form in map(_folded, {text, text.strip()}):
            if form.isspace() or form in NOT_SECRET or _PLACE.fullmatch(form):
                continue
            if len(form) >= SHORTEST_WITHIN:
                self.within.add(form)
            elif len(form) >= SHORTEST_ALONE:
                self.alone.add(form)
                if _TOKEN.fullmatch(form) and any(map(str.isdigit, form)):
                    self.words.add(form)

    def keep(self, texts: Iterable[str]) -> None:
        """Exempts addresses: they must stay readable, and Terraform allows no secrets in them."""
        for text in texts:
            if self.spans(text):
                for form in {text, html.escape(text), json.dumps(text, ensure_ascii=False)[1:-1]}:
                    self.kept.add(form)

    def spans(self, text: str, depth: int = 0) -> list[Span]:
        """Returns the spans of `text` that contain a secret in any form, from left to right."""
        if len(text) < SHORTEST_WORD or not (self.within or self.words):
            return []
        found = self.within.spans(text)
        if self.words:
            tokens = _TOKEN.finditer(text)
            found += [token.span() for token in tokens if _folded(token[0]) in self.words]
        if depth < NESTED:
            for view in _views(text):
                found += map(view.source, self.spans(view.text, depth + 1))
            for span, meaning in _decoded_runs(text, SHORTEST_WITHIN):
                if self.spans(meaning, depth + 1):
                    found.append(span)
        return _merged(found)

    def is_alone(self, text: str, depth: int = 0) -> bool:
        """Whether `text` is a short secret in any form, or several of them joined."""
        if not self.alone or len(text) < SHORTEST_ALONE:
            return False
        if self._is_joined(_folded(text)):
            return True
        if depth == NESTED:
            return False
        whole = (0, len(text))
        return any(self.is_alone(view.text, depth + 1) for view in _views(text)) or any(
            span == whole and self.is_alone(meaning, depth + 1)
            for span, meaning in _decoded_runs(text, SHORTEST_ALONE)
        )

    def _is_joined(self, text: str) -> bool:
        """Whether `text` consists of short secrets, SENSITIVE placeholders and separators only."""
        sizes = (*range(SHORTEST_ALONE, SHORTEST_WITHIN), len(SENSITIVE))
        # Reachable position -> whether a secret occurs on some path to it.
        reached: dict[int, bool] = {0: False}
        for position in range(len(text)):
            if position not in reached:
                continue
            seen = reached.pop(position)
            if text[position] in _SEPARATORS:
                reached[position + 1] = seen or reached.get(position + 1, False)
            for size in sizes:
                part = text[position : position + size]
                if part in self.alone or part == SENSITIVE:
                    reached[position + len(part)] = True
            if not reached:
                return False
        return reached.get(len(text), False)

    def without(self, text: str) -> str:
        """Returns `text` with SENSITIVE in place of its secrets."""
        # Cached, because names recur. All secrets are registered before any text is shown.
        if (known := self._shown.get(text)) is not None:
            return known
        hidden = self._without(text)
        if len(text) <= LONGEST_PIECE:
            self._shown[text] = hidden
        return hidden

    def _without(self, text: str) -> str:
        found = self.spans(text)
        kept = self.kept.spans(text) if found else []
        parts, done = [], 0
        for start, end in found:
            holder = bisect_right(kept, (start, len(text))) - 1
            if holder >= 0 and end <= kept[holder][1]:
                continue
            parts += [text[done:start], SENSITIVE]
            done = end
        hidden = "".join((*parts, text[done:]))
        return SENSITIVE if self.is_alone(hidden) else hidden

    def hidden(self, output: str, form: Form) -> str:
        """Returns a finished output without secrets; every output passes it last. JSON and HTML
        stay valid."""
        match form:
            case "json":
                return _JSON_TOKEN.sub(self._json_token, output)
            case "html":
                # Text of the plan is escaped, so all tags are this program's.
                parts = re.split(r"(<[^<>]*>)", output)
                return "".join(
                    part if part.startswith("<") else self._lines(part) for part in parts
                )
            case _:
                return self._lines(output)

    def _lines(self, output: str) -> str:
        return "\n".join(map(self._line, output.split("\n")))

    def _line(self, line: str) -> str:
        # Lines without letters or digits, such as fences, and markers contain no secrets.
        if line.startswith("<!--") or not any(map(str.isalnum, line)):
            return line
        if self.alone and not self.kept.spans(line):
            line = _QUOTED.sub(self._quoted, line)
        return self.without(line)

    def _quoted(self, match: re.Match[str]) -> str:
        text = match[1] or match[2] or match[3]
        return match[0].replace(text, SENSITIVE) if self.is_alone(text) else match[0]

    def _json_token(self, match: re.Match[str]) -> str:
        token, key = match[1], match[2]
        if token is None:
            held = match[0]
            return json.dumps(SENSITIVE) if self.spans(held) else held
        text = json.loads(token)
        hidden = self.without(text)
        if hidden == text or (key and _WORD.fullmatch(text)):
            return match[0]
        if hidden == SENSITIVE and _VOCABULARY.fullmatch(text) and not self.spans(text):
            return match[0]
        return f"{json.dumps(hidden, ensure_ascii=False)}{key or ''}"
