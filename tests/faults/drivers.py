"""How each pipeline is fed, and how everything that went in is found again.

Every event of a run has a token in its key, its id or its body, such as `good-cut-0012`, so that
what came of it is known wherever it ended.
"""

import io
import json
import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from operator import itemgetter
from typing import Any

import boto3
from botocore.config import Config
from PIL import Image

from event_pipelines.__main__ import main
from event_pipelines.contracts.item_messages import ItemMessage
from event_pipelines.items import put, samples
from event_pipelines.pipelines import item_relay
from event_pipelines.pipelines.tenant_platform import locate
from event_pipelines.stack import Stack
from security.operations import object_event
from support.stacks import PREFIX, messages_in

THREADS = 8
# One in so many events is poison.
POISON_EVERY = 10
TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "any"})
# How long a FIFO queue drops what has the deduplication id of something it took, whoever has
# received that: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
# FIFO-queues-exactly-once-processing.html
REMEMBERED_MILLISECONDS = 300_000
# Longer than any key may be.
ENORMOUS = "x" * 1100


# Groups by how their queues are made, and tenants by their groups.
GROUPS = {"north": "per_tenant", "south": "shared_fair"}
TENANTS = {"alice": "north", "anton": "north", "bob": "south", "bea": "south"}


@cache
def client(service: str) -> Any:
    """Like `boto3.client`, for as many calls at a time as are made here; made once."""
    make: Any = boto3.client  # its overloads know no service that is not written out
    return make(service, config=Config(max_pool_connections=2 * THREADS))


@dataclass(frozen=True)
class Fed:
    """What went in, by id: `good` has to have its effect, `poison` must be rejected or dead."""

    good: frozenset[str]
    poison: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.good | self.poison


@dataclass(frozen=True)
class Queue:
    """A queue that somebody works on, and where its messages end that nobody can work on.

    `way` is what ids begin with where one event goes several ways, each through its own queue.
    """

    name: str
    url: str
    dead_letters: str
    way: str = ""


class Driver(ABC):
    """One pipeline. `run` names a run in lower-case letters; ids are unique among all runs."""

    name: str
    functions: Sequence[str]
    # What else holds messages at the end of a run, by URL.
    kept: Sequence[str] = ()

    @abstractmethod
    def queues(self) -> list[Queue]:
        """In the order in which an event meets them; those that events enter by come first."""

    @property
    @abstractmethod
    def entrances(self) -> Sequence[str]:
        """URLs of the queues that `feed` fills."""

    @abstractmethod
    def operations(self, run: str, number: int) -> "Operation":
        """The event with this number; every `POISON_EVERY`th is poison."""

    @abstractmethod
    def effects(self, run: str) -> Counter[str]:
        """How often each event had its effect, whole."""

    @abstractmethod
    def rejections(self, run: str) -> frozenset[str]: ...

    def faults(self, run: str) -> list[str]:  # noqa: ARG002 - some have nothing to add
        """Sentences about what is there twice, or in part, at the end, beside `effects`."""
        return []

    def feed(self, run: str, count: int) -> Fed:
        """Send `count` events, and S3's own test events, which are none."""
        for url in self.entrances:
            client("sqs").send_message(QueueUrl=url, MessageBody=TEST_EVENT)
        operations = [self.operations(run, number) for number in range(count)]
        in_parallel([operation.act for operation in operations])
        return Fed(
            good=frozenset(
                one for operation in operations if operation.good for one in operation.ids
            ),
            poison=frozenset(
                one for operation in operations if not operation.good for one in operation.ids
            ),
        )

    def dead_letters(self, run: str) -> frozenset[str]:
        return frozenset(
            queue.way + one
            for queue in self.queues()
            for body in peeked(queue.dead_letters)
            for one in tokens(run, body)
        )


@dataclass(frozen=True)
class Operation:
    """What makes one event happen. `ids` are more than one where it goes several ways."""

    act: Callable[[], object]
    ids: tuple[str, ...]
    good: bool


def token(run: str, number: int) -> str:
    kind = "poison" if is_poison(number) else "good"
    return f"{kind}-{run}-{number:04}"


def is_poison(number: int) -> bool:
    return number % POISON_EVERY == POISON_EVERY - 1


def tokens(run: str, text: str) -> set[str]:
    return set(re.findall(rf"(?:good|poison)-{run}-\d{{4}}", text))


def in_parallel(operations: Iterable[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda operation: operation(), operations):
            pass


def queue_named(name: str) -> Queue:
    return Queue(name, client("sqs").get_queue_url(QueueName=name)["QueueUrl"], f"{name}-dlq")


def name_in(url: str) -> str:
    return url.rpartition("/")[2]


def peeked(queue: str) -> list[str]:
    """The bodies in a queue, as an operator looks at them."""
    if not messages_in(queue_named(queue).url):
        # Looking into an empty one takes a second.
        return []
    printed = command("queues", "peek", queue, "--count", "1000", "--json")
    return [json.loads(line)["body"] for line in printed.splitlines()]


def command(*arguments: str) -> str:
    """What the command line prints; it has to succeed."""
    printed, said = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(said):
        code = main([*arguments, "--prefix", PREFIX])
    assert code == 0, f"{arguments}: {said.getvalue()}"
    return printed.getvalue()


def taken(url: str) -> list[str]:
    """Every body in a queue, which is empty then."""
    return [message["Body"] for message in taken_messages(url)]


def taken_messages(url: str) -> list[dict[str, Any]]:
    """Every message in a queue, which is empty then, with the time when it was sent."""
    sqs, messages = client("sqs"), []
    receive = partial(
        sqs.receive_message,
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=0,
        MessageSystemAttributeNames=["SentTimestamp"],
    )
    while found := receive().get("Messages"):
        messages += found
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(found)
        ]
        answer = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        assert not answer.get("Failed"), answer
    return messages


def announcements(sent: Iterable[tuple[str, int]]) -> Counter[str]:
    """How often each item was announced, of items and the milliseconds of their messages.

    What is sent again after the queue has forgotten the first is the same announcement: the
    function died between sending and noting it, and the next delivery came too late for the queue
    to drop the second. Whoever receives both has to know them for the same.
    """
    counted: Counter[str] = Counter()
    latest: dict[str, int] = {}
    for item, at in sorted(sent, key=itemgetter(1)):
        is_forgotten = item in latest and at - latest[item] >= REMEMBERED_MILLISECONDS
        counted[item] += not is_forgotten
        latest[item] = at
    return counted


def send(url: str, body: str) -> Callable[[], object]:
    return partial(client("sqs").send_message, QueueUrl=url, MessageBody=body)


def upload(bucket: str, key: str, body: bytes) -> Callable[[], object]:
    return partial(client("s3").put_object, Bucket=bucket, Key=key, Body=body)


def objects(bucket: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys and bodies."""
    s3 = client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            answer = s3.get_object(Bucket=bucket, Key=item["Key"])
            yield item["Key"], answer["Body"].read().decode()


def versions(bucket: str, prefix: str = "") -> Iterator[str]:
    """The key of every version."""
    pages = client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Versions", []):
            yield item["Key"]


def items(table: str) -> Iterator[dict[str, Any]]:
    for page in client("dynamodb").get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def garbage(name: str, number: int) -> str:
    """No JSON, or JSON of some other shape; the name is in it."""
    shapes = (f"{name} is no JSON", json.dumps({"said": name}), json.dumps([name, {"Records": 1}]))
    return shapes[number // POISON_EVERY % len(shapes)]


class Audit(Driver):
    """Good: an item in the trail, by its route. Poison: a record among the rejections."""

    name = "event-audit"

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._pipeline = outputs["event_audit"]
        self._routes: dict[str, dict[str, Any]] = self._pipeline["routes"]
        self.functions = [route["function_name"] for route in self._routes.values()]
        self._began: dict[str, int] = {}
        upload(self._pipeline["bucket"], "source", b"to be copied")()

    def feed(self, run: str, count: int) -> Fed:
        self._began[run] = int(time.time() * 1000)
        return super().feed(run, count)

    def queues(self) -> list[Queue]:
        return [
            Queue(name_in(r["queue_url"]), r["queue_url"], name_in(r["dlq_url"]), f"{name}/")
            for name, r in self._routes.items()
        ]

    @property
    def entrances(self) -> list[str]:
        return [route["queue_url"] for route in self._routes.values()]

    def operations(self, run: str, number: int) -> Operation:
        one = token(run, number)
        if is_poison(number):
            routes = sorted(self._routes)
            refusing = routes[number // POISON_EVERY % len(routes)]
            sent = send(self._routes[refusing]["queue_url"], garbage(one, number))
            return Operation(sent, (f"{refusing}/{one}",), good=False)
        bucket, s3 = self._pipeline["bucket"], client("s3")
        source = {"Bucket": bucket, "Key": "source"}
        event = partial(object_event, bucket, f"{one}-{ENORMOUS}")
        route, act = (
            ("upload", upload(bucket, one, b"x")),
            ("copy", partial(s3.copy_object, Bucket=bucket, Key=one, CopySource=source)),
            ("removal", partial(_made_and_deleted, bucket, one)),
            # A key that no object can have, and whose end the trail has to leave out.
            ("upload", self._published(event())),
            ("other", self._published(event(name="ObjectFrozen:Solid"))),
        )[number % 5]
        # What is deleted was made before.
        ways = {route, "upload"} if route == "removal" else {route}
        return Operation(act, tuple(f"{way}/{one}" for way in ways), good=True)

    def _published(self, event: str) -> Callable[[], object]:
        topic = self._pipeline["topic_arn"]
        return partial(client("sns").publish, TopicArn=topic, Message=event)

    def effects(self, run: str) -> Counter[str]:
        return Counter(
            f"{item['route']['S']}/{one}"
            for item in items(self._pipeline["trail_table"])
            for one in tokens(run, item["key"]["S"])
        )

    def rejections(self, run: str) -> frozenset[str]:
        return frozenset(
            f"{key.partition('/')[0]}/{one}"
            for key, body in objects(self._pipeline["rejections_bucket"])
            for one in tokens(run, body)
        )

    def faults(self, run: str) -> list[str]:
        """The trail holds an event once by its key; the log has to by itself."""
        logged: Counter[str] = Counter()
        pages, since = client("logs").get_paginator("filter_log_events"), self._began[run]
        for name, route in self._routes.items():
            for page in pages.paginate(logGroupName=route["log_group"], startTime=since):
                for event in page["events"]:
                    for line in event["message"].splitlines():
                        if '"outcome":"logged"' in line.replace(": ", ":"):
                            logged.update(f"{name}/{one}" for one in tokens(run, line))
        return [f"{one} was logged {count} times" for one, count in logged.items() if count > 1]


def _made_and_deleted(bucket: str, key: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key=key)


class Relay(Driver):
    """Good: revision 2, announced once. Poison: a rejection, or a dead letter."""

    name = "item-relay"

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._pipeline = outputs["item_relay"]
        self.functions = [self._pipeline["function"]]
        self._script = put.connect(Stack(PREFIX))
        self._finished: list[tuple[str, int]] = []

    def queues(self) -> list[Queue]:
        return [queue_named(name_in(self._pipeline["updates_queue_url"]))]

    @property
    def entrances(self) -> list[str]:
        return [self._pipeline["updates_queue_url"]]

    def operations(self, run: str, number: int) -> Operation:
        one, url = token(run, number), self._pipeline["updates_queue_url"]
        if not is_poison(number):
            new = put.NewItem(one, samples.sample(one), {"name": one})
            return Operation(partial(self._script.put, new), (one,), good=True)
        bucket = self._pipeline["bucket"]
        bodies = (
            garbage(one, number),
            ItemMessage(f"{one}-{ENORMOUS}", bucket, "files/enormous.json", 1).encode(),
            # There is no such item, which may be because its message overtook it.
            ItemMessage(one, bucket, item_relay.key_of(one), 1).encode(),
        )
        return Operation(send(url, bodies[number // POISON_EVERY % 3]), (one,), good=False)

    def effects(self, run: str) -> Counter[str]:
        self._collect()
        updated = {item["id"]["S"] for item in items(self._pipeline["table"]) if _is_at_two(item)}
        return Counter(
            {
                one: count
                for name, count in announcements(self._finished).items()
                for one in tokens(run, name)
                if name in updated
            }
        )

    def _collect(self) -> None:
        """Takes what is finished out of its queue, as a service would."""
        for message in taken_messages(self._pipeline["finished_queue_url"]):
            item = ItemMessage.decode(message["Body"]).item_id
            self._finished.append((item, int(message["Attributes"]["SentTimestamp"])))

    def rejections(self, run: str) -> frozenset[str]:
        found = objects(self._pipeline["bucket"], "rejections/")
        return frozenset(one for _, body in found for one in tokens(run, body))

    def faults(self, run: str) -> list[str]:
        """An item is updated once, and nothing is left unsaid about it."""
        mine = [i for i in items(self._pipeline["table"]) if tokens(run, i["id"]["S"])]
        return [
            f"{item['id']['S']} is at {item['revision']}, with {item.get('outbox')} to be sent"
            for item in mine
            if not _is_at_two(item) or "outbox" in item
        ]


def _is_at_two(item: dict[str, Any]) -> bool:
    return bool(item["revision"] == {"N": "2"})


# Settings of the pipeline with which uploads of all these names begin it.
ANY_NAME = {"suffixes": "all"}
NAMES = (".jpg", ".jfif", "", ".heic", ".txt")


class Images(Driver):
    """Good: each derivative, in one version. Poison: a rejection of each."""

    name = "image-derivatives"

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._pipeline = outputs["image_derivatives"]
        self._derivatives: dict[str, dict[str, Any]] = self._pipeline["derivatives"]
        self.functions = [each["function_name"] for each in self._derivatives.values()]
        buffer = io.BytesIO()
        Image.new("RGB", (24, 16), "teal").save(buffer, "JPEG")
        self._picture = buffer.getvalue()

    def queues(self) -> list[Queue]:
        return [
            Queue(name_in(d["queue_url"]), d["queue_url"], name_in(d["dlq_url"]), f"{name}/")
            for name, d in self._derivatives.items()
        ]

    @property
    def entrances(self) -> list[str]:
        return [each["queue_url"] for each in self._derivatives.values()]

    def operations(self, run: str, number: int) -> Operation:
        one, bucket = token(run, number), self._pipeline["bucket"]
        ids = tuple(f"{derivative}/{one}" for derivative in self._derivatives)
        key = f"{self._pipeline['source_prefix']}{one}"
        name = key + NAMES[number % len(NAMES)]
        if not is_poison(number):
            return Operation(upload(bucket, name, self._picture), ids, good=True)
        publish = partial(client("sns").publish, TopicArn=self._pipeline["topic_arn"])
        acts: tuple[Callable[[], object], ...] = (
            partial(publish, Message=garbage(one, number)),
            upload(bucket, name, b"this is no picture"),
            partial(publish, Message=object_event(bucket, f"{key}-{ENORMOUS}.jpg")),
        )
        return Operation(acts[number // POISON_EVERY % 3], ids, good=False)

    def effects(self, run: str) -> Counter[str]:
        prefix = self._pipeline["output_prefix"]
        return Counter(
            f"{key.removeprefix(prefix).partition('/')[0]}/{one}"
            for key in versions(self._pipeline["bucket"], prefix)
            for one in tokens(run, key)
        )

    def rejections(self, run: str) -> frozenset[str]:
        prefix = self._pipeline["rejections_prefix"]
        return frozenset(
            f"{key.removeprefix(prefix).partition('/')[0]}/{one}"
            for key, body in objects(self._pipeline["bucket"], prefix)
            for one in tokens(run, body)
        )


class Imports(Driver):
    """Good: a complete import, whose rows are all in the table or among the rejections, once.

    Poison: a failed import or a kept message, or a dead letter.
    """

    name = "csv-import"
    rows = 5

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._pipeline = outputs["csv_import"]
        self.functions = [self._pipeline["split_function"], self._pipeline["load_function"]]

    def queues(self) -> list[Queue]:
        urls = [self._pipeline[f"{name}_queue_url"] for name in ("imports", "rows")]
        return [queue_named(name_in(url)) for url in urls]

    @property
    def entrances(self) -> list[str]:
        return [self._pipeline["imports_queue_url"]]

    def operations(self, run: str, number: int) -> Operation:
        one, pipeline = token(run, number), self._pipeline
        key = f"{pipeline['import_prefix']}{one}.csv"
        if not is_poison(number):
            rows = [f"{one}-{row},row" for row in range(self.rows)]
            if self._has_broken_row(one):
                rows[2] += ",and,more"
            # Without a column of keys: a row that is loaded twice is not the same item by itself.
            content = "name,remark\n" + "\n".join(rows) + "\n"
            return Operation(upload(pipeline["bucket"], key, content.encode()), (one,), good=True)
        unknown = {
            "v": 1,
            "import_id": one,
            "bucket": pipeline["bucket"],
            "key": key,
            "version_id": None,
            "header": ["id"],
            "first_row": 1,
            "rows": [[2, ["x"]]],
        }
        acts = (
            send(pipeline["imports_queue_url"], garbage(one, number)),
            upload(pipeline["bucket"], key, "id\nä\n".encode("utf-32")),
            send(pipeline["rows_queue_url"], garbage(one, number)),
            # The ledger knows of no such import, which another ledger might.
            send(pipeline["rows_queue_url"], json.dumps(unknown)),
        )
        return Operation(acts[number // POISON_EVERY % 4], (one,), good=False)

    def _has_broken_row(self, one: str) -> bool:
        return one.endswith(("0", "5"))

    def effects(self, run: str) -> Counter[str]:
        return Counter(
            one
            for item in self._imports(run)
            if item["status"] == {"S": "COMPLETE"}
            for one in tokens(run, item["key"]["S"])
        )

    def _imports(self, run: str) -> list[dict[str, Any]]:
        return [
            item
            for item in items(self._pipeline["ledger_table"])
            if item["part"] == {"S": "IMPORT"} and tokens(run, item["key"]["S"])
        ]

    def rejections(self, run: str) -> frozenset[str]:
        found = objects(self._pipeline["bucket"], self._pipeline["rejections_prefix"])
        return frozenset(
            one for key, body in found if key.endswith(".json") for one in tokens(run, body)
        )

    def faults(self, run: str) -> list[str]:
        """Counted exactly: what the ledger says of complete imports, the table, the rejections."""
        in_table: Counter[str] = Counter()
        for item in items(self._pipeline["table"]):
            in_table.update(tokens(run, item["name"]["S"]))
        rejected: Counter[str] = Counter()
        prefix = self._pipeline["rejections_prefix"]
        for key, body in objects(self._pipeline["bucket"], prefix):
            if key.endswith(".jsonl"):
                rejected.update(one for line in body.splitlines() for one in tokens(run, line))
        found = []
        for item in self._imports(run):
            (one,) = tokens(run, item["key"]["S"])
            if item["status"] != {"S": "COMPLETE"}:
                continue
            broken = int(self._has_broken_row(one))
            counts = {
                name: int(item[name]["N"])
                for name in ("rows_sent", "rows_loaded", "rows_rejected", "messages_sent")
            }
            expected = {
                "rows_sent": self.rows,
                "rows_loaded": self.rows - broken,
                "rows_rejected": broken,
                "messages_sent": int(item["messages_done"]["N"]),
            }
            seen = (in_table[one], rejected[one])
            if counts != expected or seen != (self.rows - broken, broken):
                found.append(f"{one}: {counts} instead of {expected}, table and rejected: {seen}")
        return found


class Tenants(Driver):
    """Good: a silver file, in one version. Poison: quarantine, a rejection, or a dead letter."""

    name = "tenant-routing"

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._pipeline = outputs["tenant_routing"]
        self.functions = [self._pipeline["router_function"], self._pipeline["consumer_function"]]
        for group, mode in GROUPS.items():
            command("tenants", "create-group", group, "--queue-mode", mode)
        for tenant, group in TENANTS.items():
            command("tenants", "create", tenant, "--group", group)
        self._names = locate(Stack(PREFIX), lambda _: None).names
        self.kept = [self._pipeline["quarantine_queue_url"]]

    def queues(self) -> list[Queue]:
        names = self._names
        ingest = [names.ingest_queue(group) for group in GROUPS]
        # Tenants of one group may share theirs.
        own = dict.fromkeys(self._own_queue(tenant) for tenant in TENANTS)
        return [queue_named(name) for name in (*ingest, *own)]

    def _own_queue(self, tenant: str) -> str:
        group = TENANTS[tenant]
        shared = GROUPS[group] == "shared_fair"
        return self._names.shared_queue(group) if shared else self._names.tenant_queue(tenant)

    @property
    def entrances(self) -> list[str]:
        return [self._names.queue_url(self._names.ingest_queue(group)) for group in GROUPS]

    def operations(self, run: str, number: int) -> Operation:
        one, names = token(run, number), self._names
        tenant = list(TENANTS)[number % len(TENANTS)]
        group = TENANTS[tenant]
        bucket, key = names.bucket(group), f"{tenant}/raw/{one}"
        if not is_poison(number):
            return Operation(
                upload(bucket, f"{key}.csv", b"id,name\n1,a\n2,b\n"), (one,), good=True
            )
        ingest = names.queue_url(names.ingest_queue(group))
        acts = (
            send(ingest, garbage(one, number)),
            upload(bucket, f"{key}.json", b'{"said": '),
            upload(bucket, f"nobody/raw/{one}.csv", b"id\n1\n"),
            send(ingest, object_event(bucket, f"{key}-{ENORMOUS}.csv")),
            send(names.queue_url(self._own_queue(tenant)), garbage(one, number)),
        )
        return Operation(acts[number // POISON_EVERY % 5], (one,), good=False)

    def effects(self, run: str) -> Counter[str]:
        return Counter(
            one
            for group in GROUPS
            for key in versions(self._names.bucket(group))
            if "/silver/" in key
            for one in tokens(run, key)
        )

    def rejections(self, run: str) -> frozenset[str]:
        records = [
            body
            for tenant, group in TENANTS.items()
            for _, body in objects(self._names.bucket(group), f"{tenant}/rejected/")
        ]
        quarantined = peeked(name_in(self._pipeline["quarantine_queue_url"]))
        return frozenset(one for body in (*records, *quarantined) for one in tokens(run, body))


# What makes each from the stack's outputs.
DRIVERS: Sequence[Callable[[dict[str, Any]], Driver]] = (Audit, Relay, Imports, Tenants, Images)
