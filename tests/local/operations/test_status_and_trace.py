"""`event-pipelines status` and `trace` on a whole stack: what they tell is what has happened."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from PIL import Image

from event_pipelines.__main__ import main
from event_pipelines.local.stack import LocalStack
from support.stacks import MAX_RECEIVE_COUNT, PREFIX, alarms, eventually, messages_in

pytestmark = pytest.mark.xdist_group("operate")


Run = Callable[..., int]


@pytest.fixture
def images(stack: LocalStack) -> dict[str, Any]:
    outputs: dict[str, Any] = stack.outputs["image_derivatives"]
    return outputs


def put(bucket: str, key: str, content: bytes) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


class Looks:
    """What the commands say, to a script."""

    def __init__(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        self._run = run
        self._capsys = capsys

    def status(self) -> tuple[int, Any]:
        self._capsys.readouterr()
        code = self._run("status", "--json")
        printed = self._capsys.readouterr()
        assert printed.out, printed.err
        return code, json.loads(printed.out)

    def troubles(self) -> list[str]:
        """The faults that status tells, but for how the files of other tests ended."""
        code, status = self.status()
        assert code == bool(status["faults"])
        known = [
            f"Alarm {alarm['AlarmName']}: {alarm['AlarmDescription']}"
            for alarm in alarms()
            if alarm.get("Namespace") == "EventPipelines"
        ]
        return [fault for fault in status["faults"] if fault not in known]

    def passage(self, stage: str) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = (one for one in self.status()[1]["stages"] if one["stage"] == stage)
        return found

    def traced(self, key: str, *whats: str, pipeline: str = "") -> list[dict[str, Any]]:
        """The story of an object, as soon as all that is a part of it."""
        story: list[dict[str, Any]] = []
        narrowed = ["--pipeline", pipeline] if pipeline else []

        def told() -> bool:
            self._capsys.readouterr()
            code = self._run("trace", key, "--json", *narrowed)
            printed = self._capsys.readouterr()
            # A command that fails for another reason has to be seen.
            assert code == 0 or "Nothing is known of" in printed.err, printed.err
            story[:] = json.loads(printed.out) if code == 0 else []
            return set(whats) <= {one["what"] for one in story}

        eventually(told, f"{whats} of {key}")
        # S3 tells seconds, and logs tell more.
        seconds = [one["at"][:19] for one in story]
        assert seconds == sorted(seconds)
        return story


@pytest.fixture
def looks(run: Run, capsys: pytest.CaptureFixture[str]) -> Looks:
    return Looks(run, capsys)


def whats(story: list[dict[str, Any]]) -> list[str]:
    return [one["what"] for one in story]


def only(story: list[dict[str, Any]], what: str) -> dict[str, Any]:
    (found,) = (one for one in story if one["what"] == what)
    return found


def test_a_stack_without_trouble_is_well(looks: Looks) -> None:
    _, status = looks.status()

    assert looks.troubles() == []
    assert [(one["pipeline"], one["stage"]) for one in status["stages"]] == [
        ("image-derivatives", "mobile"),
        ("image-derivatives", "thumbnail"),
        ("event-audit", "copy"),
        ("event-audit", "other"),
        ("event-audit", "removal"),
        ("event-audit", "upload"),
        ("csv-import", "split"),
        ("csv-import", "load"),
        ("tenant-routing", "quarantine"),
        ("item-relay", "update"),
        ("item-relay", "serve"),
    ]


def test_images_made_and_refused(images: dict[str, Any], looks: Looks) -> None:
    before = looks.passage("thumbnail")
    for number in range(5):
        put(images["bucket"], f"ingest/good {number}.jpg", picture())
    put(images["bucket"], "ingest/bad+1.jpg", b"no picture")

    def came() -> dict[str, int]:
        now = looks.passage("thumbnail")
        return {name: now[name] - before[name] for name in ("arrived", "done", "rejected", "dead")}

    expected = {"arrived": 6, "done": 5, "rejected": 1, "dead": 0}
    eventually(lambda: came() == expected, "six outcomes")
    # A message is deleted after what became of it is logged.
    eventually(lambda: messages_in(images["derivatives"]["thumbnail"]["queue_url"]) == 0, "its end")
    now = looks.passage("thumbnail")
    assert (now["queued"], now["in_flight"]) == (0, 0)
    good = looks.traced("ingest/good 3.jpg", "thumbnail is there", "mobile is there")
    assert sorted(whats(good)) == [
        "derived", "derived", "mobile is there", "stored", "thumbnail is there",
    ]  # fmt: skip
    assert whats(good)[0] == "stored"
    bad = looks.traced("ingest/bad+1.jpg", "rejection recorded")
    assert only(bad, "stored")
    records = [one for one in bad if one["what"] == "rejection recorded"]
    assert [one["facts"]["reason"] for one in records] == ["not_an_image"] * 2


def test_a_dead_letter_is_a_fault_and_a_part_of_the_story(
    images: dict[str, Any], looks: Looks, capsys: pytest.CaptureFixture[str]
) -> None:
    thumbnail = images["derivatives"]["thumbnail"]
    before = looks.passage("thumbnail")
    iam = boto3.client("iam")
    denied = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    iam.put_role_policy(
        RoleName=thumbnail["role_name"],
        PolicyName="denied",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denied]}),
    )
    sqs = boto3.client("sqs")
    sqs.set_queue_attributes(QueueUrl=thumbnail["queue_url"], Attributes={"VisibilityTimeout": "1"})
    put(images["bucket"], "ingest/unlucky.jpg", picture())
    eventually(lambda: messages_in(thumbnail["dlq_url"]) == 1, "the dead letter")

    def told() -> list[dict[str, Any]]:
        return looks.traced("ingest/unlucky.jpg", "is a dead letter", "mobile is there")

    # The last may take longer than its message is hidden.
    eventually(lambda: whats(told()).count("failed") >= MAX_RECEIVE_COUNT, "all tries")
    story = told()
    code, status = looks.status()

    assert code == 1
    assert "1 dead letter in image-thumbnail-dlq" in status["faults"][0]
    now = looks.passage("thumbnail")
    assert now["dead"] == 1
    assert now["retried"] - before["retried"] == MAX_RECEIVE_COUNT
    assert whats(story).count("failed") == MAX_RECEIVE_COUNT
    assert only(story, "is a dead letter")["place"] == f"{PREFIX}-image-thumbnail-dlq"
    # Looking has taken nothing.
    assert messages_in(thumbnail["dlq_url"]) == 1
    iam.delete_role_policy(RoleName=thumbnail["role_name"], PolicyName="denied")
    assert main(["queues", "redrive", "image-thumbnail-dlq"]) == 0
    capsys.readouterr()
    looks.traced("ingest/unlucky.jpg", "thumbnail is there")
    eventually(lambda: looks.troubles() == [], "an alarm that falls silent")


@pytest.mark.usefixtures("stack")
def test_half_an_alarm_is_no_fault_and_both_halves_are(looks: Looks) -> None:
    cloudwatch = boto3.client("cloudwatch")
    request: Any = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape
    deployed: dict[str, Any] = {}

    def turn(half: str, state: Literal["ALARM", "OK"]) -> None:
        """By what is known of a metric without data, since the engine evaluates every second."""
        name = f"{PREFIX}-csv-{half}"
        (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        alarm: Any = {key: value for key, value in found.items() if key in request.members}
        deployed.setdefault(name, alarm)
        without_data = "breaching" if state == "ALARM" else "notBreaching"
        cloudwatch.put_metric_alarm(
            **alarm | {"MetricName": "NoData", "TreatMissingData": without_data}
        )

        def is_turned() -> bool:
            (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
            return alarm["StateValue"] == state

        eventually(is_turned, f"{name} in state {state}")

    try:
        turn("rows-waiting", "OK")
        turn("no-rows-loaded", "ALARM")
        assert looks.troubles() == []

        turn("rows-waiting", "ALARM")
        stalled = f"Alarm {PREFIX}-csv-import-stalled: Rows have waited"
        told = looks.troubles
        eventually(
            lambda: [one.startswith(stalled) for one in told()] == [True], "the alarm of both"
        )
        turn("rows-waiting", "OK")
        eventually(lambda: told() == [], "silence")
    finally:
        # The stack is that of other tests as well.
        for alarm in deployed.values():
            cloudwatch.put_metric_alarm(**alarm)


def test_an_import_row_by_row(stack: LocalStack, looks: Looks) -> None:
    bucket = stack.outputs["csv_import"]["bucket"]
    put(bucket, "import/people.csv", b"id,name\n1,Ada\n2,Grace,Hopper\n3,Edsger\n")

    story = looks.traced("import/people.csv", "import complete", "import started", "loaded")

    assert {"stored", "split"} <= set(whats(story))
    end = only(story, "import complete")
    assert (end["facts"]["rows_loaded"], end["facts"]["rows_rejected"]) == (2, 1)
    assert sum(end["facts"]["reasons"].values()) == 1


def test_trace_shows_audited_events_from_log_and_trail(stack: LocalStack, looks: Looks) -> None:
    bucket = stack.outputs["event_audit"]["bucket"]
    put(bucket, "a/b.txt", b"x")
    boto3.client("s3").delete_object(Bucket=bucket, Key="a/b.txt")

    def told() -> list[str]:
        return whats(looks.traced("a/b.txt", "happened", pipeline="event-audit"))

    eventually(
        lambda: told().count("happened") == told().count("logged") == 2, "both events, twice told"
    )
    assert {"stored", "deleted"} <= set(told())


@pytest.mark.usefixtures("stack")
def test_an_item_on_its_way_to_the_service(tmp_path: Path, looks: Looks) -> None:
    file = tmp_path / "lamp.json"
    file.write_text('{"watts": 7}')
    assert main(["items", "put", str(file)]) == 0

    story = looks.traced("files/lamp.json", "waits", "item updated and sent on")

    assert only(story, "waits")["place"] == f"{PREFIX}-relay-finished.fifo"


@pytest.mark.usefixtures("stack")
def test_a_tenants_file_from_quarantine_to_silver(tmp_path: Path, looks: Looks) -> None:
    for arguments in (
        ["create-group", "east"],
        ["create", "globex", "--group", "east"],
        ["suspend", "globex"],
    ):
        assert main(["tenants", *arguments]) == 0
    file = tmp_path / "orders.csv"
    file.write_text("id\n1\n")
    try:
        assert main(["tenants", "put-file", "globex", str(file)]) == 0

        story = looks.traced("globex/raw/orders.csv", "waits", "quarantined")

        assert {"stored", "tenant is SUSPENDED"} <= set(whats(story))
        assert looks.passage("route")["rejected"] == 1
        assert main(["tenants", "resume", "globex"]) == 0
        assert main(["tenants", "quarantine", "release", "globex"]) == 0
        looks.traced(
            "globex/raw/orders.csv",
            "silver file is there", "routed", "processed", "tenant is ACTIVE",
        )  # fmt: skip
    finally:
        assert main(["tenants", "delete", "globex", "--delete-data"]) == 0
        assert main(["tenants", "delete-group", "east", "--delete-data"]) == 0


def test_an_object_that_nobody_knows(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("trace", "ingest/never.jpg") == 1

    assert "Nothing is known of 'ingest/never.jpg'" in capsys.readouterr().err
