"""The function as Lambda runs it: a batch of events in; messages, lines and metrics out."""

import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.configuration import ConfigurationError
from shared.contracts.events import object_events
from shared.contracts.tenant_messages import TenantMessage

ROOT = Path(__file__).parents[3]

Event = Callable[..., str]
Refused = Callable[[str], Exception]


def test_an_event_reaches_its_tenant(world: Any, event: Event) -> None:
    world.group()
    queue = world.tenant()

    run = world.invoke(event("acme/raw/2026/größe & co.csv"))

    assert run.retried == []
    (message,) = world.received(queue)
    assert TenantMessage.decode(message["Body"]) == TenantMessage(
        tenant="acme",
        group="retail",
        bucket="example-retail",
        key="acme/raw/2026/größe & co.csv",
        version_id="v1",
        etag="b21b84d653bb07b05b1e6b33684dc11b",
        size=17,
        sequencer="0055AED6DCD90281E5",
        event_name="ObjectCreated:Put",
        event_time="2026-03-01T09:30:00.123Z",
        source_message_id="message-0",
    )
    assert message["Attributes"]["MessageGroupId"] == "acme"
    assert world.quarantined() == []


def test_every_event_has_a_line_and_is_counted(world: Any, event: Event) -> None:
    world.group()
    world.tenant()

    run = world.invoke(event("acme/raw/a.csv"), event("nobody/raw/a.csv"), event("acme/silver/a"))

    routed, quarantined, ignored = run.lines
    assert routed["message_id"] == "message-0"
    assert routed["outcome"] == "routed"
    assert (routed["tenant"], routed["group"]) == ("acme", "retail")
    assert routed["queue"] == "example-tenant-acme-raw"
    assert (routed["bucket"], routed["key"]) == ("example-retail", "acme/raw/a.csv")
    assert quarantined["outcome"] == "quarantined"
    assert (quarantined["tenant"], quarantined["reason"]) == ("nobody", "unknown_tenant")
    assert ignored["outcome"] == "ignored"
    assert run.metrics == Counter(Routed=1, Quarantined=1, Ignored=1, Duration=3, RegistryMiss=2)
    assert run.dimensions == [[["stack", "pipeline"]]]


def test_a_batch_asks_the_registry_once_and_every_queue_ten_at_a_time(
    world: Any, event: Event
) -> None:
    world.group()
    queues = {name: world.tenant(name) for name in ("acme", "globex")}
    keys = [f"{'acme' if n % 4 else 'globex'}/raw/{n}.csv" for n in range(32)]

    run = world.invoke(*map(event, keys))

    assert run.outcomes == ["routed"] * 32
    assert world.reads() == [(["acme", "globex"], False), (["retail"], False)]
    assert sorted(len(request["Entries"]) for request in world.sqs.requests) == [4, 8, 10, 10]
    for name, queue in queues.items():
        found = world.bodies(queue)
        assert sorted(body["key"] for body in found) == sorted(
            key for key in keys if key.startswith(f"{name}/")
        )


def test_a_tenant_is_looked_up_once_in_a_while(world: Any, event: Event) -> None:
    world.group()
    world.tenant()
    counts: Counter[str] = Counter()

    for number in range(20):
        counts += world.invoke(event(f"acme/raw/{number}.csv")).metrics

    assert len(world.reads()) == 2
    assert (counts["RegistryMiss"], counts["RegistryHit"]) == (1, 19)


def test_a_shared_queue_gets_everything_of_its_group_by_tenant(world: Any, event: Event) -> None:
    world.group()
    url = world.sqs.create_queue(QueueName="example-tg-retail-raw")["QueueUrl"]
    for name in ("acme", "globex"):
        world.tenant(name, QueueMode="shared_fair", TargetQueueForRawFile=url)
    world.sqs.requests.clear()

    world.invoke(*[event(f"{name}/raw/{n}.csv") for n in range(4) for name in ("acme", "globex")])

    assert len(world.sqs.requests) == 1
    found = world.received(url)
    assert Counter(one["Attributes"]["MessageGroupId"] for one in found) == Counter(
        acme=4, globex=4
    )
    for one in found:
        assert json.loads(one["Body"])["tenant"] == one["Attributes"]["MessageGroupId"]


def test_a_message_may_be_about_several_tenants(world: Any, event: Event) -> None:
    world.group()
    acme, globex = world.tenant("acme"), world.tenant("globex")

    run = world.invoke(
        event("acme/raw/a", "globex/raw/b", "nobody/raw/c", "acme/silver/d", "../raw/e")
    )

    assert run.retried == []
    assert run.outcomes == ["routed", "routed", "quarantined", "ignored", "quarantined"]
    assert [body["key"] for body in world.bodies(acme)] == ["acme/raw/a"]
    assert [body["key"] for body in world.bodies(globex)] == ["globex/raw/b"]
    assert sorted(body["key"] for body in world.quarantined()) == ["../raw/e", "nobody/raw/c"]


# --- Quarantine


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Status": "SUSPENDED"}, "tenant_suspended"),
        ({"Status": "PROVISIONING"}, "tenant_not_active"),
        ({"Status": "DELETING"}, "tenant_not_active"),
        ({"Status": "SOMETHING"}, "tenant_not_active"),
        ({"Status": ""}, "tenant_not_active"),
        ({"RootS3Bucket": "example-wholesale"}, "wrong_bucket"),
        ({"RootS3Bucket": "example-wholesale", "Status": "SUSPENDED"}, "wrong_bucket"),
        ({"RootS3Bucket": ""}, "wrong_bucket"),
        ({"GroupName": "nowhere"}, "group_unknown"),
        ({"GroupName": ""}, "group_unknown"),
        ({"GroupName": "closing"}, "group_unknown"),
        ({"GroupName": "wholesale"}, "group_unknown"),
    ],
)
def test_a_tenant_that_may_not_have_an_event_does_not_get_it(
    world: Any, event: Event, changes: dict[str, str], reason: str
) -> None:
    world.group()
    world.group("wholesale")
    world.group("closing", Status="DELETING", BucketName="example-retail")
    queue = world.tenant(**changes)

    run = world.invoke(event("acme/raw/a.csv"))

    assert (run.outcomes, run.retried) == (["quarantined"], [])
    assert world.received(queue) == []
    (kept,) = world.quarantined()
    assert (kept["reason"], kept["tenant"]) == (reason, "acme")
    assert kept["group"] == changes.get("GroupName", "retail")


def test_quarantine_keeps_what_it_takes_to_send_the_event_again(
    world: Any, record: Callable[..., dict[str, Any]]
) -> None:
    world.group()
    first, second = record("nobody/raw/a b+c.csv"), record("nobody/raw/b.csv", versionId="v2")
    body = json.dumps({"Records": [first, second]})

    world.invoke(body)

    messages = world.received(world.quarantine_url)
    kept = {json.loads(one["Body"])["key"]: json.loads(one["Body"]) for one in messages}
    assert kept["nobody/raw/a b+c.csv"]["event"] == {"Records": [first]}
    assert kept["nobody/raw/b.csv"]["event"] == {"Records": [second]}
    one = kept["nobody/raw/b.csv"]
    assert one.pop("quarantined_at").endswith("Z")
    assert one == {
        "schema_version": 1,
        "reason": "unknown_tenant",
        "detail": "the registry has no tenant nobody",
        "tenant": "nobody",
        "group": None,
        "bucket": "example-retail",
        "key": "nobody/raw/b.csv",
        "source_message_id": "message-0",
        "event": {"Records": [second]},
        "body": None,
    }
    for message in messages:
        attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
        assert attributes == {"reason": "unknown_tenant", "tenant": "nobody"}


def test_what_was_quarantined_is_routed_when_its_tenant_exists(world: Any, event: Event) -> None:
    world.group()
    world.invoke(event("acme/raw/a.csv"))
    (kept,) = world.quarantined()
    queue = world.tenant()
    world.now += 5.1

    run = world.invoke(json.dumps(kept["event"]))

    assert run.outcomes == ["routed"]
    (message,) = world.bodies(queue)
    assert message["key"] == "acme/raw/a.csv"


@pytest.mark.parametrize(
    "key",
    [
        "/acme/raw/a",
        "acme//raw/a",
        "acme/raw//a",
        "acme/raw/../../globex/raw/a",
        "globex/../acme/raw/a",
        "acme/raw/./a",
        "acme/raw/%2e%2e/%2e%2e/globex/raw/a",
        "acme/raw/..%2f..%2fglobex",
        "acme/raw/..\\..\\globex",
        "acme/raw/a\x00b",
        "acme/raw/a\r\nb",
        "acme/raw",
        "acme/bronze/a",
        "ACME/raw/a",
        "acme%2fraw/a",
        "raw/acme/a",
    ],
)
def test_a_hostile_key_reaches_nobody(world: Any, event: Event, key: str) -> None:
    world.group()
    queues = [world.tenant(name) for name in ("acme", "globex", "raw")]

    run = world.invoke(event(key))

    assert (run.outcomes, run.retried) == (["quarantined"], [])
    assert [world.received(queue) for queue in queues] == [[], [], []]
    (kept,) = world.quarantined()
    assert (kept["reason"], kept["key"], kept["tenant"]) == ("invalid_key", key, None)
    assert world.reads() == []


def test_another_groups_bucket_reaches_nobody(world: Any, event: Event) -> None:
    """Whoever may write into one group's bucket writes under a name from another's."""
    world.group()
    world.group("wholesale")
    queue = world.tenant("acme", "retail")

    run = world.invoke(event("acme/raw/a.csv", bucket="example-wholesale"), event("acme/raw/b.csv"))

    assert run.outcomes == ["quarantined", "routed"]
    assert [body["key"] for body in world.bodies(queue)] == ["acme/raw/b.csv"]
    (kept,) = world.quarantined()
    assert (kept["reason"], kept["bucket"]) == ("wrong_bucket", "example-wholesale")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello \n world",
        "[1]",
        '{"order": 17}',
        '{"Records": [{"eventSource": "aws:sqs"}]}',
        TenantMessage("acme", "g", "b", "acme/raw/a", None, None, 1, None, "n", "t", "m").encode(),
    ],
)
def test_body_that_is_no_event_is_quarantined_unchanged(world: Any, body: str) -> None:
    run = world.invoke(body)

    assert (run.outcomes, run.retried) == (["quarantined"], [])
    (message,) = world.received(world.quarantine_url)
    kept = json.loads(message["Body"])
    assert (kept["reason"], kept["body"], kept["event"]) == ("not_an_object_event", body, None)
    assert (kept["tenant"], kept["bucket"], kept["key"]) == (None, None, None)
    assert list(message["MessageAttributes"]) == ["reason"]


# --- What is not routed, and not kept either


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("acme/raw/a.csv", {"name": "ObjectRemoved:Delete"}),
        ("acme/raw/a.csv", {"name": "ObjectTagging:Put"}),
        ("../a.csv", {"name": "ObjectRemoved:DeleteMarkerCreated"}),
        ("acme/raw/", {"size": 0}),
        ("acme/", {"size": 0}),
        ("acme/raw/2026/", {"size": 0}),
        ("acme/silver/a.csv.jsonl", {}),
        ("acme/rejected/a.csv-0123.jsonl", {}),
        ("nobody/silver/a", {}),
    ],
)
def test_what_is_no_upload_of_a_tenant_is_ignored(
    world: Any, event: Event, key: str, changes: dict[str, Any]
) -> None:
    world.group()
    queue = world.tenant()

    run = world.invoke(event(key, **changes))

    assert (run.outcomes, run.retried) == (["ignored"], [])
    assert run.lines[0]["detail"]
    assert world.received(queue) == world.quarantined() == world.reads() == []


def test_a_test_event_in_a_batch_is_ignored(world: Any, event: Event) -> None:
    world.group()
    queue = world.tenant()
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "example"})

    run = world.invoke(test_event, event("acme/raw/a.csv"), '{"Records": []}')

    assert run.outcomes == ["ignored", "routed", "ignored"]
    assert run.retried == []
    assert len(world.received(queue)) == 1
    assert world.quarantined() == []


def test_an_empty_batch_is_nothing(world: Any) -> None:
    run = world.invoke()

    assert (run.retried, run.lines, run.metrics) == ([], [], Counter())


# --- The registry


def test_an_unknown_tenant_is_asked_for_thoroughly_before_it_is_turned_away(
    world: Any, event: Event
) -> None:
    world.group()

    world.invoke(event("nobody/raw/a.csv"))
    assert world.reads() == [(["nobody"], False), (["nobody"], True)]

    world.now += 4.9
    run = world.invoke(event("nobody/raw/b.csv"))
    assert (run.outcomes, run.metrics["RegistryHit"]) == (["quarantined"], 1)
    assert world.reads() == []

    world.now += 0.2
    world.invoke(event("nobody/raw/c.csv"))
    assert world.reads() == [(["nobody"], True)]


def test_a_tenant_that_was_made_a_moment_ago_is_known(world: Any, event: Event) -> None:
    """A read that is not consistent may not have it yet."""
    world.group()
    queue = world.tenant()

    def behind(request: Any, act: Callable[..., Any]) -> Any:
        answer = act(**request)
        if not any(table["ConsistentRead"] for table in request["RequestItems"].values()):
            answer["Responses"]["example-Tenants"] = []
        return answer

    world.dynamodb.tamper = behind

    assert world.invoke(event("acme/raw/a.csv")).outcomes == ["routed"]
    assert len(world.received(queue)) == 1


@pytest.mark.parametrize(
    "before", [{"Status": "PROVISIONING"}, {"Status": "SUSPENDED"}, {"RootS3Bucket": "example-old"}]
)
def test_a_refusal_is_over_soon_after_its_reason(
    world: Any, event: Event, before: dict[str, str]
) -> None:
    world.group()
    world.tenant(**before)
    assert world.invoke(event("acme/raw/a.csv")).outcomes == ["quarantined"]
    world.tenant()

    world.now += 5.1

    assert world.invoke(event("acme/raw/b.csv")).outcomes == ["routed"]


def test_a_suspension_is_obeyed_within_the_life_of_an_answer(world: Any, event: Event) -> None:
    world.group()
    world.tenant()
    world.invoke(event("acme/raw/a.csv"))
    world.tenant(Status="SUSPENDED")

    world.now += 72.1

    assert world.invoke(event("acme/raw/b.csv")).outcomes == ["quarantined"]


def fail_reads(world: Any, error: Exception) -> None:
    def tamper(_: object, __: object) -> Any:
        raise error

    world.dynamodb.tamper = tamper


def test_known_tenants_go_on_while_dynamodb_fails(
    world: Any, event: Event, refused: Refused
) -> None:
    world.group()
    queue = world.tenant()
    world.invoke(event("acme/raw/a.csv"))
    world.received(queue)
    world.now += 300
    fail_reads(world, refused("ProvisionedThroughputExceededException"))

    run = world.invoke(event("acme/raw/b.csv"), event("globex/raw/b.csv"))

    assert run.outcomes == ["routed", "failed"]
    assert run.retried == ["message-1"]
    assert run.metrics["RegistryStale"] == 1
    assert "ProvisionedThroughputExceeded" in run.lines[0]["registry_error"]
    assert len(world.received(queue)) == 1
    assert world.quarantined() == []


def test_nobody_is_turned_away_while_dynamodb_fails(
    world: Any, event: Event, refused: Refused
) -> None:
    """What the registry said a minute ago may keep an event waiting, but not out."""
    world.group()
    world.tenant(Status="SUSPENDED")
    world.invoke(event("acme/raw/a.csv"), event("nobody/raw/a.csv"))
    assert len(world.quarantined()) == 2
    world.now += 30
    fail_reads(world, refused("InternalServerError"))

    run = world.invoke(event("acme/raw/b.csv"), event("nobody/raw/b.csv"))

    assert run.outcomes == ["failed", "failed"]
    assert run.retried == ["message-0", "message-1"]
    assert world.quarantined() == []


def test_an_active_tenant_without_a_queue_is_a_failure(world: Any, event: Event) -> None:
    world.group()
    world.tenant(TargetQueueForRawFile="")
    world.tenant("globex")

    run = world.invoke(event("acme/raw/a.csv"), event("globex/raw/a.csv"))

    assert run.outcomes == ["failed", "routed"]
    assert run.retried == ["message-0"]
    assert "TenantWithoutQueue" in run.lines[0]["detail"]


# --- Sending


def test_only_the_messages_that_were_refused_come_again(world: Any, event: Event) -> None:
    world.group()
    queue = world.tenant()

    def refuse_some(request: Any, act: Callable[..., Any]) -> Any:
        bad = [e for e in request["Entries"] if '"acme/raw/bad' in e["MessageBody"]]
        good = [e for e in request["Entries"] if e not in bad]
        answer = act(**{**request, "Entries": good}) if good else {}
        failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in bad]
        return {**answer, "Failed": failed}

    world.sqs.tamper = refuse_some

    run = world.invoke(
        event("acme/raw/a"),
        event("acme/raw/bad-1"),
        event("acme/raw/b"),
        event("acme/raw/c", "acme/raw/bad-2"),
    )

    assert run.outcomes == ["routed", "failed", "routed", "routed", "failed"]
    assert run.retried == ["message-1", "message-3"]
    assert "InternalError" in run.lines[1]["detail"]
    assert [line["tenant"] for line in run.lines] == ["acme"] * 5
    keys = [body["key"] for body in world.bodies(queue)]
    assert sorted(keys) == ["acme/raw/a", "acme/raw/b", "acme/raw/c"]


def test_a_queue_that_is_gone_costs_its_own_tenant_only(world: Any, event: Event) -> None:
    world.group()
    gone, queue = world.tenant("acme"), world.tenant("globex")
    world.sqs.client.delete_queue(QueueUrl=gone)

    run = world.invoke(event("acme/raw/a"), event("globex/raw/a"), event("nobody/raw/a"))

    assert run.outcomes == ["failed", "routed", "quarantined"]
    assert run.retried == ["message-0"]
    assert len(world.received(queue)) == 1


def test_a_quarantine_that_does_not_take_an_event_keeps_it_in_its_queue(
    world: Any, event: Event
) -> None:
    world.sqs.client.delete_queue(QueueUrl=world.quarantine_url)

    run = world.invoke(event("nobody/raw/a"), "hello")

    assert run.outcomes == ["failed", "failed"]
    assert run.retried == ["message-0", "message-1"]


def test_messages_without_time_left_are_retried(world: Any, event: Event) -> None:
    world.group()
    for name in ("acme", "globex"):
        world.tenant(name)
    ticks = iter([0.0, 20.0])
    sender = replace(world.module.router.sender, clock=lambda: next(ticks))
    world.module.router = replace(world.module.router, sender=sender)
    world.context = replace(world.context, remaining_ms=iter([60_000, 39_999, 9, 9]).__next__)

    run = world.invoke(event("acme/raw/a"), event("globex/raw/a"))

    assert run.outcomes == ["routed", "deferred"]
    assert run.retried == ["message-1"]


def test_the_largest_event_that_s3_sends_is_routed_and_quarantined(
    world: Any, event: Event
) -> None:
    world.group()
    queue = world.tenant()
    name = "🖼" * 253

    run = world.invoke(*[event(f"{tenant}/raw/{name}") for tenant in ("acme", "nobody")] * 30)

    assert Counter(run.outcomes) == Counter(routed=30, quarantined=30)
    assert {body["key"] for body in world.bodies(queue)} == {f"acme/raw/{name}"}
    kept = world.quarantined()
    assert {body["key"] for body in kept} == {f"nobody/raw/{name}"}
    assert object_events(kept[0]["event"])[0].key == f"nobody/raw/{name}"


# --- The environment


def test_a_wrong_variable_stops_the_function_before_it_takes_a_message(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world
    monkeypatch.setenv("CACHE_SECONDS", "0")
    sys.modules.pop("route_tenant_event.handler")

    with pytest.raises(ConfigurationError, match="CACHE_SECONDS"):
        importlib.import_module("route_tenant_event.handler")


def test_the_package_needs_nothing_but_the_runtime_and_its_requirements() -> None:
    """In particular not boto3, which takes longer to load than a batch takes to route."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import route_tenant_event.handler;"
        "print('boto3' in sys.modules)"
    )
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "STACK": "acme",
        "PIPELINE": "tenant-routing",
        "TENANTS_TABLE": "example-Tenants",
        "GROUPS_TABLE": "example-TenantGroups",
        "QUARANTINE_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/quarantine",
    }

    printed = subprocess.run(
        [sys.executable, "-c", program, ROOT / "functions"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.split() == ["False"]
