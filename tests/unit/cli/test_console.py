"""No view is deceived: what strangers wrote reaches no terminal as it is, by whatever command."""

import ast
import json
import re
import types
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from event_pipelines import console
from event_pipelines.__main__ import main
from event_pipelines.contracts.tenant_registry import Group, Tenant
from event_pipelines.errors import UserError
from event_pipelines.imports import rejected_rows
from event_pipelines.items import service_process
from event_pipelines.items import status as item_status
from event_pipelines.pipelines import csv_import, event_audit, outcomes
from event_pipelines.pipelines.history import Happening
from event_pipelines.pipelines.queue_messages import Look
from event_pipelines.queues import commands as queues
from event_pipelines.stack import Queue
from event_pipelines.status.path import StageCounts, Status
from event_pipelines.tenants import commands as tenants
from event_pipelines.tenants.quarantine import Quarantined
from event_pipelines.trace import commands as trace
from unit.cli.plan_review.builder import change, plan

ROOT = Path(__file__).parents[3]
CLI = ROOT / "cli/event_pipelines"

# Steers a terminal, turns text round, forges lines and mark-up.
EVIL = (
    "evil\x1b[31m\x07\x08\r\x7f\x9b\u202e\u2066\u2028\u2029\u0085\u200b\x0b\x0c\x1c[red]"
    "\n2026-01-01T00:00:00Z  forged\tgpj.txt"
)
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
FORGED = re.compile(r"^\s*2026-01-01T00:00:00Z {2}forged", re.MULTILINE)


def fake(**members: Any) -> Any:
    return types.SimpleNamespace(**members)


def given(value: Any) -> Callable[..., Any]:
    return lambda *_: value


IMPORT = csv_import.Import(
    EVIL, EVIL, EVIL, 1, [EVIL, "=1+1"], 1, 1, 1, 1, 1, 1, 1, 1, EVIL, EVIL, EVIL, EVIL, EVIL
)
REJECTED = [
    csv_import.RejectedRow(1, 2, EVIL, EVIL, None, EVIL),
    csv_import.RejectedRow(3, 4, "short_row", EVIL, ["a", EVIL.replace("\n", " ")], EVIL),
]
RECORD = {
    "name": EVIL, "region": EVIL, "bucket": EVIL, "queue_url": EVIL, "queue_arn": EVIL,
    "queue_mode": "per_tenant", "status": "ACTIVE", "created_at": EVIL, "updated_at": EVIL,
}  # fmt: skip
MESSAGE = {
    "message_id": "m", "sent_at": None, "received": 1, "group": EVIL, "deduplication_id": EVIL,
    "sequence_number": None, "dead_letter_of": EVIL, "attributes": {EVIL: EVIL},
    "body": EVIL.replace("\n", ""),
}  # fmt: skip
QUEUE = Queue("p-image", "u", "a", 1, 0, 0)
HELD = Quarantined("m", "r", 1, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, {"key": EVIL})
ITEM: dict[str, Any] = {"id": EVIL, EVIL: EVIL}


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An account in which whatever has a name is called EVIL."""
    record = event_audit.AuditRecord(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, 1, EVIL, EVIL, EVIL, EVIL)
    monkeypatch.setattr(event_audit, "find", given(fake(source=EVIL, since=given([record]))))
    pipeline = fake(
        get=given(IMPORT), all=given([IMPORT]), rejections=given(REJECTED), rows=given([ITEM])
    )
    monkeypatch.setattr(csv_import, "locate", given(pipeline))
    directory = fake(
        all=given([Queue(EVIL, EVIL, EVIL, 1, 0, 0, EVIL, 3)]), find=given(QUEUE), sqs=None,
        short=str, region="eu-west-1",
    )  # fmt: skip
    monkeypatch.setattr(queues, "Stack", given(fake(queues=directory)))
    monkeypatch.setattr(queues, "look", given(Look([MESSAGE], 0)))
    registry = fake(
        all=lambda kind: [Group(**RECORD)] if kind is Group else [Tenant(**RECORD, group=EVIL)]
    )
    monkeypatch.setattr(tenants, "_open", given((None, registry)))
    monkeypatch.setattr("event_pipelines.tenants.quarantine.listed", given([HELD]))
    happening = Happening(datetime.now(UTC), "p", EVIL, EVIL, {"key": EVIL, EVIL: EVIL})
    monkeypatch.setattr(trace, "story", given(([happening], [EVIL])))
    passage = StageCounts("p", EVIL, 1, 1, 1)
    seen = Status("p", "r", "s", "a", [passage], [EVIL])
    monkeypatch.setattr("event_pipelines.status.path.watch", given(fake(look=lambda: seen)))
    monkeypatch.setattr(item_status, "state", given(item_status.State(ITEM, EVIL, EVIL)))
    file = tmp_path / "plan.json"
    entry = change("x_y.z", "update", {"a": EVIL}, {"a": EVIL + "!", EVIL: EVIL})
    file.write_text(json.dumps(plan(entry, terraform_version=EVIL)))
    return file


COMMANDS = [
    ("audit", "tail"), ("audit", "tail", "--json"), ("audit", "summary"),
    ("audit", "summary", "--json"), ("imports", "list"), ("imports", "list", "--json"),
    ("imports", "show", "1"), ("imports", "show", "1", "--json"), ("imports", "rejections", "1"),
    ("imports", "rejections", "1", "--json"), ("imports", "rejections", "1", "--excel-safe"),
    ("imports", "rows", "1"), ("imports", "rows", "1", "--json"), ("queues", "list"),
    ("queues", "list", "--json"), ("queues", "peek", "image"),
    ("queues", "peek", "image", "--json"),
    ("tenants", "list"), ("tenants", "list", "--json"), ("tenants", "quarantine", "list"),
    ("tenants", "quarantine", "list", "--json"), ("trace", "key"), ("trace", "key", "--json"),
    ("status",), ("status", "--json"), ("items", "status", "id"),
    ("items", "status", "id", "--json"),
    ("plan-review", "PLAN"), ("plan-review", "PLAN", "--format", "text"),
    ("plan-review", "PLAN", "--json"), ("plan-review", "PLAN", "--format", "html"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_what_steers_a_terminal(
    command: tuple[str, ...], hostile: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    main([str(hostile) if part == "PLAN" else part for part in command])

    written = capsysbinary.readouterr()
    out, err = written.out.decode(), written.err.decode()
    assert "evil" in out
    assert not RAW.search(out), RAW.findall(out)
    assert not RAW.search(err)
    if command[:2] != ("imports", "rejections"):
        assert not FORGED.search(out)
    assert not FORGED.search(err)
    if "json" in command[-1]:
        text = out.strip()
        whole = text.startswith("[") or "\n  " in text
        for document in [text] if whole else text.split("\n"):
            assert "\\u202e" in document
            json.loads(document)


def test_json_holds_the_very_characters() -> None:
    text = console.json_text({EVIL: [EVIL]})

    assert json.loads(text) == {EVIL: [EVIL]}
    assert "\\u202e" in text
    assert not RAW.search(text)


@pytest.mark.usefixtures("hostile")
def test_json_output_gives_the_key_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    main(["audit", "tail", "--json"])

    assert json.loads(capsys.readouterr().out)["key"] == EVIL


@pytest.mark.parametrize("as_json", [False, True])
def test_items_are_served_without_what_steers_a_terminal(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    document: dict[str, Any] = {
        "item_id": EVIL, "unchanged": True, "file": {EVIL: EVIL},
        "difference": {"added": {f"/{EVIL}": EVIL}, "removed": {EVIL: EVIL},
                       "changed": {EVIL: {"from": EVIL, "to": "x"}}},
    }  # fmt: skip
    (service_process._print_json if as_json else service_process._print)(document)

    out = capsys.readouterr().out
    assert "evil" in out
    assert not RAW.search(out)
    assert not FORGED.search(out)


def test_errors_forge_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise UserError(f"There is no {EVIL}\nevent-pipelines: forged")

    monkeypatch.setattr(event_audit, "find", refuse)

    assert main(["audit", "tail"]) == 2
    err = capsys.readouterr().err
    assert not RAW.search(err)
    assert err.count("\nevent-pipelines:") == 0


def test_rejected_rows_may_be_made_safe_for_spreadsheets() -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "a=1", "", "'"]
    rows = [csv_import.RejectedRow(1, 1, "r", "d", cells, "")]

    safe = rejected_rows.as_csv(["id", "=x"], rows, excel_safe=True)
    assert safe == "id,'=x\n'=1+1,'+1,'-1,'@x,'\tx,a=1,,'\n"
    assert rejected_rows.as_csv(["id"], rows) == "id\n=1+1,+1,-1,@x,\tx,a=1,,'\n"


def test_rejected_rows_keep_what_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are mended and imported again."""
    cells = ["1\xa0000 €", "👩\u200d🚀", "soft\xadhyphen", "two\nlines\ttab"]
    rows = [csv_import.RejectedRow(1, 1, "r", "d", cells, "")]
    pipeline = fake(get=given(IMPORT), rejections=given(rows))
    monkeypatch.setattr(csv_import, "locate", given(pipeline))

    main(["imports", "rejections", "1"])

    written = capsys.readouterr()
    assert rejected_rows.as_csv([], rows).lstrip("\n") in written.out
    assert "--json has the cells as they are" in written.err  # of the header


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_key_with_another_separator_of_lines_is_not_lost(separator: str) -> None:
    """JSON may hold them as they are."""
    key = f"evil{separator}.txt"
    fields = {"outcome": "logged", "event_time": "t", "event_name": "e", "bucket": "b", "key": key,
              "route": "r"}  # fmt: skip
    text = f"START\n{json.dumps(fields, ensure_ascii=False)}\nEND"

    assert [one.key for one in event_audit.logged([text])] == [key]
    assert [found["key"] for _, found in outcomes.lines(text)] == [key]


def sources() -> list[Path]:
    return sorted(path for top in ("cli", "functions") for path in (ROOT / top).rglob("*.py"))


# Text of the machine's own, for people.
OWN_TEXT = {"cli/event_pipelines/local/engine.py"}


def test_lines_are_split_at_line_feeds_only() -> None:
    """splitlines() also splits at eight characters that a stranger's text may hold."""
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        if str(path.relative_to(ROOT)) not in OWN_TEXT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "splitlines"
    }
    assert found == set()


# What does not pass `console`, because it is the finished review, which has its own test.
OWN_WAY = {"plans/review/commands.py": {"sys.stdout"}, "items/service_process.py": {"sys.stdout"}}


def test_there_is_one_way_to_the_terminal() -> None:
    """Commands print by `console`, and what they give to a table passes `cell`."""
    found = []
    for path in sorted(CLI.rglob("*.py")):
        name = str(path.relative_to(CLI))
        if name == "console.py" or name.startswith("local/"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.unparse(node) if isinstance(node, ast.Call | ast.Attribute) else ""
            if isinstance(node, ast.Call) and (
                ast.unparse(node.func) == "print"
                or ast.unparse(node.func).startswith("sys.stdout.write")
                or text.startswith("escape(")
                or (
                    ast.unparse(node.func).endswith("console.print")
                    and isinstance(node.args[0], ast.JoinedStr)
                    and name != "progress.py"
                )
            ):
                found.append(f"{name}:{node.lineno}: {text}")
            if text == "sys.stdout" and text not in OWN_WAY.get(name, set()):
                found.append(f"{name}: {text}")
    assert found == []
