"""Time grows with what a stranger sends, and no faster: for every regular expression and parser.

Both are found in the code. Worst inputs of an expression are made from the expression itself: each
part that repeats is repeated, behind what has to come before it, and broken at the end.
"""

import ast
import fnmatch
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from re import _constants as op
from re import _parser as sre
from typing import Any

import pytest

from event_pipelines import console, pipelines, times
from event_pipelines.items import documents
from event_pipelines.pipelines import event_audit, outcomes, tenant_names, tenant_routing
from event_pipelines.plans.review import fail_on, plan
from event_pipelines.plans.review.plan_values import parsed
from process_tenant_file import rows
from shared.contracts import events, tenant_keys
from shared.contracts.item_messages import ItemMessage
from shared.contracts.tenant_messages import TenantMessage
from shared.csv_files import cells
from shared.csv_files.row_messages import RowMessage
from support.linear_time import grows_too_fast

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for top in ("functions", "cli") for path in (ROOT / top).rglob("*.py")
)  # fmt: skip
METHODS = ("match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")

SMALL, LARGE = 3_000, 12_000


@dataclass(frozen=True)
class Use:
    """One way in which a pattern is applied. `place` is file:line."""

    place: str
    method: str
    pattern: str | bytes
    flags: int = 0

    def __call__(self, text: str) -> None:
        compiled = re.compile(self.pattern, self.flags)
        subject: Any = (
            text.encode("latin-1", "replace") if isinstance(self.pattern, bytes) else text
        )
        if self.method in ("sub", "subn"):
            compiled.sub(type(subject)(), subject)
        elif self.method == "finditer":
            for _ in compiled.finditer(subject):
                pass
        else:
            getattr(compiled, self.method)(subject)


# --- What the code has

# Patterns that are put together when the code runs: by file and expression, what they may be.
COMPOSED: dict[tuple[str, str], list[str]] = {
    ("functions/shared/csv_files/records.py", "re.escape(self.escape) + '([\\\\s\\\\S])'"): [
        "\\\\([\\s\\S])"
    ],
    (
        "functions/shared/csv_files/records.py",
        "f'(?:^|{re.escape(self.delimiter)}){re.escape(self.quote)}'",
    ): ['(?:^|,)"'],
    (
        "functions/shared/csv_files/records.py",
        "f'{quote}{quote}|({quote})(?=[{delimiter}\\r\\n]|$)'",
    ): ['""|(")(?=[,\\r\\n]|$)'],
    ("functions/shared/csv_files/records.py", "f'{re.escape(self.quote)}{{1,2}}'"): ['"{1,2}'],
    ("cli/event_pipelines/plans/review/references.py", "f'module\\\\.{STEP.pattern}'"): [
        r'module\.([\w-]+)(?:\[(?:(\d+)|"((?:[^"\\]|\\.)*)")\])?'
    ],
    (
        "cli/event_pipelines/local/corrections/policies.py",
        "f'^{fnmatch.translate(glob)}'",
    ): [f"^{fnmatch.translate('*a*?b*[*]*')}"],
    (
        "cli/event_pipelines/local/checkpoint.py",
        r"f'(?:(?<=\\blocalhost:)|(?<=\\b127\\.0\\.0\\.1:)){port}(?!\\d)'",
    ): [r"(?:(?<=\blocalhost:)|(?<=\b127\.0\.0\.1:))4566(?!\d)"],
    (
        "cli/event_pipelines/pipelines/tenant_routing.py",
        "f'({TENANT_NAME.pattern})/{RAW}/(.+)'",
    ): [tenant_routing.KEYS.pattern],
    ("cli/event_pipelines/pipelines/__init__.py", "step.queue"): [
        step.queue for _, step in pipelines._STEPS
    ],
}


def _literal(node: ast.expr) -> str | bytes | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return node.value
    return None


def _flags(call: ast.Call, position: int) -> int:
    given = [*call.args[position:], *(k.value for k in call.keywords if k.arg == "flags")]
    found = 0
    for node in given:
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and hasattr(re.RegexFlag, part.attr):
                found |= re.RegexFlag[part.attr].value
    return found


def _is_re(call: ast.AST, *names: str) -> bool:
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "re"
        and call.func.attr in names
    )


def _assigned(nodes: list[ast.AST]) -> dict[int, str]:
    """Names that compiled patterns are given, by the id of the call."""
    return {
        id(node.value): node.targets[0].id
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _applied(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    """How what has a name is applied, wherever; "" also where it is passed on."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            held = node.value
            last = held.id if isinstance(held, ast.Name) else getattr(held, "attr", "")
            found.setdefault(last, set()).add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.setdefault(node.id, set()).add("")
    return found


def uses() -> tuple[list[Use], list[str]]:
    """Every application of every pattern; and those for which nothing is known."""
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in SOURCES}
    files = {file: list(ast.walk(ast.parse(text))) for file, text in texts.items() if "re." in text}
    # Parsing all others would take every worker of a run seconds, whichever tests it has.
    names = {
        name
        for nodes in files.values()
        for assigned in [_assigned(nodes)]
        for node in nodes
        if _is_re(node, "compile") and (name := assigned.get(id(node)))
    }
    anywhere = re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")
    others = (
        ast.walk(ast.parse(text))
        for file, text in texts.items()
        if file not in files and anywhere.search(text)
    )
    applied = _applied(itertools.chain(*files.values(), *others))
    found: list[Use] = []
    unknown: list[str] = []
    for file, nodes in files.items():
        assigned = _assigned(nodes)
        for node in nodes:
            if not _is_re(node, "compile", *METHODS):
                continue
            assert isinstance(node, ast.Call)
            assert isinstance(node.func, ast.Attribute)
            place = f"{file}:{node.lineno}"
            literal = _literal(node.args[0])
            source = ast.unparse(node.args[0])
            patterns = COMPOSED.get((file, source), []) if literal is None else [literal]
            if not patterns:
                unknown.append(f"{place}: {source}")
                continue
            if node.func.attr == "compile":
                name = assigned.get(id(node), "")
                # Without a name it is returned, and may be applied in any way, as if passed on.
                methods = applied.get(name, set()) if name else {""}
                known = methods - {""}
                # Passed on as a value: it may be applied in any way.
                methods = known or ({"finditer"} if methods else set())
                if not methods:
                    unknown.append(f"{place}: {source} is never applied")
                flags = _flags(node, 1)
            else:
                methods = {node.func.attr}
                positions = {"sub": 4, "subn": 4, "split": 3}
                flags = _flags(node, positions.get(node.func.attr, 2))
            found += [Use(place, method, p, flags) for p in patterns for method in sorted(methods)]
    return found, unknown


USES, UNKNOWN = uses()


# --- The worst that a pattern can be given


def _member(items: Any) -> list[str]:
    """Characters of a set: some of each of its parts."""
    negated = any(kind is op.NEGATE for kind, _ in items)
    members: list[str] = []
    for kind, value in items:
        if kind is op.LITERAL:
            members.append(chr(value))
        elif kind is op.RANGE:
            members += [chr(value[0]), chr(value[1])]
        elif kind is op.CATEGORY:
            members += {
                op.CATEGORY_DIGIT: ["0"],
                op.CATEGORY_SPACE: [" ", "\n"],
                op.CATEGORY_WORD: ["a", "0", "_"],
            }.get(value, ["!"])
    if negated:
        return [c for c in ("a", "0", " ", "!", "\n", "é") if c not in members][:3]
    return members[:6]


def _shortest(parsed: Any) -> str:
    """A text that matches, as short as it is easily found."""
    text = ""
    for kind, value in parsed:
        if kind is op.LITERAL:
            text += chr(value)
        elif kind is op.NOT_LITERAL:
            text += "a" if value != ord("a") else "b"
        elif kind is op.ANY:
            text += "a"
        elif kind is op.IN:
            text += (_member(value) or ["a"])[0]
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            text += _shortest(value[2]) * value[0]
        elif kind is op.SUBPATTERN:
            text += _shortest(value[3])
        elif kind is op.BRANCH:
            text += _shortest(value[1][0])
    return text


def _bodies(parsed: Any) -> Iterator[str]:
    """Texts for one turn of a repetition."""
    parts = list(parsed)
    if len(parts) == 1 and parts[0][0] is op.IN:
        yield from _member(parts[0][1])
    elif len(parts) == 1 and parts[0][0] is op.BRANCH:
        for branch in parts[0][1][1]:
            yield from _bodies(branch)
    elif len(parts) == 1 and parts[0][0] is op.SUBPATTERN:
        yield from _bodies(parts[0][1][3])
    elif len(parts) == 1 and parts[0][0] is op.ANY:
        yield from ("a", "0", "-", "/")
    else:
        yield _shortest(parsed)


def _repeated(parsed: Any, before: str) -> Iterator[tuple[str, str]]:
    """(what has to come first, what may come again and again) for each repetition."""
    for kind, value in parsed:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            for body in _bodies(value[2]):
                if body and value[1] > 9:
                    yield before, body
            yield from _repeated(value[2], before)
        elif kind is op.SUBPATTERN:
            yield from _repeated(value[3], before)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from _repeated(branch, before)
        before += _shortest([(kind, value)])


def shapes(pattern: str | bytes, flags: int) -> list[tuple[str, str]]:
    """(beginning, what is repeated): every text that may cost this pattern dear."""
    tree = sre.parse(pattern, flags)
    found = dict.fromkeys(_repeated(tree, ""))
    # Also without what has to come first, for searches that begin at every place, and the whole
    # again and again, and what begins a match and does not end it.
    whole = _shortest(tree)
    bodies = {body for _, body in found}
    alone = [("", body) for body in bodies] + [("", whole), ("", whole[:1]), ("", whole[:-1])]
    pairs = [("", a + b) for a, b in itertools.permutations(sorted(bodies)[:6], 2)]
    return [shape for shape in dict.fromkeys([*found, *alone, *pairs]) if shape[1]]


def texts(shape: tuple[str, str], size: int) -> list[str]:
    """One text of about `size` characters for each way to end."""
    start, body = shape
    long = start + body * (size // len(body))
    return [f"{long}\x00", f"{long}!\n"]


def test_every_pattern_is_known() -> None:
    """A pattern that is no literal, or is nowhere seen to be applied, has to be registered."""
    assert UNKNOWN == []
    assert len(USES) > 60


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.place}-{use.method}")
def test_every_pattern_takes_linear_time(use: Use) -> None:
    for shape in shapes(use.pattern, use.flags):

        def work(size: int, shape: tuple[str, str] = shape) -> None:
            for text in texts(shape, size):
                use(text)

        assert not (fault := grows_too_fast(work, SMALL, LARGE)), (use.pattern, shape, fault)


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"[ \t]*[\r\n][ \t\r\n]*", "sub"),
        (r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", "fullmatch"),
        (r"(a+)+b", "match"),
        (r"(?:a|a)*b", "match"),
        (r"(\w+)-[0-9]\.json", "search"),
    ],
)
def test_patterns_that_are_not_linear_are_found(pattern: str, method: str) -> None:
    """The test above can fail: these did, or are the textbook's."""
    use = Use("here", method, pattern)

    def fault(shape: tuple[str, str]) -> str:
        def work(size: int) -> None:
            for text in texts(shape, size):
                use(text)

        return grows_too_fast(work, 600, 2_400)

    assert any(map(fault, shapes(pattern, 0)))


# --- Parsers

PARSER = re.compile(
    r"(parsed?|decode|read|read_\w+|\w+_rows|announcements|object_events|logged|_lines|lines|document"
    r"|plan_of|rules|printable|json_printable|raw_key|natural|\w*_hides_something)"
)
Parse = Callable[[str], object]


def _file(read: Callable[[io.BytesIO], Iterator[object]]) -> Parse:
    return lambda text: list(read(io.BytesIO(text.encode())))


def _plan(text: str) -> object:
    return plan.document("plan.json", text.encode())


PARSERS: dict[str, Parse] = {
    "functions/shared/contracts/events.py:announcements": events.announcements,
    "functions/shared/contracts/events.py:object_events": events.object_events,
    "functions/shared/contracts/item_messages.py:decode": ItemMessage.decode,
    "functions/shared/csv_files/row_messages.py:decode": RowMessage.decode,
    "functions/shared/contracts/tenant_messages.py:decode": TenantMessage.decode,
    "functions/shared/contracts/tenant_keys.py:parse": tenant_keys.TenantKey.parse,
    "functions/shared/contracts/tenant_keys.py:_hides_something": (
        lambda text: tenant_keys.TenantKey.parse(f"acme/raw/{text}")
    ),
    "functions/shared/csv_files/cells.py:read_number": cells.read_number,
    "functions/shared/csv_files/cells.py:read_bool": cells.read_bool,
    "functions/shared/csv_files/cells.py:read_timestamp": cells.read_timestamp,
    "functions/process_tenant_file/rows.py:json_rows": _file(rows.json_rows),
    "functions/process_tenant_file/rows.py:json_lines_rows": _file(rows.json_lines_rows),
    "functions/process_tenant_file/rows.py:read": lambda text: rows._Decoder().read(text, 0),
    "cli/event_pipelines/pipelines/event_audit.py:logged": lambda text: list(
        event_audit.logged([text])
    ),
    "cli/event_pipelines/pipelines/outcomes.py:lines": lambda text: list(outcomes.lines(text)),
    "cli/event_pipelines/times.py:rate": times.rate,
    "cli/event_pipelines/console.py:printable": console.printable,
    "cli/event_pipelines/console.py:json_printable": console.json_printable,
    "cli/event_pipelines/times.py:duration": times.duration,
    "cli/event_pipelines/items/documents.py:read": lambda text: documents.read(text.encode()),
    "cli/event_pipelines/plans/review/plan.py:document": _plan,
    "cli/event_pipelines/plans/review/fail_on.py:rules": lambda text: fail_on.rules([text]),
    "cli/event_pipelines/plans/review/plan_values.py:parsed": parsed,
    "cli/event_pipelines/pipelines/tenant_names.py:raw_key": lambda text: tenant_names.raw_key(
        "acme", text
    ),
}
# Why a parser of this name is not among them.
ELSEWHERE = {
    "functions/shared/csv_files/records.py": "tests of CSV hold its time to its size",
    "functions/shared/csv_files/opening.py": "tests of CSV hold its time to its size",
    "functions/process_tenant_file/rows.py:csv_rows": "tests of CSV hold its time to its size",
    "functions/shared/configuration.py": "variables that whoever deploys it writes",
    "cli/event_pipelines/plans/review/plan.py:read": "reads a file, and calls `document`",
    "cli/event_pipelines/plans/review/plan.py:plan_of": "tests of plan-review",
    "cli/event_pipelines/plans/review/plan_values.py:natural": "one pattern, tested as such",
    "cli/event_pipelines/plans/capacity/settings.py:read": "reads a file, and calls `document`",
    "cli/event_pipelines/status/tally.py:read": "asks AWS",
    "cli/event_pipelines/web_console/looks.py:read": "asks AWS",
    "cli/event_pipelines/pipelines/object_refs.py:read_record": "values of a parsed record",
    "cli/event_pipelines/pipelines/outcomes.py:read": "asks AWS, and calls `lines`",
    "cli/event_pipelines/trace/search.py:_lines": "asks AWS, and calls `read` of records",
    "cli/event_pipelines/plans/review/sections.py:document": "tests of plan-review",
    "cli/event_pipelines/plans/review/secret_texts.py:_lines": "tests of plan-review",
    "cli/event_pipelines/plans/review/render_text.py:_lines": "tests of plan-review",
    "functions/shared/csv_files/row_messages.py:encode_rows": "writes",
    "functions/load_csv_rows/loader.py:_stored_rows": "asks AWS",
    "functions/create_image_derivative/container.py:read_at": "reads so many bytes as it is asked",
    "functions/create_image_derivative/jpeg.py:read": "tests of hostile pictures hold its time",
    **{
        f"functions/create_image_derivative/{name}.py:read_container": (
            "tests of hostile pictures hold its time"
        )
        for name in ("avif", "gif", "heic", "jpeg", "png", "webp")
    },
    "functions/create_image_derivative/settings.py": "variables that whoever deploys it writes",
    "functions/split_csv/settings.py": "variables that whoever deploys it writes",
    "functions/shared/csv_files/expectations.py": "variables that whoever deploys it writes",
    "functions/shared/csv_files/content.py": "tests of CSV hold its time to its size",
    "functions/shared/csv_files/segments.py": "tests of CSV hold its time to its size",
    "cli/event_pipelines/configuration.py": "a link to what is named above",
    "cli/event_pipelines/imports/dry_run.py:read": "calls what tests of CSV hold",
    "functions/shared/rejected_rows.py:store_rejected_rows": "writes",
    "cli/event_pipelines/pipelines/tenant_platform.py:read": "asks AWS for what the stack wrote",
}
EVENT = json.dumps({
    "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": "@", "versionId": "v", "sequencer": "0"}},
    }]
})  # fmt: skip
# (beginning, what is repeated, end)
HOSTILE = (
    ("", "a", ""), ("", " ", "x"), ("", "\n", ""), ("", "9", "x"), ("%", "25", "2e"),
    ("", "%25", "2e"), ("", "%", ""),
    ("", "[", ""), ("", '{"a":', ""), ("", '"', ""), ("", '"a",', ""), ("[", "1,", "1]"),
    ("[", "1,\n", "1]"), ('{"a": "', " ", '"}'), ('{"a": "', "\\u202e", '"}'), ('{"a":', " ", "1}"),
    ('{"a":\n', " \n", "1}"), ("[", '{"a": 1},\n', '{"a": 1}]'), ('{"a": ', "9", "}"),
    ('{"a": ', "9", "e9}"), ("{", '"a": 1,', '"b": 1}'), ("", '{"a": 1}\n', ""),
    ("", '{"outcome": "logged"}\n', ""), ("", '"outcome" "logged"\n', ""), ("", "\u2028", ""),
    ("", "1-", ""), ("", "\\", ""), ("", ",", ""), ("", "../", ""), ("", "[a,", ""),
    (EVENT.partition("@")[0], "%2541", EVENT.partition("@")[2]),
    ("", EVENT + "\n", ""),
    (EVENT.replace('"s3"', '"xEventData": [#').partition("#")[0], "1,",
     '1], "s3"' + EVENT.partition('"s3"')[2]),
)  # fmt: skip


def parsers() -> set[str]:
    """Everything that is called like a parser, by file and name."""
    return {
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in SOURCES
        if "local" not in path.parts and "demo" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and PARSER.fullmatch(node.name)
        and any(
            word in ast.unparse(argument.annotation)
            for argument in node.args.args[:2]
            if argument.annotation is not None
            for word in ("str", "bytes")
        )
    }


def test_every_parser_is_known() -> None:
    found = parsers()
    unknown = {each for each in found - PARSERS.keys() - ELSEWHERE.keys()
               if each.partition(":")[0] not in ELSEWHERE}  # fmt: skip

    assert unknown == set()
    assert len(found & PARSERS.keys()) >= 20


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_every_parser_takes_linear_time(name: str) -> None:
    parse = PARSERS[name]
    for start, body, end in HOSTILE:

        def work(size: int, start: str = start, body: str = body, end: str = end) -> None:
            # Whatever it says, it has to say it in time.
            with suppress(Exception):
                parse(f"{start}{body * (size // len(body))}{end}")

        assert not (fault := grows_too_fast(work, SMALL, LARGE)), (body, fault)
