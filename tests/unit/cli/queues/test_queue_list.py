"""`event-pipelines queues list`, and how every verb finds the queue it is given."""

import json

import pytest

from event_pipelines.__main__ import main
from event_pipelines.errors import UserError
from event_pipelines.stack import Stack
from unit.cli.queues.stack import FakeStack


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["queues", "list", "--json", *arguments]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_every_queue_with_what_waits_in_it(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image", "a", "b", "c")
    stack.send("image", "later", DelaySeconds=60)
    stack.sqs.receive_message(QueueUrl=stack.url("image"))

    found = listed(capsys)

    assert [queue["name"] for queue in found] == [
        "event-pipelines-image",
        "event-pipelines-image-dlq",
        "event-pipelines-relay.fifo",
        "event-pipelines-relay-dlq.fifo",
    ]
    assert found[0] == {
        "stack": "event-pipelines",
        "account": "123456789012",
        "region": "eu-west-1",
        "name": "event-pipelines-image",
        "url": stack.url("image"),
        "arn": stack.arn("image"),
        "waiting": 2,
        "in_flight": 1,
        "delayed": 1,
        "dead_letters": "event-pipelines-image-dlq",
        "max_receive_count": 3,
    }
    assert found[1]["dead_letters"] is None


def test_queues_list_prints_a_table(stack: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send("image-dlq", *(str(number) for number in range(12)))

    assert main(["queues", "list"]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines()[1] == "image-dlq\t12\t0\t0\t\t"
    assert "\t3 receives\n" in out
    assert "4 queues of event-pipelines in eu-west-1" in err


@pytest.mark.usefixtures("stack")
def test_no_stack_of_that_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queues", "list", "--prefix", "acme"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "no queues acme-… with the tag event-pipelines = acme in eu-west-1" in line
    assert "--prefix" in line
    assert main(["queues", "peek", "image", "--prefix", "acme"]) == 2
    assert capsys.readouterr().err.strip() == line


def test_the_prefix_may_come_from_the_environment(
    stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in ("acme", "acme-eu"):
        stack.sqs.create_queue(QueueName=f"{owner}-orders", tags={"event-pipelines": owner})
    monkeypatch.setenv("EVENT_PIPELINES_NAME_PREFIX", "acme")

    assert [queue["name"] for queue in listed(capsys)] == ["acme-orders"]
    assert len(listed(capsys, "--name-prefix", "event-pipelines")) == 4


def test_more_queues_than_one_answer_holds(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        stack.queue(f"tenant-{number:02}-raw")

    assert len(listed(capsys)) == 34


@pytest.mark.parametrize(
    "name",
    ["relay-dlq.fifo", "event-pipelines-relay-dlq.fifo", "relay-dlq", "event-pipelines-relay-dlq"],
)
@pytest.mark.usefixtures("stack")
def test_names_with_and_without_prefix_and_suffix(name: str) -> None:
    assert Stack("event-pipelines").queues.find(name).name == "event-pipelines-relay-dlq.fifo"


def test_a_name_that_only_looks_as_if_it_had_the_prefix(stack: FakeStack) -> None:
    stack.queue("event-pipelines-twin")

    found = Stack("event-pipelines").queues.find("event-pipelines-twin")

    assert found.name == "event-pipelines-event-pipelines-twin"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("imagedlq", "did you mean image-dlq"),
        ("event-pipelines-imag", "did you mean image"),
        ("lay", "did you mean relay"),
        ("nothing like it", "queues list"),
        ("", "queues list"),
        ("x" * 90, "queues list"),
    ],
)
@pytest.mark.usefixtures("stack")
def test_an_unknown_queue_names_similar_ones(asked: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint) as refusal:
        Stack("event-pipelines").queues.find(asked)

    assert repr(asked) in str(refusal.value)
    assert "in eu-west-1" in str(refusal.value)


@pytest.mark.parametrize("verb", [["peek"], ["purge", "--yes"], ["redrive"]])
@pytest.mark.usefixtures("stack")
def test_queues_of_others_are_out_of_reach(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["queues", *verb, "production"]) == 2
    assert "no queue 'production' of event-pipelines" in capsys.readouterr().err
