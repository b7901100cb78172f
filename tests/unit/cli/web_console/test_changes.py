"""What the console changes: only where it may, only what was confirmed, and written down."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from event_pipelines.contracts.tenant_registry import Tenant
from event_pipelines.errors import UserError
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Import
from event_pipelines.queues import moves, redrive
from event_pipelines.queues.redrive import Redriven
from event_pipelines.tenants import quarantine
from event_pipelines.tenants.quarantine import Released
from event_pipelines.web_console import tenants_view
from unit.cli.status.conftest import Account
from unit.cli.test_console import fake, given
from unit.cli.web_console.conftest import ORIGIN, Serve, Served

QUEUE = "event-pipelines-image-thumbnail-dlq"
RUNNING = Import("1", "LOADING", "import/a.csv", 1, ["a"], 9, 4, 1, 0, 1, 1, 1, 1,
                 "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")  # fmt: skip


@pytest.fixture(autouse=True)
def stack(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_offered(_: object) -> Any:
        raise moves.NotOffered("moto has no moves")

    monkeypatch.setattr(moves.Mover, "_listed", not_offered)
    account.pair("image-thumbnail")
    account.send("image-thumbnail-dlq", "a", "b")


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Plans that were carried out."""
    plans: list[Any] = []

    def run(_: Any, plan: Any, show: Any, __: Any) -> Redriven:
        plans.append(plan)
        show(1, 2, "")
        return Redriven(plan.source.name, plan.targets, "move", "COMPLETED", 2)

    monkeypatch.setattr(redrive, "run", run)
    return plans


@pytest.fixture(autouse=True)
def import_and_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = fake(get=given(RUNNING), cancel=given(replace(RUNNING, status="FAILED")))
    monkeypatch.setattr(csv_import, "locate", given(ledger))
    tenant = Tenant(name="acme", group="gold", status="ACTIVE")
    monkeypatch.setattr(tenants_view, "_open", given((fake(), fake(get=given(tenant)))))
    monkeypatch.setattr(quarantine, "release", given(Released(3, [])))


def lines(served: Served) -> list[dict[str, Any]]:
    """Of the log, once no change goes on."""
    for thread in threading.enumerate():
        if thread.name.startswith("change of "):
            thread.join()
    return [json.loads(line) for line in served.log.read_text().splitlines()]


CHANGES: list[tuple[str, dict[str, object]]] = [
    ("/letters/redrive", {"queue": QUEUE, "rate": "10", "messages": 2}),
    ("/imports/cancel", {"id": "1", "messages": 4}),
    ("/tenants/release", {"name": "acme", "messages": 3}),
]
CONFIRMATIONS = [
    f"/letters/redrive?queue={QUEUE}",
    "/imports/cancel?id=1",
    "/tenants/release?name=acme",
]


@pytest.mark.parametrize(("path", "form"), CHANGES)
def test_a_console_is_read_only_unless_it_is_told_otherwise(
    serve: Serve, path: str, form: dict[str, object], moved: list[Any]
) -> None:
    served = serve()

    answer = served.post(path, **form)

    assert answer.status == 409
    assert "--allow-changes" in answer.text
    assert moved == []
    assert not served.log.exists()


@pytest.mark.parametrize("path", CONFIRMATIONS)
def test_changes_are_offered_only_where_they_are_allowed(serve: Serve, path: str) -> None:
    assert 'method="post"' not in serve().ask(path).text
    assert 'method="post"' in serve(allow_changes=True).ask(path).text


@pytest.mark.parametrize(("path", "form"), CHANGES)
def test_a_change_is_written_down_before_and_behind_it(
    serve: Serve, path: str, form: dict[str, object], moved: list[Any]
) -> None:
    served = serve(allow_changes=True)

    assert served.post(path, **form).status == 303

    begun, ended = lines(served)
    assert (begun["state"], ended["state"]) == ("goes on", "ended")
    for line in (begun, ended):
        assert {name: line[name] for name in ORIGIN} == ORIGIN
        assert line["what"] in ("redrive", "cancel", "release")
        assert line.get("messages", line.get("rows")) is not None
    assert len(moved) == (path == "/letters/redrive")


def test_a_redrive_is_a_dry_run_first_and_says_its_count(serve: Serve, moved: list[Any]) -> None:
    served = serve(allow_changes=True)

    page = served.ask(f"/letters/redrive?queue={QUEUE}&rate=5").text

    assert "Would move about 2 messages" in page
    assert "at most 5 a second" in page
    assert '<button class="change">Move 2 messages</button>' in page
    assert "queues redrive event-pipelines-image-thumbnail-dlq --rate 5" in page
    assert moved == []


def test_more_messages_than_were_confirmed_are_not_moved(
    serve: Serve, account: Account, moved: list[Any]
) -> None:
    served = serve(allow_changes=True)
    account.send("image-thumbnail-dlq", "c")

    for confirmed in ("2", "", "-1", "x"):
        form: dict[str, object] = {"queue": QUEUE, "rate": "10", "messages": confirmed}
        answer = served.post("/letters/redrive", **form)
        assert answer.status == 409
        assert "There are 3 by now" in answer.text
    assert moved == []


def test_more_events_than_were_confirmed_are_not_released(serve: Serve) -> None:
    served = serve(allow_changes=True)

    answer = served.post("/tenants/release", name="acme", messages=2)

    assert answer.status == 409
    assert "There are 3 by now" in answer.text


def test_a_redrive_moves_dead_letters_back_and_says_so(serve: Serve) -> None:
    served = serve(allow_changes=True)

    answer = served.post("/letters/redrive", queue=QUEUE, rate="100", messages=2)

    assert answer.headers["location"] == f"/letters?queue={QUEUE}"
    assert lines(served)[-1]["said"].startswith("Moved 2 messages")
    page = served.ask(f"/letters?queue={QUEUE}").text
    assert "redrive, ended: " in page
    assert "0 of about 0 dead letters are shown" in page


def ids(served: Served) -> dict[str, str]:
    """Of the dead letters, by their bodies."""
    exported = served.ask(f"/letters/export?queue={QUEUE}").text
    seen = [json.loads(line) for line in exported.splitlines()]
    return {one["body"]: one["message_id"] for one in seen}


def test_selected_messages_alone_are_moved_and_exported(serve: Serve, account: Account) -> None:
    account.send("image-thumbnail-dlq", "c")
    served = serve(allow_changes=True)
    chosen = [identity for body, identity in ids(served).items() if body in "ac"]
    query = f"queue={QUEUE}&of=selected&rate=5&" + "&".join(f"id={one}" for one in chosen)

    exported = served.ask(f"/letters/export?{query}").text
    page = served.ask(f"/letters/redrive?{query}").text
    joined = " ".join(chosen)
    form: dict[str, object] = {"queue": QUEUE, "rate": "5", "id": joined, "messages": 2}
    answer = served.post("/letters/redrive", **form)

    assert sorted(json.loads(line)["body"] for line in exported.splitlines()) == ["a", "c"]
    assert "Would move 2 of about 3 messages" in page
    assert "at most 5 a second" in page
    assert '<button class="change">Move 2 messages</button>' in page
    assert f"--message-id {joined}" in page
    assert answer.status == 303
    begun, ended = lines(served)
    assert begun["message_ids"] == sorted(chosen)
    assert ended["said"].startswith("Moved 2 messages")
    assert list(ids(served)) == ["b"]


def test_more_messages_than_were_confirmed_are_not_selected(serve: Serve, moved: list[Any]) -> None:
    served = serve(allow_changes=True)
    form = {"queue": QUEUE, "rate": "5", "id": " ".join(ids(served).values()), "messages": 1}

    assert served.post("/letters/redrive", **form).status == 409
    assert moved == []


@pytest.mark.parametrize("path", ["/letters/redrive", "/letters/export"])
@pytest.mark.parametrize("query", ["of=selected", "id=--to", "id=a&id=%3Cb%3E", "of=selected&id="])
def test_a_selection_that_is_none_is_refused(serve: Serve, path: str, query: str) -> None:
    assert serve().ask(f"{path}?queue={QUEUE}&{query}").status == 409


def test_a_change_that_the_credentials_do_not_allow_is_not_offered_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any) -> Any:
        said: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
        raise ClientError(said, "StartMessageMoveTask")

    monkeypatch.setattr(redrive, "run", run)
    served = serve(allow_changes=True)
    confirmation = f"/letters/redrive?queue={QUEUE}"
    assert 'method="post"' in served.ask(confirmation).text

    served.post("/letters/redrive", queue=QUEUE, rate="10", messages=2)

    assert lines(served)[-1]["state"] == "failed"
    page = served.ask(confirmation).text
    assert "AWS refused StartMessageMoveTask" in page
    assert 'method="post"' not in page


def test_a_change_that_fails_says_why_and_is_written_down(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any) -> Any:
        raise UserError("It cannot be moved: name another.")

    monkeypatch.setattr(redrive, "run", run)
    served = serve(allow_changes=True)

    served.post("/letters/redrive", queue=QUEUE, rate="10", messages=2)

    assert lines(served)[-1]["state"] == "failed"
    assert "It cannot be moved: name another." in served.ask(f"/letters?queue={QUEUE}").text


def test_two_changes_of_one_queue_do_not_overlap(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def run(_: Any, plan: Any, show: Any, __: Any) -> Redriven:
        show(1, 2, "")
        go_on.wait(30)
        return Redriven(plan.source.name, plan.targets, "move", "COMPLETED", 2)

    monkeypatch.setattr(redrive, "run", run)
    served = serve(allow_changes=True)
    form = {"queue": QUEUE, "rate": "10", "messages": 2}
    first = served.post("/letters/redrive", **form)
    page = served.ask(f"/letters?queue={QUEUE}").text
    second = served.post("/letters/redrive", **form)
    go_on.set()

    assert (first.status, second.status) == (303, 409)
    assert "goes on already" in second.text
    assert 'data-refresh="2"' in page
    assert len(lines(served)) == 2


@pytest.mark.parametrize(
    "form", ["", "queue=x", "queue=%00&rate=1&messages=1", "\x00", "a" * 70_000]
)
def test_a_form_that_makes_no_sense_changes_nothing(
    serve: Serve, form: str, moved: list[Any]
) -> None:
    served = serve(allow_changes=True)

    answer = served.ask("/letters/redrive", "POST", form, Origin=served.own)

    assert answer.status in (400, 409, 413)
    assert moved == []


def test_a_log_that_cannot_be_written_stops_the_change(serve: Serve, moved: list[Any]) -> None:
    served = serve(allow_changes=True)
    served.log.mkdir()

    answer = served.post("/letters/redrive", queue=QUEUE, rate="10", messages=2)

    assert answer.status == 502
    assert "Is a directory" in answer.text
    assert moved == []
