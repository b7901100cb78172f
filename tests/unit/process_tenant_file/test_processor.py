"""Whose message it is, and on whose behalf the file is touched; then the function as a whole."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from process_tenant_file.processor import ForeignMessage, TenantGone
from shared import aws
from shared.configuration import ConfigurationError
from shared.contracts.tenant_messages import NotATenantMessage

ROOT = Path(__file__).parents[3]
CSV = b"id,name\n1,red\n"


def assert_untouched(pipeline: Any, outcome: Any, error: type[Exception]) -> None:
    assert outcome.name == "failed"
    assert outcome.retry
    assert isinstance(outcome.error, error)
    assert pipeline.sessions_of == []
    assert pipeline.keys() == []


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "{}",
        '{"Records": []}',
        '{"schema_version": 2}',
    ],
)
def test_what_is_no_message_about_a_file_is_left_to_the_dead_letters(
    pipeline: Any, body: str
) -> None:
    outcome = pipeline.receive(body, "example-tenant-acme-raw")

    assert_untouched(pipeline, outcome, NotATenantMessage)


@pytest.mark.parametrize(
    "key", ["globex/raw/a.csv", "acme/silver/a.csv", "acme/raw/../../globex/raw/a.csv", "a.csv"]
)
def test_a_key_that_is_not_the_tenants_is_never_read(pipeline: Any, key: str) -> None:
    pipeline.tenant("globex")
    file = replace(pipeline.upload(CSV), key=key)

    assert_untouched(pipeline, pipeline.receive(file), NotATenantMessage)


@pytest.mark.parametrize(
    "queue",
    [
        "example-tenant-globex-raw",
        "example-tenant-acme-raw-dlq",
        "example-tg-retail-raw",
        "other-tenant-acme-raw",
        "acme-raw",
        "",
    ],
)
def test_a_message_out_of_another_queue_is_never_processed(pipeline: Any, queue: str) -> None:
    """Whoever may send to one tenant's queue may not have another's files touched."""
    pipeline.tenant("globex")

    outcome = pipeline.receive(pipeline.upload(CSV), queue)

    assert_untouched(pipeline, outcome, ForeignMessage)
    assert (outcome.fields["tenant"], outcome.fields["key"]) == ("acme", "acme/raw/a.csv")


def test_a_shared_queue_is_the_one_of_the_group(pipeline: Any) -> None:
    pipeline.tenant(QueueMode="shared_fair")
    file = pipeline.upload(CSV)

    for queue in ("example-tg-wholesale-raw", "example-tenant-acme-raw"):
        assert_untouched(pipeline, pipeline.receive(file, queue), ForeignMessage)

    assert pipeline.receive(file, "example-tg-retail-raw").name == "processed"
    assert pipeline.sessions_of == ["acme"]


@pytest.mark.parametrize(
    "change",
    [{"group": "wholesale"}, {"bucket": "example-wholesale"}],
)
def test_a_message_that_the_registry_does_not_bear_out_is_never_processed(
    pipeline: Any, change: dict[str, str]
) -> None:
    file = replace(pipeline.upload(CSV), **change)

    assert_untouched(pipeline, pipeline.receive(file), ForeignMessage)


def test_a_tenant_of_no_known_mode_has_no_queue(pipeline: Any) -> None:
    pipeline.tenant(QueueMode="")

    assert_untouched(pipeline, pipeline.receive(pipeline.upload(CSV)), ForeignMessage)


def test_a_tenant_that_is_gone_has_no_files(pipeline: Any) -> None:
    file = replace(pipeline.upload(CSV), tenant="nobody", key="nobody/raw/a.csv")
    assert_untouched(pipeline, pipeline.receive(file), TenantGone)

    pipeline.tenant(Status="DELETING")
    assert_untouched(pipeline, pipeline.receive(pipeline.upload(CSV)), TenantGone)


@pytest.mark.parametrize("status", ["ACTIVE", "SUSPENDED", "PROVISIONING"])
def test_what_was_sent_to_a_tenant_before_it_was_suspended_is_processed(
    pipeline: Any, status: str
) -> None:
    pipeline.tenant(Status=status)

    assert pipeline.receive(pipeline.upload(CSV)).name == "processed"


def test_the_session_is_the_one_of_the_tenant(pipeline: Any) -> None:
    pipeline.tenant("globex")

    pipeline.receive(pipeline.upload(CSV, tenant="globex"))
    pipeline.receive(pipeline.upload(CSV))

    assert pipeline.sessions_of == ["globex", "acme"]


# --- The function as Lambda runs it


def test_a_batch_of_several_tenants_each_in_its_own_name(
    pipeline: Any, start: Callable[..., Any], routed: Callable[..., dict[str, Any]]
) -> None:
    pipeline.tenant("globex", QueueMode="shared_fair")
    function = start()

    run = function.invoke(
        routed(pipeline.upload(CSV)),
        routed(pipeline.upload(CSV + b"2\n", tenant="globex"), "example-tg-retail-raw"),
        routed(pipeline.upload(b"", "b.csv")),
        routed(pipeline.upload(CSV, "c.csv"), "example-tenant-globex-raw"),
    )

    assert [line["outcome"] for line in run.lines] == [
        "processed",
        "processed",
        "rejected",
        "failed",
    ]
    assert run.retried == [run.lines[3]["message_id"]]
    assert run.metrics.pop("Duration") > 0
    assert run.metrics == Counter(Processed=2, Rejected=1, Failed=1)
    line = run.lines[1]
    assert (line["tenant"], line["group"], line["bucket"]) == ("globex", "retail", "example-retail")
    assert (line["key"], line["event_name"]) == ("globex/raw/a.csv", "ObjectCreated:Put")
    assert (line["rows"], line["rejected_rows"]) == (1, 1)
    assert line["output_key"] == "globex/silver/a.csv.jsonl"
    assert pipeline.lines("globex/silver/a.csv.jsonl") == [{"id": "1", "name": "red"}]


def test_every_call_for_a_file_is_signed_by_its_tenants_session(
    pipeline: Any,
    start: Callable[..., Any],
    routed: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And none by the function's own role."""
    pipeline.tenant("globex")
    sessions: dict[str, dict[str, str]] = {}
    calls: list[tuple[str, str]] = []
    make, begin = aws.s3_with, aws.sts

    def s3_with(credentials: Any) -> Any:
        client = make(credentials)
        for moment in ("GetObject", "HeadObject", "PutObject"):
            client.meta.events.register(
                f"before-send.s3.{moment}",
                lambda request, **_: calls.append(
                    (request.url, request.headers["Authorization"].decode())
                ),
            )
        return client

    def sts() -> Any:
        client = begin()
        assume_role = client.assume_role

        def assume(**request: Any) -> Any:
            answer = assume_role(**request)
            tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
            sessions[answer["Credentials"]["AccessKeyId"]] = tags
            return answer

        monkeypatch.setattr(client, "assume_role", assume)
        return client

    function = start()
    module = function.module
    processor = module.processor
    tenant_sessions = type(processor.sessions)(sts(), module.settings.tenant_role, s3_with)
    module.processor = replace(processor, sessions=tenant_sessions)

    run = function.invoke(
        *[routed(pipeline.upload(CSV, f"{n}.csv", t)) for n in range(2) for t in ("acme", "globex")]
    )

    assert run.retried == []
    assert sorted(tags["tenant"] for tags in sessions.values()) == ["acme", "globex"]
    assert {tags["group"] for tags in sessions.values()} == {"retail"}
    assert len(calls) == 12
    for url, authorization in calls:
        (tags,) = [tags for key, tags in sessions.items() if f"Credential={key}/" in authorization]
        assert f"example-retail.s3.eu-west-1.amazonaws.com/{tags['tenant']}/" in url


def test_a_session_that_cannot_be_had_costs_its_own_messages(
    pipeline: Any, start: Callable[..., Any], routed: Callable[..., dict[str, Any]]
) -> None:
    pipeline.tenant("globex")
    function = start()
    sessions = function.module.processor.sessions

    def s3(tenant: Any) -> Any:
        if tenant.name == "acme":
            raise PermissionError("sts:AssumeRole")
        return type(sessions).s3(sessions, tenant)

    function.module.processor = replace(
        function.module.processor, sessions=type("Sessions", (), {"s3": staticmethod(s3)})()
    )

    run = function.invoke(
        routed(pipeline.upload(CSV)), routed(pipeline.upload(CSV, tenant="globex"))
    )

    assert [line["outcome"] for line in run.lines] == ["failed", "processed"]
    assert run.retried == [run.lines[0]["message_id"]]


def test_a_wrong_variable_stops_the_function_before_it_takes_a_message(
    start: Callable[..., Any],
) -> None:
    with pytest.raises(ConfigurationError, match="MAX_FILE_MB"):
        start(MAX_FILE_MB="0")


def test_the_package_needs_nothing_but_the_runtime_and_its_requirements() -> None:
    """In particular not boto3, which takes memory and time to load."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import process_tenant_file.handler;"
        "print('boto3' in sys.modules)"
    )
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "STACK": "acme",
        "PIPELINE": "tenant-routing",
        "TENANTS_TABLE": "example-Tenants",
        "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/files",
        "QUEUE_PREFIX": "example",
    }

    printed = subprocess.run(
        [sys.executable, "-c", program, ROOT / "functions"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.split() == ["False"]
