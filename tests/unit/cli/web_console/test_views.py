"""What each view shows: of foreign text nothing but text, and the command that says the same."""

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given as given_texts
from hypothesis import settings
from hypothesis import strategies as st

from event_pipelines import __main__ as command
from event_pipelines.contracts.tenant_registry import Group, Tenant
from event_pipelines.errors import Unanswered
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Import
from event_pipelines.pipelines.history import Happening
from event_pipelines.pipelines.queue_messages import Look
from event_pipelines.tenants.quarantine import Quarantined
from event_pipelines.web_console import imports_view, letters_view, object_view, tenants_view
from event_pipelines.web_console.markup import doc, el, link
from unit.cli.status.conftest import PREFIX, Account
from unit.cli.test_console import EVIL, RAW, fake, given
from unit.cli.web_console.conftest import ORIGIN, Elements, Serve, Served
from unit.cli.web_console.test_looks import outcome

MARKUP = "</pre></td>\"'><img src=x onerror=alert(1)><script>alert(1)</script>&amp;" + EVIL
IMPORT = Import(
    MARKUP, MARKUP, MARKUP, 1, [MARKUP], 1, 1, 1, 1, 1, 1, 1, 1,
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", MARKUP, MARKUP, MARKUP,
)  # fmt: skip
MESSAGE = {
    "message_id": "m", "sent_at": None, "received": 1, "group": MARKUP, "deduplication_id": None,
    "sequence_number": None, "dead_letter_of": MARKUP, "attributes": {MARKUP: MARKUP},
    "body": MARKUP,
}  # fmt: skip
BUCKET = f"{PREFIX}-image-{ORIGIN['account']}-{ORIGIN['region']}"
MOST_LINES = 1500
PAGE_TAGS = ["html", "head", "meta", "meta", "title", "link", "script", "body", "a", "p"]
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture
def hostile(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has a name is called MARKUP."""
    account.pair("image-thumbnail")
    account.function("image-thumbnail", "image-thumbnail")
    account.send("image-thumbnail-dlq", "x")
    named = {"key": MARKUP, "bucket": MARKUP, "output_key": MARKUP, "detail": MARKUP}
    failure = {"message_id": "m", "exception": MARKUP, "exception_name": MARKUP}
    account.log("image-thumbnail", outcome("rejected", reason=MARKUP, **named))
    account.log("image-thumbnail", outcome("failed", **failure))
    happenings = [
        Happening(datetime.now(UTC), "p", f"s3://{MARKUP}/{MARKUP}.jpg", "rejection recorded",
                  {"reason": MARKUP, MARKUP: MARKUP, "import_id": MARKUP}),
        Happening(None, MARKUP, MARKUP, "is a dead letter"),
        Happening(None, MARKUP, MARKUP, "import complete",
                  {"import_id": MARKUP, "rows_loaded": 1, "reasons": {MARKUP: 2}}),
    ]  # fmt: skip
    monkeypatch.setattr(object_view, "story", given((happenings, [MARKUP])))
    monkeypatch.setattr(imports_view, "first_items", given([{MARKUP: MARKUP}, {MARKUP: 1}]))
    monkeypatch.setattr(letters_view, "look", given(Look([MESSAGE], 0)))
    ledger = fake(all=given([IMPORT]), get=given(IMPORT), bucket=MARKUP)
    monkeypatch.setattr(csv_import, "locate", given(ledger))
    record = {"name": MARKUP, "queue_arn": MARKUP, "queue_mode": MARKUP, "status": "ACTIVE"}
    registry = fake(
        all=lambda kind: [Group(**record)] if kind is Group else [Tenant(**record, group=MARKUP)]
    )
    platform = fake(settings=fake(quarantine_queue_url="q"))
    monkeypatch.setattr(tenants_view, "_open", given((platform, registry)))
    held = Quarantined("m", "r", 1, MARKUP, MARKUP, MARKUP, MARKUP, MARKUP, MARKUP, MARKUP)
    monkeypatch.setattr("event_pipelines.tenants.quarantine.listed", given([held]))


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    "path",
    ["/", "/object?key=a", "/object?key=%3Cscript%3E%1b%E2%80%AE", "/letters",
     "/letters?queue=image-thumbnail-dlq", "/rejections", "/imports", "/imports?id=1",
     "/imports/cancel?id=1", "/tenants?quarantine=1", "/letters?queue=%3Cscript%3E%1b%E2%80%AE",
     "/picture?bucket=%3Cscript%3E"],
)  # fmt: skip
def test_foreign_text_is_never_markup_and_is_spelled_out(serve: Serve, path: str) -> None:
    served = serve()
    served.look()

    page = served.ask(path).text

    found = Elements(page)
    assert not RAW.search(page.replace("\r", "")), RAW.findall(page)
    assert [attributes for tag, attributes in found.tags if tag == "script"] == [
        {"src": "/console.js", "type": "module"}
    ]
    for tag, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        if tag == "img":
            assert (attributes["src"] or "").startswith("/picture?")
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))
    if path not in ("/letters", "/letters?queue=%3Cscript%3E%1b%E2%80%AE"):
        assert "script>" in found.text
    if "1b" in path or path == "/":
        assert "\\x1b" in found.text
        assert "\\u202e" in found.text


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    "path", ["/", "/object?key=ingest/a b.jpg", "/letters", "/letters?queue=image-thumbnail-dlq",
             "/object?key=--region", "/rejections", "/imports", "/imports?id=1",
             "/imports/cancel?id=1"]
)  # fmt: skip
def test_every_view_has_a_command_that_the_parser_takes(serve: Serve, path: str) -> None:
    page = serve().ask(path.replace(" ", "%20")).text

    copied = [attributes["data-copy"] for _, attributes in Elements(page).tags
              if "data-copy" in attributes]  # fmt: skip
    assert copied
    for line in copied:
        words = shlex.split(line or "")
        assert words[0] == "event-pipelines"
        parsed = command.parser().parse_args(words[1:])
        assert (parsed.prefix, parsed.region) == (PREFIX, ORIGIN["region"])


def letters(account: Account, serve: Serve) -> Served:
    account.pair("image-thumbnail")
    account.function("image-thumbnail", "image-thumbnail")
    body = {
        "Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "ingest/caf%C3%A9.jpg"}}}]
    }
    account.send("image-thumbnail-dlq", body, "other")
    return serve()


@given_texts(st.text(st.characters(codec=None), min_size=1), st.text(st.characters(codec=None)))
@settings(max_examples=300)
def test_no_text_breaks_markup_or_is_any(one: str, other: str) -> None:
    """Half a character among them, which JSON can have."""
    page = doc(one, link("/object", other, key=one), el("p", other, data_label=one)).encode()

    found = Elements(page.decode())
    assert [tag for tag, _ in found.tags] == PAGE_TAGS
    assert not RAW.search(page.decode().partition("<title>")[2])


def test_a_dead_letter_shows_its_body_and_the_object_it_is_about(
    account: Account, serve: Serve
) -> None:
    page = letters(account, serve).ask("/letters?queue=image-thumbnail-dlq").text

    text = Elements(page).text
    assert "2 of about 2 dead letters are shown" in text
    assert "ingest/café.jpg" in text
    assert '"key": "ingest/caf%C3%A9.jpg"' in text
    assert "received1" in text


def test_the_log_of_the_last_try_is_beside_a_dead_letter(account: Account, serve: Serve) -> None:
    served = letters(account, serve)
    messages = boto3.client("sqs").receive_message(
        QueueUrl=account.url("image-thumbnail-dlq"), VisibilityTimeout=0, MaxNumberOfMessages=10
    )["Messages"]
    account.log("image-thumbnail", *(
        outcome("failed", message_id=one["MessageId"], exception_name="OutOfDisk",
                exception="Traceback: no space") for one in messages))  # fmt: skip

    text = Elements(served.ask("/letters?queue=image-thumbnail-dlq").text).text

    assert "OutOfDisk 2" in text
    assert text.count("Traceback: no space") == 2


def test_dead_letters_are_searched_and_exported(account: Account, serve: Serve) -> None:
    served = letters(account, serve)

    text = Elements(served.ask("/letters?queue=image-thumbnail-dlq&find=caf%25C3").text).text
    assert "1 of about 2 dead letters are shown" in text
    exported = served.ask("/letters/export?queue=image-thumbnail-dlq")
    assert sorted(json.loads(line)["received"] for line in exported.text.splitlines()) == [2, 2]
    assert "attachment" in exported.headers["content-disposition"]
    assert "sandbox" in exported.headers["content-security-policy"]


def test_a_half_character_of_a_message_hides_no_other(account: Account, serve: Serve) -> None:
    served = letters(account, serve)
    account.send("image-thumbnail-dlq", '{"bucket": "b", "key": "\\ud800"}')

    answer = served.ask("/letters?queue=image-thumbnail-dlq")

    assert answer.status == 200
    assert "3 of about 3 dead letters are shown" in answer.text
    assert served.ask("/letters/export?queue=image-thumbnail-dlq").text.count("\n") == 3


def test_queues_in_which_a_look_would_cost_receives_are_not_opened(
    account: Account, serve: Serve
) -> None:
    served = letters(account, serve)

    for path in ("/letters?queue=image-thumbnail", "/letters/export?queue=image-thumbnail"):
        answer = served.ask(path)
        assert answer.status == 409
        assert "looking would use up receives" in answer.text


def test_rejections_are_counted_searched_and_exported(account: Account, serve: Serve) -> None:
    account.pair("image-thumbnail")
    account.function("image-thumbnail", "image-thumbnail")
    account.log(
        "image-thumbnail",
        *[outcome("rejected", reason="empty", key="ingest/a.jpg", detail="no byte")] * 2,
        outcome("rejected", reason="too_small", key="ingest/b.jpg"),
        outcome("derived", key="ingest/c.jpg"),
    )
    served = serve()
    served.look()

    everything = Elements(served.ask("/rejections").text).text
    assert "The newest 3 of 3" in everything
    assert "ingest/c.jpg" not in everything
    assert "The newest 2 of 2" in Elements(served.ask("/rejections?reason=empty").text).text
    assert "The newest 1 of 1" in Elements(served.ask("/rejections?find=ingest/b").text).text
    assert "None is found" in served.ask("/rejections?find=nothing").text
    assert len(served.ask("/rejections/export?reason=empty").text.splitlines()) == 2
    lines = served.ask("/rejections/export").text.splitlines()
    assert sorted(json.loads(line)["reason"] for line in lines) == ["empty", "empty", "too_small"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PICTURE, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(9), "image/jpeg"),
        (bytes(4) + b"ftypavif", "image/avif"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", None),
        (b"<!DOCTYPE html><script>alert(1)</script>", None),
        (b"", None),
    ],
)
def test_pictures_are_told_by_their_content_and_nothing_else_is_sent(
    serve: Serve, content: bytes, kind: str | None
) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=BUCKET, Key="ingest/a.jpg", Body=content, ContentType="text/html")
    served = serve()

    answer = served.ask(f"/picture?bucket={BUCKET}&key=ingest/a.jpg")

    assert answer.status == (200 if kind else 415)
    assert answer.headers["content-type"].startswith(kind or "text/plain")
    assert "script" not in answer.text
    if kind:
        assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("bucket", ["other-bucket", f"{PREFIX}-image", ""])
def test_objects_of_other_buckets_are_not_shown(serve: Serve, bucket: str) -> None:
    answer = serve().ask(f"/picture?bucket={bucket}&key=a.jpg")

    assert answer.status == 409
    assert "is not of" in answer.text


def test_a_view_says_what_it_asked_of_aws(account: Account, serve: Serve) -> None:
    account.pair("image-thumbnail")

    served = serve()

    assert (
        "asked 3 API calls: GetQueueAttributes 1, GetQueueUrl 1, ListQueueTags 1."
    ) in served.ask("/letters?queue=image-thumbnail-dlq").text
    assert "This view asked no API call." in served.ask("/object").text


def test_an_error_of_aws_is_a_sentence(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise Unanswered("AWS is not there: come back later.")

    monkeypatch.setattr(csv_import, "locate", refuse)
    answer = serve().ask("/imports")

    assert answer.status == 409
    assert "come back later" in answer.text


def test_the_console_has_fifteen_hundred_lines_at_most() -> None:
    """Of code, style and script; blank ones are not counted."""
    folder = Path(letters_view.__file__).parent
    files = [one for one in folder.iterdir() if one.suffix in (".py", ".css", ".js")]

    assert {one.suffix for one in files} == {".py", ".css", ".js"}
    lines = [line for one in files for line in one.read_text().split("\n") if line.strip()]
    assert len(lines) <= MOST_LINES
