"""Whatever envelope arrives, of known kinds and unknown: it has an effect, is recorded, or fails.

What has to come out is worked out from how an envelope was made, and never by reading it. Effects
and records are looked for where they belong, in the simulated account, and not in outcomes.
"""

import dataclasses
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from PIL import Image

import create_image_derivative.settings
import log_object_event.settings
import route_tenant_event.settings
import split_csv.settings
from create_image_derivative.derivative import DerivativeMaker
from log_object_event.event_log import EventLog
from log_object_event.trail import Trail
from route_tenant_event.registry import Registry
from route_tenant_event.router import Router
from route_tenant_event.sending import Sender
from shared.batch import Message, Outcome, each_object
from shared.configuration import Environment
from shared.contracts.events import EVENTBRIDGE_NAMES
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger
from split_csv.row_queue import RowQueue
from split_csv.splitter import Splitter

BUCKET = "example-objects"
REJECTIONS = "example-rejections"
KEYS = {
    "image": "ingest/swatch.png",
    "csv": "import/table.csv",
    "route": "acme/raw/test.csv",
    "audit": "any/thing",
}
Work = Callable[[Message], Iterable[Outcome]]


@dataclasses.dataclass
class Account:
    """Services, and the four functions that read envelopes."""

    s3: Any
    sqs: Any
    dynamodb: Any
    works: dict[str, Work]
    tenant_url: str
    quarantine_url: str
    versions: dict[str, dict[str, Any]]

    def taken(self, url: str) -> list[dict[str, Any]]:
        """The bodies in a queue, which are taken out of it."""
        bodies = []
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for one in found:
                bodies.append(json.loads(one["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return bodies

    def traces(self, function: str, outcomes: list[Outcome], body: str) -> list[str]:
        """What an envelope left behind: `effect` and `record`, once for each of its events."""
        if function == "route":
            kept = [one["event"] for one in self.taken(self.quarantine_url)]
            announced = json.loads(body)
            announced = json.loads(announced.get("Message", body))
            assert all(event.items() <= announced.items() for event in kept)
            return ["effect"] * len(self.taken(self.tenant_url)) + ["record"] * len(kept)
        return [
            trace
            for outcome in outcomes
            for trace, left in (("effect", self.has_effect), ("record", self.has_record))
            if left(function, outcome, body)
        ]

    def has_record(self, function: str, outcome: Outcome, body: str) -> bool:
        if "record" not in outcome.fields:
            return False
        stored = self.s3.get_object(Bucket=REJECTIONS, Key=outcome.fields["record"])["Body"]
        record = json.load(stored)
        return bool(record["body"] == body or record["key"] == KEYS[function])

    def has_effect(self, function: str, outcome: Outcome, _: str) -> bool:
        event = outcome.event
        if event is None or outcome.name in ("rejected", "ignored", "failed"):
            return False
        if function == "audit":
            items = self.dynamodb.scan(TableName="trail")["Items"]
            return any(item["event_time"] == {"S": event.event_time} for item in items)
        if function == "csv":
            found = self.dynamodb.scan(TableName="ledger")["Items"]
            return any(
                item.get("import_id") == {"S": outcome.fields["import_id"]} for item in found
            )
        self.s3.head_object(Bucket=BUCKET, Key="derived/swatch.png.jpg")
        return True

    def empty(self) -> None:
        """Forgets effects, so that none is taken for that of the next envelope."""
        self.s3.delete_object(Bucket=BUCKET, Key="derived/swatch.png.jpg")
        for table in ("trail", "ledger"):
            for item in self.dynamodb.scan(TableName=table)["Items"]:
                names = ("object", "event") if table == "trail" else ("import_id", "part")
                self.dynamodb.delete_item(TableName=table, Key={n: item[n] for n in names})


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with mock_aws():
        yield _account()


def _client(service: Any) -> Any:
    return boto3.client(
        service,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _account() -> Account:
    s3, sqs, dynamodb = (_client(service) for service in ("s3", "sqs", "dynamodb"))
    for bucket in (BUCKET, REJECTIONS):
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for name, keys in {
        "trail": ("object", "event"),
        "ledger": ("import_id", "part"),
        "tenants": ("Name",),
        "groups": ("GroupName",),
    }.items():
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=[
                {"AttributeName": k, "KeyType": kind}
                for k, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    rows, imports, tenant, quarantine = (
        sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("rows", "imports", "example-tenant-acme-raw", "quarantine")
    )
    group = {"GroupName": "retail", "BucketName": BUCKET, "Status": "ACTIVE"}
    member = {
        "Name": "acme",
        "GroupName": "retail",
        "RootS3Bucket": BUCKET,
        "Status": "ACTIVE",
        "QueueMode": "per_tenant",
        "TargetQueueForRawFile": tenant,
    }
    for table, item in (("groups", group), ("tenants", member)):
        dynamodb.put_item(TableName=table, Item={n: {"S": value} for n, value in item.items()})
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    contents = {"image": picture.getvalue(), "csv": b"id,name\n1,a\n2,b\n"}
    versions = {
        function: s3.put_object(Bucket=BUCKET, Key=key, Body=contents.get(function, b"x"))
        for function, key in KEYS.items()
    }
    environment = Environment(
        {
            "DERIVATIVE": "thumbnail",
            "MAX_WIDTH": "4",
            "MAX_HEIGHT": "4",
            "SOURCE_PREFIX": "ingest/",
            "OUTPUT_PREFIX": "derived/",
            "REJECTIONS_PREFIX": "rejections/",
            "REJECTIONS_BUCKET": REJECTIONS,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "ROWS_QUEUE_URL": rows,
            "IMPORTS_QUEUE_URL": imports,
            "LEDGER_TABLE": "ledger",
            "IMPORT_PREFIX": "import/",
            "ROUTE": "other",
            "ROUTE_EXCEPT": "ObjectCreated:Copy",
            "TRAIL_TABLE": "trail",
            "TENANTS_TABLE": "tenants",
            "GROUPS_TABLE": "groups",
            "QUARANTINE_QUEUE_URL": quarantine,
        }
    )
    maker = DerivativeMaker(
        create_image_derivative.settings.Settings.from_environment(environment), s3
    )
    log = EventLog(
        log_object_event.settings.Settings.from_environment(environment),
        lambda: s3,
        Trail(dynamodb, "trail", 90),
    )
    splits = split_csv.settings.Settings.from_environment(environment)
    ledger = ImportLedger(dynamodb, "ledger", 90)
    splitter = Splitter(
        splits,
        s3,
        sqs,
        ledger,
        RowQueue(sqs, rows),
        ImportEnding(ledger, splits.max_rejected_percent, lambda: _client("sns"), None),
    )
    routes = route_tenant_event.settings.Settings.from_environment(environment)
    router = Router(Registry(routes, dynamodb), Sender(sqs), quarantine)

    def remaining_ms() -> int:
        return 900_000

    return Account(
        s3,
        sqs,
        dynamodb,
        {
            "image": each_object(maker.handle, maker.refuse),
            "audit": each_object(log.handle, log.refuse),
            "csv": lambda message: splitter.outcomes(message, remaining_ms),
            "route": lambda message: router.route([message], remaining_ms)(message),
        },
        tenant,
        quarantine,
        versions,
    )


# --- Envelopes, and what they truly are


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an event may be called; ``known`` to create an object, or to create none, or neither."""

    creates: bool
    known: bool
    notification: str | None = None
    eventbridge: tuple[str | None, ...] = ()


CREATIONS = ["Put", "Post", "Copy", "CompleteMultipartUpload", "Rename"]
REASONS = ["PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload", "RenameObject"]
NOTHING_CREATED = [
    "ObjectRemoved:Delete",
    "ObjectRestore:Completed",
    "Replication:OperationNotTracked",
    "LifecycleTransition",
    "ObjectTagging:Put",
]
UNKNOWN = ["ObjectPolished:Twice", "Object", "ObjectCreated", "objectcreated:put", "Object Created"]

kinds = st.one_of(
    st.builds(
        Kind,
        st.just(True),
        st.just(True),
        st.sampled_from(CREATIONS).map("ObjectCreated:{}".format),
    ),
    st.builds(
        Kind,
        st.just(True),
        st.just(True),
        st.none(),
        st.tuples(st.just("Object Created"), st.none() | st.sampled_from(REASONS) | st.text()),
    ),
    st.builds(Kind, st.just(False), st.just(True), st.sampled_from(NOTHING_CREATED)),
    st.builds(
        Kind,
        st.just(False),
        st.just(True),
        st.none(),
        st.sampled_from(sorted(n for n in EVENTBRIDGE_NAMES if n[0] != "Object Created")),
    ),
    st.builds(Kind, st.just(False), st.just(False), st.sampled_from(UNKNOWN)),
    st.builds(
        Kind,
        st.just(False),
        st.just(False),
        st.none(),
        st.tuples(
            st.sampled_from(["Object Polished", "object created", "ObjectCreated", "Object"]),
            st.none() | st.sampled_from(REASONS),
        ),
    ),
)


@dataclasses.dataclass(frozen=True)
class Draft:
    """An envelope without its object. ``says`` is which optional fields it has."""

    kind: Kind
    says: frozenset[str]
    wrapped: bool
    test_event: bool
    number: int

    def body(self, key: str, version: dict[str, Any]) -> str:
        kind = self.kind
        envelope = (
            self._notification(key, version) if kind.notification else self._event(key, version)
        )
        if self.test_event:
            # Who adds this to an event does not make it disappear.
            envelope["Event"] = "s3:TestEvent"
        body = json.dumps(envelope)
        return json.dumps({"Type": "Notification", "Message": body}) if self.wrapped else body

    def _notification(self, key: str, version: dict[str, Any]) -> dict[str, Any]:
        described = {
            "key": quote_plus(key, safe="/"),
            **self._said(size=9, eTag=version["ETag"], versionId=version["VersionId"]),
            **self._said(sequencer=f"{self.number:016X}"),
        }
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": self._time,
            "eventName": self.kind.notification,
            "s3": {"bucket": {"name": BUCKET}, "object": described},
        }
        return {"Records": [record]}

    def _event(self, key: str, version: dict[str, Any]) -> dict[str, Any]:
        name, reason, deletion = (*self.kind.eventbridge, None, None)[:3]
        described = {
            "key": key,
            **self._said(size=9, etag=version["ETag"].strip('"')),
            **self._said(sequencer=f"{self.number:016X}"),
        }
        if "versionId" in self.says:
            described["version-id"] = version["VersionId"]
        detail = {"bucket": {"name": BUCKET}, "object": described}
        more = {"reason": reason, "deletion-type": deletion}
        return {
            "version": "0",
            "source": "aws.s3",
            "detail-type": name,
            "time": self._time,
            "region": "eu-west-1",
            "detail": {**detail, **{n: value for n, value in more.items() if value is not None}},
        }

    @property
    def _time(self) -> str:
        return f"2026-03-01T09:30:00.{self.number:03}Z"

    def _said(self, **fields: object) -> dict[str, object]:
        return {
            name: value
            for name, value in fields.items()
            if name.lower() in {s.lower() for s in self.says}
        }


drafts = st.builds(
    Draft,
    kinds,
    st.frozensets(st.sampled_from(["size", "eTag", "versionId", "sequencer"])),
    st.booleans(),
    st.sampled_from([False] * 4 + [True]),
    st.integers(1, 999),
)


def outcomes_of(work: Work, message: Message) -> list[Outcome]:
    try:
        return list(work(message))
    except Exception as error:
        return [Outcome.failure(error)]


@pytest.mark.parametrize("function", KEYS)
def test_every_envelope_has_an_effect_or_is_recorded(account: Account, function: str) -> None:
    key, version = KEYS[function], account.versions[function]
    seen = set()
    ids = (f"message-{n}" for n in itertools.count())

    @given(drafts)
    @settings(
        max_examples=60,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def deliver(draft: Draft) -> None:
        account.empty()
        body = draft.body(key, version)
        outcomes = outcomes_of(account.works[function], Message(next(ids), body, 1))
        traces = account.traces(function, outcomes, body)
        seen.add((draft.kind.creates, draft.kind.known, bool(draft.kind.notification), *traces))
        assert not any(outcome.retry for outcome in outcomes)
        if function == "audit":
            assert len(traces) == 1
        elif draft.kind.creates:
            assert traces == ["effect"] or (function == "csv" and traces == ["record"])
        elif draft.kind.known:
            assert traces == []
            assert [outcome.name for outcome in outcomes] == ["ignored"]
        else:
            assert traces == ["record"]

    deliver()

    # Every kind, in both envelopes, and not only those that end well.
    assert len({truth[:3] for truth in seen}) == 6


def test_a_creation_without_a_reason_reaches_its_tenant(
    account: Account, lambda_event: Callable[[str], dict[str, Any]]
) -> None:
    event = lambda_event("object_created_without_reason")
    event["detail"]["bucket"]["name"] = BUCKET

    (outcome,) = account.works["route"](Message("m", json.dumps(event), 1))

    assert (outcome.name, outcome.retry) == ("routed", False)
    (message,) = account.taken(account.tenant_url)
    assert (message["key"], message["event_name"]) == ("acme/raw/test.csv", "ObjectCreated:Unknown")
