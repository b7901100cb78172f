"""What is sent again, how fast, and what is said when it is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from event_pipelines.__main__ import main
from event_pipelines.pipelines import event_audit, image_derivatives
from event_pipelines.reconcile import replay
from shared.contracts.derived_objects import source_metadata
from shared.contracts.events import object_events
from unit.cli.reconcile.cloud import Cloud

QUEUE = "image-mobile"


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    bucket = cloud.bucket("image")
    cloud.queues(QUEUE, "image-tiny")
    cloud.notify(bucket, "image-uploads", ("ingest/", ".jpg"))
    for name in ("mobile", "tiny"):
        cloud.function(
            f"image-{name}",
            PIPELINE=image_derivatives.NAME,
            DERIVATIVE=name,
            SOURCE_PREFIX="ingest/",
            OUTPUT_PREFIX=f"derived/{name}/",
            REJECTIONS_PREFIX=f"rejections/{name}/",
        )
    return bucket


def sent(cloud: Cloud, queue: str = QUEUE) -> list[str]:
    return sorted(event.key for body in cloud.taken(queue) for event in object_events(body))


def test_a_prefix_is_sent_whatever_became_of_it(cloud: Cloud, bucket: str) -> None:
    done = cloud.upload(bucket, "ingest/a/done.jpg")
    for name in ("mobile", "tiny"):
        cloud.s3.put_object(
            Bucket=bucket, Key=f"derived/{name}/a/done.jpg.jpg", Metadata=source_metadata(done)
        )
    cloud.upload(bucket, "ingest/a/lost.jpg")
    cloud.upload(bucket, "ingest/b/other.jpg")

    cloud.replay(image_derivatives.NAME, "--key-prefix", "ingest/a/", "--derivative", "mobile")

    assert sent(cloud) == ["ingest/a/done.jpg", "ingest/a/lost.jpg"]
    assert sent(cloud, "image-tiny") == []


def test_replay_selects_by_a_span_of_time(cloud: Cloud, bucket: str) -> None:
    cloud.upload(bucket, "ingest/cat.jpg")

    for since, until, expected in (
        ("1h", None, 1),
        (None, "1h", 0),
        ("2020-01-01", "2020-02-01T00:00:00Z", 0),
        ("2020-01-01", None, 1),
    ):
        span = [] if since is None else ["--since", since]
        span += [] if until is None else ["--until", until]
        cloud.replay(image_derivatives.NAME, "--derivative", "mobile", *span)
        assert len(sent(cloud)) == expected, span


def test_replay_takes_a_list_from_reconcile(cloud: Cloud, bucket: str, tmp_path: Path) -> None:
    cloud.upload(bucket, "ingest/lost.jpg")
    listed = tmp_path / "missing.json"
    listed.write_text(
        json.dumps({"pipeline": image_derivatives.NAME, **cloud.reconcile(image_derivatives.NAME)})
    )
    cloud.upload(bucket, "ingest/later.jpg")

    output = cloud.replay(image_derivatives.NAME, "--from", str(listed), "--json")

    assert json.loads(output)["sent"] == {
        "event-pipelines-image-mobile": 1,
        "event-pipelines-image-tiny": 1,
    }
    assert sent(cloud) == sent(cloud, "image-tiny") == ["ingest/lost.jpg"]


def test_what_was_listed_is_replayed_as_it_is_now(
    cloud: Cloud, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.upload(bucket, "ingest/changed.jpg", b"older")
    cloud.upload(bucket, "ingest/deleted.jpg")
    listed = tmp_path / "missing.json"
    listed.write_text(
        json.dumps(
            {
                "pipeline": image_derivatives.NAME,
                **cloud.reconcile(image_derivatives.NAME, "--derivative", "mobile"),
            }
        )
    )
    newer = cloud.upload(bucket, "ingest/changed.jpg", b"newer")
    cloud.s3.delete_object(Bucket=bucket, Key="ingest/deleted.jpg")
    capsys.readouterr()

    assert main(["replay", image_derivatives.NAME, "--from", str(listed)]) == 1

    assert "takes: ingest/deleted.jpg" in capsys.readouterr().err
    (body,) = cloud.taken(QUEUE)
    (event,) = object_events(body)
    assert (event.version_id, event.etag) == (newer.version_id, newer.etag)


def test_an_interrupted_replay_says_how_far_it_came(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        cloud.upload(bucket, f"ingest/{number}.jpg")
    clock = Clock([0.0], patience=1)
    monkeypatch.setattr(replay, "time", clock)

    assert (
        main(["replay", image_derivatives.NAME, "--derivative", "mobile", "--all", "--rate", "10"])
        == 130
    )

    captured = capsys.readouterr()
    assert "Sent 10 messages to event-pipelines-image-mobile" in captured.out
    assert captured.err.splitlines()[-1] == "event-pipelines: interrupted"
    assert len(sent(cloud)) == 10


def test_a_file_of_keys_and_what_of_it_is_not_there(
    cloud: Cloud, bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.upload(bucket, "ingest/one two.jpg")
    cloud.upload(bucket, "ingest/notes.txt")
    keys = tmp_path / "keys"
    keys.write_text("ingest/one two.jpg\ningest/gone.jpg\ningest/notes.txt\ningest/one two.jpg\n")

    code = main(["replay", image_derivatives.NAME, "--keys", str(keys)])

    assert code == 1
    said = capsys.readouterr().err
    assert "takes: ingest/gone.jpg" in said
    assert "takes: ingest/notes.txt" in said
    assert sent(cloud) == ["ingest/one two.jpg"]


def test_a_dry_run_sends_nothing(
    cloud: Cloud, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.upload(bucket, "ingest/lost.jpg")

    assert main(["replay", image_derivatives.NAME, "--all", "--dry-run", "--json"]) == 0

    captured = capsys.readouterr()
    planned = [json.loads(line) for line in captured.out.splitlines()]
    assert [(one["queue"], one["key"]) for one in planned] == [
        ("event-pipelines-image-mobile", "ingest/lost.jpg"),
        ("event-pipelines-image-tiny", "ingest/lost.jpg"),
    ]
    assert "Would send 1 messages to event-pipelines-image-tiny" in captured.err
    assert sent(cloud) == []


def test_replay_is_no_faster_than_its_rate(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        cloud.upload(bucket, f"ingest/{number}.jpg")
    clock, batches = [0.0], []
    ordinary = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if operation == "SendMessageBatch":
            batches.append((clock[0], len(request["Entries"])))
        return ordinary(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr(replay, "time", Clock(clock))
    assert (
        main(["replay", image_derivatives.NAME, "--derivative", "mobile", "--all", "--rate", "2"])
        == 0
    )

    assert batches == [(0.0, 2), (1.0, 2), (2.0, 1)]


class Clock:
    """Time that passes only by waiting."""

    def __init__(self, now: list[float], patience: int = 1_000) -> None:
        self._now = now
        self._patience = patience

    def monotonic(self) -> float:
        return self._now[0]

    def sleep(self, seconds: float) -> None:
        self._now[0] += seconds
        if seconds:
            self._patience -= 1
        if not self._patience:
            raise KeyboardInterrupt


def test_what_sqs_refuses_is_tried_again_and_then_said(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.upload(bucket, "ingest/a.jpg")
    cloud.upload(bucket, "ingest/b.jpg")
    ordinary, refusals = BaseClient._make_api_call, [2]  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if operation != "SendMessageBatch" or not refusals[0]:
            return ordinary(client, operation, request)
        refusals[0] -= 1
        kept = request["Entries"][1:]
        answer = ordinary(client, operation, {**request, "Entries": kept}) if kept else {}
        failed = {"Id": request["Entries"][0]["Id"], "SenderFault": False, "Code": "Throttled"}
        return {"Successful": answer.get("Successful", []), "Failed": [failed]}

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    cloud.replay(image_derivatives.NAME, "--derivative", "mobile", "--all")
    assert sent(cloud) == ["ingest/a.jpg", "ingest/b.jpg"]

    refusals[0] = replay.ATTEMPTS
    output = cloud.replay(image_derivatives.NAME, "--derivative", "mobile", "--all", code=3)
    assert "Sent 1 messages" in output
    assert sent(cloud) == ["ingest/b.jpg"]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ([], "--missing"),
        (["--all", "--rate", "0"], "1 to 3000"),
        (["--all", "--derivative", "huge"], "mobile, tiny"),
        (["--since", "yesterday"], "10m"),
        (["--keys", "gone.txt"], "gone.txt cannot be read"),
        (["--from", __file__], "is not what"),
        (["--from", "-", "--key-prefix", "ingest/"], "leave out"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_what_cannot_be_done_is_said_in_a_sentence(
    cloud: Cloud, arguments: list[str], remedy: str
) -> None:
    assert remedy in cloud.refused("replay", image_derivatives.NAME, *arguments)


def test_a_list_of_another_pipeline(cloud: Cloud, bucket: str, tmp_path: Path) -> None:
    assert bucket
    listed = tmp_path / "missing.json"
    listed.write_text(json.dumps({"pipeline": "csv-import", "missing": []}))

    assert "is about csv-import" in cloud.refused(
        "replay", image_derivatives.NAME, "--from", str(listed)
    )


def test_a_list_of_another_stack(cloud: Cloud, bucket: str, tmp_path: Path) -> None:
    cloud.upload(bucket, "ingest/cat.jpg")
    found = cloud.reconcile(image_derivatives.NAME)
    found["missing"][0]["bucket"] = "another-image-bucket"
    listed = tmp_path / "missing.json"
    listed.write_text(json.dumps(found))

    said = cloud.refused("replay", image_derivatives.NAME, "--from", str(listed))

    assert "is about the bucket another-image-bucket" in said
    assert "--prefix" in said


def test_what_was_audited_cannot_be_replayed(cloud: Cloud) -> None:
    assert "cannot be replayed" in cloud.refused("replay", event_audit.NAME, "--all")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_keys_are_read_however_they_are_written(
    cloud: Cloud, bucket: str, tmp_path: Path, encoding: str, end: str
) -> None:
    keys = ["ingest/plain.jpg", "ingest/my cat é.jpg", "ingest/100%25+.jpg", "ingest/whole one.jpg"]
    for key in keys:
        cloud.upload(bucket, key)
    lines = ["ingest/plain.jpg", "ingest/my+cat+%C3%A9.jpg", "ingest/100%25+.jpg",
             f"s3://{bucket}/ingest/whole one.jpg", "s3://another/ingest/plain.jpg"]  # fmt: skip
    file = tmp_path / "keys.txt"
    file.write_bytes("".join(line + end for line in lines).encode(encoding))

    cloud.replay(image_derivatives.NAME, "--derivative", "mobile", "--keys", str(file), code=1)

    assert sent(cloud) == sorted(keys)


@pytest.mark.parametrize("prefix", ["ingest/a b/", "ingest/a%20b/", "ingest/a+b/", "s3"])
def test_a_key_prefix_may_be_encoded(cloud: Cloud, bucket: str, prefix: str) -> None:
    cloud.upload(bucket, "ingest/a b/c.jpg")
    cloud.upload(bucket, "ingest/other.jpg")
    wanted = f"s3://{bucket}/ingest/a b/" if prefix == "s3" else prefix

    cloud.replay(image_derivatives.NAME, "--derivative", "mobile", "--key-prefix", wanted)

    assert sent(cloud) == ["ingest/a b/c.jpg"]


def test_people_see_a_table_and_the_sums(
    cloud: Cloud,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(60):
        cloud.s3.put_object(Bucket=bucket, Key=f"ingest/[bold]{number:02}.jpg", Body=b"")

    command = ["reconcile", image_derivatives.NAME, "--derivative", "tiny", "--min-age", "0"]

    assert main(command) == 1
    out, err = capsys.readouterr()
    names = [f"ingest/[bold]{number:02}.jpg" for number in range(60)]
    assert [line.split("\t")[4] for line in out.splitlines()] == names
    assert err.splitlines()[-1] == "60 missing"

    # A screen is full after less.
    for module in ("console", "reconcile.commands"):
        monkeypatch.setattr(f"event_pipelines.{module}.is_terminal", lambda: True)
    assert main(command) == 1
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in shown[1:51]] == names[:50]
    assert shown[51:] == ["and 10 more, which --json lists", "60 missing"]
