"""`event-pipelines status`: the path of every pipeline, and what is wrong with it."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3
import pytest
from botocore.client import BaseClient

from event_pipelines.__main__ import main
from event_pipelines.stack import STACK_TAG, Queue, Stack
from event_pipelines.status import depths
from support.replaced_sleep import replace_sleep
from unit.cli.status.conftest import PREFIX, Account


@pytest.fixture(autouse=True)
def images(account: Account) -> None:
    account.pair("image-thumbnail")
    account.function("image-thumbnail", "image-thumbnail")


def status(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main(["status", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def outcome(name: str, **more: object) -> dict[str, Any]:
    return {"message": "record", "outcome": name, **more}


def test_status_counts_every_event_in_one_stage(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("image-mobile")
    account.send("image-mobile", "a", "b", "c")
    boto3.client("sqs").receive_message(QueueUrl=account.url("image-mobile"))
    # Not before: it would be invoked.
    account.function("image-mobile", "image-mobile")
    account.log(
        "image-mobile",
        outcome("derived"),
        outcome("superseded"),
        outcome("rejected", reason="empty"),
        outcome("failed"),
        'START with an "outcome"',
        {"outcome": None},
    )

    code, found = status(capsys)

    assert code == 0
    assert found["healthy"] is True
    passage, _ = found["stages"]
    assert passage == {
        "pipeline": "image-derivatives",
        "stage": "mobile",
        "arrived": 6,
        "queued": 2,
        "in_flight": 1,
        "done": 2,
        "rejected": 1,
        "dead": 0,
        "retried": 1,
        "outcomes": {"derived": 1, "failed": 1, "rejected": 1, "superseded": 1},
        "reasons": {"empty": 1},
    }


def test_a_log_event_may_hold_several_lines(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [outcome("derived"), outcome("derived"), outcome("duplicate")]
    account.log("image-thumbnail", "\n".join(map(json.dumps, lines)))

    _, found = status(capsys)

    assert found["stages"][0]["done"] == 3


def test_what_ended_before_is_not_counted(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.log("image-thumbnail", outcome("derived"))

    assert status(capsys, "--since", "10s")[1]["stages"][0]["done"] == 0
    assert status(capsys, "--since", "1m")[1]["stages"][0]["done"] == 1


def test_dead_letters_are_a_fault(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.send("image-thumbnail-dlq", "x", "y")

    code, found = status(capsys)

    assert (code, found["healthy"]) == (1, False)
    assert found["stages"][0]["dead"] == found["stages"][0]["arrived"] == 2
    (fault,) = found["faults"]
    assert fault.startswith("2 dead letters in image-thumbnail-dlq: ")
    assert "queues redrive image-thumbnail-dlq" in fault


def test_a_queue_that_nobody_takes_from_is_a_fault(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    functions = boto3.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    # Its function is not there at all.
    account.pair("csv-rows")

    code, found = status(capsys)

    assert code == 1
    assert found["faults"] == [
        "event-pipelines-image-thumbnail is fed by image-thumbnail, but that is disabled: apply"
        " the stack again.",
        "event-pipelines-csv-load is not fed by csv-rows: apply the stack again.",
    ]


def test_a_tenants_queue_is_mended_by_another_command(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("tenant-globex-raw")
    account.function("tenants-process")

    (fault,) = status(capsys)[1]["faults"]

    assert "`event-pipelines tenants verify --repair` fixes it" in fault


TELL = ["arn:aws:sns:eu-west-1:123456789012:event-pipelines-alarms"]


def alarm(
    name: str,
    actions: Sequence[str] = TELL,
    state: Literal["ALARM", "OK"] = "ALARM",
    owner: str = PREFIX,
) -> None:
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription=f"What {name} means.",
        AlarmActions=actions,
        MetricName="m",
        Namespace="n",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
        Tags=[{"Key": STACK_TAG, "Value": owner}],
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")


def test_an_alarm_is_a_fault_with_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    alarm("event-pipelines-image-rejections")
    alarm("event-pipelines-image-mobile-errors", state="OK")
    # Of other stacks, whose prefixes begin with this one's.
    for other in ("event-pipelines-staging", "event-pipelines-image"):
        alarm(f"{other}-image-rejections", owner=other)

    code, found = status(capsys)

    assert code == 1
    assert found["faults"] == [
        "Alarm event-pipelines-image-rejections: What event-pipelines-image-rejections means."
    ]


def test_queues_of_other_stacks_are_no_stages_of_this_one(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("image-mobile")
    ours = [stage["stage"] for stage in status(capsys)[1]["stages"]]
    sqs = boto3.client("sqs")
    # Of event-pipelines-image and event-pipelines-image-eu, and of nobody.
    for name, owner in (("csv-imports", "image"), ("eu-image-mobile", "image-eu"), ("old", None)):
        tags = {STACK_TAG: f"{PREFIX}-{owner}"} if owner else {}
        sqs.create_queue(QueueName=f"{PREFIX}-image-{name}", tags=tags)

    found = status(capsys)[1]

    assert [stage["stage"] for stage in found["stages"]] == ours
    assert "mobile" in ours


def test_half_an_alarm_is_no_fault_and_both_halves_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for half in ("no-rows-loaded", "rows-waiting"):
        alarm(f"event-pipelines-csv-{half}", actions=[])
    assert status(capsys)[0] == 0

    stalled = {
        "AlarmName": "event-pipelines-csv-import-stalled",
        "AlarmArn": "arn:stalled",
        "AlarmDescription": "Stalled.",
        "AlarmActions": TELL,
        "StateValue": "ALARM",
    }
    ordinary = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if request.get("ResourceARN") == "arn:stalled":
            return {"Tags": [{"Key": STACK_TAG, "Value": PREFIX}]}
        answer = ordinary(client, operation, request)
        # moto has none of these; CloudWatch has, for whoever asks for them.
        if operation == "DescribeAlarms" and "CompositeAlarm" in request.get("AlarmTypes", ()):
            answer["CompositeAlarms"] = [stalled]
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", call)

    code, found = status(capsys)

    assert code == 1
    assert found["faults"] == ["Alarm event-pipelines-csv-import-stalled: Stalled."]


def test_what_a_service_does_is_not_known(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("relay-finished.fifo")

    code, found = status(capsys)

    assert code == 0
    relay = found["stages"][1]
    assert (relay["stage"], relay["done"], relay["arrived"]) == ("serve", None, None)


def test_status_table_says_whether_all_is_well(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.log("image-thumbnail", outcome("derived"))

    assert main(["status"]) == 0
    printed = capsys.readouterr().out
    assert "image-derivatives" in printed
    assert "All is well." in printed

    account.send("image-thumbnail-dlq", "x")
    assert main(["status"]) == 1
    printed = capsys.readouterr().out
    assert "1 dead letter in image-thumbnail-dlq" in printed
    assert "All is well." not in printed


def test_watching_adds_what_is_new_until_it_is_stopped(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account.log("image-thumbnail", outcome("derived"))
    looks = 0

    def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt
        account.log("image-thumbnail", outcome("rejected"))
        account.send("image-thumbnail-dlq", "x")

    replace_sleep(monkeypatch, sleep)

    assert main(["status", "--watch", "--json"]) == 130

    seen = [json.loads(line)["stages"][0] for line in capsys.readouterr().out.splitlines()]
    assert [(one["done"], one["rejected"], one["dead"]) for one in seen] == [
        (1, 0, 0),
        (1, 1, 1),
        (1, 2, 2),
    ]


def test_a_watch_ends_by_ctrl_c(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    replace_sleep(monkeypatch, sleep)

    assert main(["status", "--watch"]) == 130
    assert "All is well." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--prefix", "acme"], "deploy the stack"),
        (["--interval", "0"], "1 to 3600"),
        (["--since", "soon"], "such as 10m"),
    ],
)
def test_status_names_the_remedy_for_invalid_arguments(
    arguments: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert remedy in line


@pytest.fixture
def many(account: Account, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of 12 queues with messages, of which CloudWatch knows ten; that is many here."""
    monkeypatch.setattr(depths, "ASKED_EACH", 10)
    monkeypatch.setattr(depths, "METRICS_A_CALL", 7)
    names = ["image-thumbnail", "image-thumbnail-dlq"]
    for number in range(5):
        account.pair(f"tenant-t{number}-raw")
        names += [f"tenant-t{number}-raw", f"tenant-t{number}-raw-dlq"]
    for place, name in enumerate(names):
        # moto would invoke the function at once.
        if name != "image-thumbnail":
            account.send(name, *"ab")
        if place < 10:
            for metric, value in zip(depths._METRICS, (place, 1, 0), strict=True):
                boto3.client("cloudwatch").put_metric_data(
                    Namespace="AWS/SQS",
                    MetricData=[
                        {
                            "MetricName": metric,
                            "Dimensions": [{"Name": "QueueName", "Value": f"{PREFIX}-{name}"}],
                            "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
                            "Value": value,
                        }
                    ],
                )
    return names


def test_figures_of_many_queues_come_from_cloudwatch_in_batches(
    many: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: Counter[str] = Counter()
    ordinary = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        calls[operation] += 1
        return ordinary(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)

    code, found = status(capsys)

    assert code == 1
    # What CloudWatch does not know is asked of SQS.
    assert calls["GetQueueAttributes"] == len(many) - 10
    assert calls["GetMetricData"] == -(-3 * len(many) // 7)
    by_stage = {one["stage"]: one for one in found["stages"]}
    thumbnail, process = by_stage["thumbnail"], by_stage["process"]
    assert (thumbnail["queued"], thumbnail["in_flight"], thumbnail["dead"]) == (0, 1, 2)
    # Of t0 to t3, and two messages of t4.
    assert (process["queued"], process["in_flight"]) == (2 + 4 + 6 + 8 + 2, 4)
    assert process["dead"] == 3 + 5 + 7 + 9 + 4 + 2
    assert [fault for fault in found["faults"] if "10 dead letters in tenant-t3-raw-dlq" in fault]


def test_a_watch_asks_cloudwatch_once_a_minute(
    many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stack = Stack(PREFIX)
    figures = depths.Depths(stack)
    asked: list[float] = []
    ordinary = depths.Depths._measured

    def measured(self: depths.Depths, urls: Sequence[str]) -> dict[str, Queue]:
        asked.append(now[0])
        return ordinary(self, urls)

    monkeypatch.setattr(depths.Depths, "_measured", measured)

    for moment in (1000.0, 1030.0, 1060.0, 1065.0):
        now[0] = moment
        assert len(stack.queues.all(describe=figures.of)) == len(many)

    assert asked == [1000.0, 1060.0]
