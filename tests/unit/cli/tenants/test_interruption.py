"""Creation that is killed, repeated, doubled, or told to wait."""

import threading
from collections import Counter
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from support.tenant_platform import (
    GROUP,
    GROUP_CALLS,
    PREFIX,
    SHARED_GROUP,
    SHARED_GROUP_CALLS,
    TENANT,
    TENANT_CALLS,
    Calls,
    Cloud,
    drift,
    killed_after,
    numbered,
    refused,
    run,
    sentence,
)


def check_complete(cloud: Cloud, queues: int, mappings: int, versions: int) -> None:
    """Everything once, and nothing that should not be there."""
    assert len(cloud.queues()) == queues
    assert len(cloud.buckets()) == 1
    assert len(cloud.mappings()) == len(set(cloud.mappings())) == mappings
    assert len(cloud.keys("gold")) == versions
    found = boto3.client("s3").get_bucket_notification_configuration(Bucket=cloud.bucket("gold"))
    assert len(found["QueueConfigurations"]) == 1


@pytest.mark.parametrize("nth", numbered(GROUP_CALLS))
def test_a_group_whose_maker_was_killed(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], nth: int
) -> None:
    killed_after(calls, nth, *GROUP)

    if nth < len(GROUP_CALLS):
        assert ("group gold", "status of group gold") in [one[:2] for one in drift(capsys)]
        assert "PROVISIONING" in sentence(capsys, *TENANT)
    run(*GROUP)

    assert drift(capsys) == []
    check_complete(cloud, queues=2, mappings=1, versions=0)


# The calls that the shared queue adds.
@pytest.mark.parametrize("nth", [4, 5, 16])
def test_a_group_with_a_shared_queue_whose_maker_was_killed(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], nth: int
) -> None:
    killed_after(calls, nth, *SHARED_GROUP)
    assert calls.writes[-1] == SHARED_GROUP_CALLS[nth - 1]

    # Without the option: the record remembers.
    run(*GROUP)

    assert drift(capsys) == []
    check_complete(cloud, queues=4, mappings=2, versions=0)


@pytest.mark.parametrize("nth", numbered(TENANT_CALLS))
def test_a_tenant_whose_maker_was_killed(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], nth: int
) -> None:
    killed_after(calls, nth, *TENANT)

    if nth < len(TENANT_CALLS):
        assert ("tenant acme", "status of tenant acme") in [one[:2] for one in drift(capsys)]
        record = gold.record("tenant", "acme")
        assert record is not None
        assert record["Status"] == "PROVISIONING"
    run(*TENANT)

    assert drift(capsys) == []
    check_complete(gold, queues=4, mappings=2, versions=2)


@pytest.mark.parametrize("nth", numbered(TENANT_CALLS[:-1]))
def test_a_repair_finishes_what_was_begun(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], nth: int
) -> None:
    killed_after(calls, nth, *TENANT)

    assert drift(capsys, "acme", "--repair") != []

    assert drift(capsys) == []
    check_complete(gold, queues=4, mappings=2, versions=2)


@pytest.mark.parametrize("operation", sorted({*GROUP_CALLS, *TENANT_CALLS}))
def test_creation_survives_a_lost_answer_to_any_write(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    """The change was made, and the SDK asks for it again because it has not heard so."""
    asking_again = False

    def ask_first(name: str, parameters: dict[str, Any]) -> None:
        nonlocal asking_again
        if name == operation and not asking_again:
            asking_again = True
            client: Any = boto3.client(service_of(name))
            client._make_api_call(name, parameters)
            asking_again = False

    calls.on_call = ask_first
    run(*GROUP)
    run(*TENANT)
    calls.undisturbed()

    assert drift(capsys) == []
    check_complete(cloud, queues=4, mappings=2, versions=2)


def service_of(operation: str) -> Any:
    if operation.endswith(("Item", "Items")):
        return "dynamodb"
    return {"CreateQueue": "sqs", "CreateEventSourceMapping": "lambda"}.get(operation, "s3")


@pytest.mark.parametrize("arguments", [GROUP, TENANT], ids=["group", "tenant"])
def test_concurrent_creations_of_one_name_both_succeed(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    if arguments == TENANT:
        run(*GROUP)
    # Both have looked and found nothing before either makes anything.
    both_looked = {
        name: threading.Barrier(2)
        for name in ("PutItem", "TransactWriteItems", "CreateQueue", "CreateEventSourceMapping")
    }
    met: Counter[tuple[str, int]] = Counter()

    def meet(name: str, _: dict[str, Any]) -> None:
        met[name, threading.get_ident()] += 1
        if name in both_looked and met[name, threading.get_ident()] == 1:
            both_looked[name].wait(timeout=20)

    calls.on_call = meet
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(main(["tenants", *arguments])))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    calls.undisturbed()

    assert codes == [0, 0]
    assert drift(capsys) == []
    pairs = 2 if arguments == TENANT else 1
    check_complete(cloud, queues=2 * pairs, mappings=pairs, versions=2 * (pairs - 1))


def test_a_name_that_was_deleted_and_made_again_meanwhile(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever comes back late must not call the next life of a name complete."""

    def begin_another_life(name: str, _: dict[str, Any]) -> None:
        if name == "PutObject":
            gold.set("tenant", "acme", "CreatedAt", "2027-01-01T00:00:00.000000Z")

    calls.on_call = begin_another_life

    assert "Another process has made the tenant acme PROVISIONING" in sentence(capsys, *TENANT)
    record = gold.record("tenant", "acme")
    assert record is not None
    assert record["Status"] == "PROVISIONING"


def test_a_group_that_is_deleted_gets_no_more_tenants(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def begin_to_delete(name: str, _: dict[str, Any]) -> None:
        if name == "TransactWriteItems":
            gold.set("group", "gold", "Status", "DELETING")

    calls.on_call = begin_to_delete

    line = sentence(capsys, *TENANT)

    assert "The group gold is DELETING" in line
    assert gold.record("tenant", "acme") is None


def test_a_tenant_that_comes_and_goes_meanwhile_is_not_blamed_on_its_group(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def come_and_go(name: str, _: dict[str, Any]) -> None:
        if name == "TransactWriteItems":
            gold.set("tenant", "acme", "Status", "ACTIVE")
        elif name == "GetItem" and "TransactWriteItems" in calls.made:
            calls.undisturbed()
            boto3.client("dynamodb").delete_item(
                TableName=f"{PREFIX}-Tenants", Key={"Name": {"S": "acme"}}
            )

    calls.on_call = come_and_go

    assert "made the tenant acme disappear meanwhile" in sentence(capsys, *TENANT)


# -- What AWS is not ready for yet


@pytest.mark.parametrize(
    "code", ["AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"]
)
def test_the_minute_after_a_queue_was_deleted(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    calls.failing("CreateQueue", 29, code)

    run(*TENANT)

    said = capsys.readouterr().err
    assert said.count("was deleted less than a minute ago") == 1
    assert sum(gold.pauses) >= 58
    assert drift(capsys) == []


def test_a_deleted_queue_that_still_answers_is_not_taken_for_a_new_one(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a minute SQS may go on describing a queue, which then vanishes."""
    boto3.client("dynamodb").delete_item(TableName=f"{PREFIX}-Tenants", Key={"Name": {"S": "acme"}})
    calls.failing("CreateQueue", 3, "AWS.SimpleQueueService.QueueDeletedRecently")

    run(*TENANT)

    assert calls.writes.count("CreateQueue") == 5
    assert drift(capsys) == []
    assert acme.queues()


def test_a_name_that_never_becomes_free(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.failing("CreateQueue", 1000, "AWS.SimpleQueueService.QueueDeletedRecently")

    assert "QueueDeletedRecently" in sentence(capsys, *TENANT, code=3)
    assert sum(gold.pauses) < 150


def test_a_new_queue_is_left_alone_for_a_second(cloud: Cloud, calls: Calls) -> None:
    waited: list[float] = []

    def look(name: str, _: dict[str, Any]) -> None:
        if name == "CreateQueue":
            waited.append(sum(cloud.pauses))

    calls.on_call = look
    run(*GROUP)

    assert waited == [0, 1]
    assert sum(cloud.pauses) == 2


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue", ""),
        ("CreateBucket", "OperationAborted", ""),
        ("PutBucketPolicy", "OperationAborted", ""),
        (
            "PutBucketNotificationConfiguration",
            "InvalidArgument",
            "Unable to validate the following destination configurations",
        ),
        (
            "CreateEventSourceMapping",
            "InvalidParameterValueException",
            "SQS Error Code: AWS.SimpleQueueService.NonExistentQueue",
        ),
        ("CreateEventSourceMapping", "ResourceInUseException", ""),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_what_takes_a_moment_is_waited_for(
    calls: Calls,
    capsys: pytest.CaptureFixture[str],
    operation: str,
    code: str,
    message: str,
) -> None:
    calls.failing(operation, 4, code, message)

    run(*GROUP)

    assert drift(capsys) == []


def test_a_mapping_that_is_still_being_deleted(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it is gone it is listed and stands in the way of another one."""
    queue, client = f"{PREFIX}-tg-gold-ingest", boto3.client("lambda")
    (going,) = client.list_event_source_mappings()["EventSourceMappings"]
    client.delete_event_source_mapping(UUID=going["UUID"])

    def still_list(name: str, _writes: int, answer: Any) -> None:
        if name == "ListEventSourceMappings" and len(gold.pauses) < 5:
            answer["EventSourceMappings"].append({**going, "State": "Deleting"})

    calls.failing("CreateEventSourceMapping", 3, "ResourceConflictException")
    calls.on_answer = still_list

    run(*GROUP)

    assert "Lambda is not ready" in capsys.readouterr().err
    assert gold.mappings() == [(queue, "route")]


def test_the_surplus_of_two_mappings_that_somebody_else_removes_first(
    gold: Cloud, calls: Calls
) -> None:
    """Whoever may delete the mappings of certain functions only is denied one that is gone."""
    queue, client = f"{PREFIX}-tg-gold-ingest", boto3.client("lambda")
    client.create_event_source_mapping(
        EventSourceArn=gold.arn(queue), FunctionName=f"{PREFIX}-tenants-route"
    )

    def be_faster(name: str, parameters: dict[str, Any]) -> None:
        if name == "DeleteEventSourceMapping":
            calls.undisturbed()
            client.delete_event_source_mapping(UUID=parameters["UUID"])
            raise refused("AccessDeniedException", name)

    calls.on_call = be_faster

    run(*GROUP)

    assert gold.mappings() == [(queue, "route")]


def test_a_mapping_that_another_process_takes_for_its_surplus(gold: Cloud, calls: Calls) -> None:
    queue, client = f"{PREFIX}-tg-gold-ingest", boto3.client("lambda")
    for one in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=one["UUID"])

    def prefer_its_own(name: str, parameters: dict[str, Any]) -> None:
        if name == "ListTags":
            calls.undisturbed()
            client.delete_event_source_mapping(UUID=parameters["Resource"].rpartition(":")[2])
            client.create_event_source_mapping(
                EventSourceArn=gold.arn(queue), FunctionName=f"{PREFIX}-tenants-route"
            )

    calls.on_call = prefer_its_own

    run(*GROUP)

    assert gold.mappings() == [(queue, "route")]
