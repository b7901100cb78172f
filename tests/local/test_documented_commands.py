"""Every command of README.md and docs/ runs on one stack, and does what its page says.

The commands are those of the pages; PROMISES says of each what its page promises, in the order in
which they run. A command of a page that is not among them fails, and so does one of no page.
"""

import contextlib
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from event_pipelines.__main__ import main
from event_pipelines.contracts.imports import CONTROL_PART, ImportStatus
from event_pipelines.contracts.tenant_keys import silver_key
from event_pipelines.errors import INTERRUPTED
from event_pipelines.local.home import REPOSITORY
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines import csv_import, event_audit
from event_pipelines.pipelines.objects import announcement, find
from event_pipelines.reconcile import commands
from event_pipelines.stack import Stack
from support.stacks import PREFIX, copied_stack, eventually, messages_in, plan
from unit.cli.reconcile import inventory

PAGES = ("README.md", "docs/*.md", "pipelines/*/README.md")
FEWEST = 60
MINE = re.compile(r"(?:\$ )?((?:[A-Z_]+=\S+ )*(?:event-pipelines|make)(?: .*)?)")


def documented() -> dict[str, str]:
    """The commands of fenced blocks, without comments, and the page that has each first."""
    found: dict[str, str] = {}
    for page in sorted(path for pattern in PAGES for path in REPOSITORY.glob(pattern)):
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
        shell = "\n".join(text for language, text in blocks if language in ("", "sh"))
        for line in shell.replace("\\\n", " ").splitlines():
            if match := MINE.fullmatch(" ".join(line.partition(" #")[0].split())):
                found.setdefault(match[1], str(page.relative_to(REPOSITORY)))
    return found


class World:
    """A stack in which everything has happened that the pages take for granted."""

    def __init__(self, folder: Path, stack: LocalStack, made: dict[str, Any]) -> None:
        self.stack, self.folder = Stack(PREFIX), folder
        self._home = str(stack.home.path)
        self.bucket = stack.outputs["image_derivatives"]["bucket"]
        self.derivatives = list(stack.outputs["image_derivatives"]["derivatives"])
        self.values = {
            "BUCKET": self.bucket,
            "PREFIX": PREFIX,
            "DERIVATIVE": "thumbnail",
            "ROUTE": "upload",
            "TENANT": "globex",
            "DLQ": "image-thumbnail-dlq",
            "FILE": "orders.csv",
            # One that is free, and what is simulated in a second.
            "9464": str(free_port()),
            "10000000": "100",
            "500/s": "5/s",
            "INVENTORIES": inventory.PLACE,
        }
        (folder / "plan.json").write_text(json.dumps(made))
        for number, name in enumerate(("orders.csv", "customers.csv")):
            rows = f"{number}1,{name}\n{number}2,Grace\n{number}3,Edsger,Dijkstra\n"
            (folder / name).write_text(f"id,name\n{rows}")
        (folder / "tenants.csv").write_text("name,group\nacme,north\numbrella,gold\n")
        for name in ("lamp", "laptop", "desk"):
            (folder / f"{name}.json").write_text(json.dumps({"name": name}))
        for key in ("cat.jpg", "lost/a.jpg", "lost/b.jpg"):
            self.put(f"ingest/{key}", picture())
        audited = stack.outputs["event_audit"]["bucket"]
        self.stack.s3.put_object(Bucket=audited, Key="a/b.txt", Body=b"x")
        names = {"cat.jpg", "lost/a.jpg", "lost/b.jpg"}
        eventually(lambda: names <= self.derived(), "derivatives")
        audit = event_audit.find(self.stack)
        eventually(lambda: audit.since(timedelta(hours=1)), "a record of the audited upload")

    @property
    def home(self) -> list[str]:
        """What `local` needs to find it: it would look into the repository."""
        return ["--home", self._home]

    def put(self, key: str, content: bytes) -> None:
        self.stack.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def derived(self) -> set[str]:
        """Uploads of which every derivative is there: one that comes later could not be lost."""
        made = []
        for derivative in self.derivatives:
            start = f"derived/{derivative}/"
            listed = self.stack.s3.list_objects_v2(Bucket=self.bucket, Prefix=start)
            keys = [one["Key"] for one in listed.get("Contents", [])]
            made.append({key.removeprefix(start).removesuffix(".jpg") for key in keys})
        return set.intersection(*made)

    def lose(self, name: str) -> None:
        """Takes away what was made of an upload, as if its event had been lost."""
        for listed in self.stack.s3.list_objects_v2(Bucket=self.bucket)["Contents"]:
            if listed["Key"].startswith("derived/") and f"/{name}." in listed["Key"]:
                self.stack.s3.delete_object(Bucket=self.bucket, Key=listed["Key"])

    def letters(self, queue: str) -> int:
        return messages_in(self.stack.queues.find(queue).url)

    def bury(self, queue: str) -> None:
        """A dead letter about a picture that was made since."""
        stored = find(self.stack.s3, self.bucket, "ingest/cat.jpg")
        assert stored is not None
        found, body = self.stack.queues.find(queue), announcement(stored, "eu-west-1")
        more: Any = {"MessageGroupId": "a", "MessageDeduplicationId": os.urandom(8).hex()}
        self.stack.sqs.send_message(
            QueueUrl=found.url, MessageBody=body, **(more if found.fifo else {})
        )


Check = Callable[[World], object]


@dataclass(frozen=True)
class Promise:
    """What the page of a command says that it does.

    `out` is found in what it prints; `endless` commands go on until Ctrl-C, which they get then.
    `before` is what the page takes for granted, `after` becomes true.
    """

    out: str = ""
    code: int = 0
    endless: bool = False
    before: Check = lambda _: None
    after: Check = lambda _: True


def dead(queue: str) -> Check:
    """One dead letter, which the command before may have left."""
    return lambda world: None if world.letters(queue) else world.bury(queue)


def peek(queue: str, *, empty: bool = False) -> Promise:
    if empty:
        return Promise(out=rf"^0 of about \d+ messages of {PREFIX}-{queue}")
    return Promise(out=r"(?s)ObjectCreated:Put.*1 of about 1 messages", before=dead(queue))


def redrive(queue: str) -> Promise:
    return Promise(
        out=rf"Moved 1 messages from {PREFIX}-{queue}",
        before=dead(queue),
        after=lambda world: world.letters(queue) == 0,
    )


def imported(world: World) -> bool:
    first = csv_import.locate(world.stack).all()[0]
    world.values["ID"] = world.values["01998f2a5c3e4b7d"] = first.import_id
    return True


def all_loaded(world: World) -> bool:
    """Of every upload to import/ there is an import that has ended."""
    found = csv_import.locate(world.stack)
    listed = world.stack.s3.list_object_versions(Bucket=found.bucket, Prefix="import/")
    imports = found.all()
    ended = [one for one in imports if one.status in (ImportStatus.COMPLETE, ImportStatus.FAILED)]
    return len(ended) == len(listed["Versions"])


def unfinish(world: World) -> None:
    """An import whose rows are still being loaded, as far as the ledger knows."""
    imported(world)
    world.stack.dynamodb.update_item(
        TableName=f"{PREFIX}-csv-ledger",
        Key={"import_id": {"S": world.values["ID"]}, "part": {"S": CONTROL_PART}},
        UpdateExpression="SET #status = :loading",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":loading": {"S": ImportStatus.LOADING}},
    )


def lose(*names: str) -> Check:
    def take_away(world: World) -> None:
        for name in names:
            world.lose(name)

    return take_away


def listed(world: World) -> None:
    """What S3 writes every night."""
    inventory.take(world.stack, world.bucket, "Parquet")


def is_made(*names: str) -> Check:
    return lambda world: {f"lost/{name}.jpg" for name in names} <= world.derived()


def value(name: str, of: str) -> Check:
    return lambda world: world.values.update({name: of})


def empty(queue: str) -> Check:
    return lambda world: world.letters(queue) == 0


def file(name: str, holds: str = "") -> Check:
    return lambda world: holds in (world.folder / name).read_text()


def reject(world: World) -> None:
    """After which an alarm rings."""
    world.put("ingest/lost/broken.png", b"no picture")
    recorded: Any = {"Bucket": world.bucket, "Prefix": "rejections/"}
    eventually(lambda: world.stack.s3.list_objects_v2(**recorded)["KeyCount"] == 2, "rejections")


def new_item(_: World) -> None:
    """One that is updated, so that the service gets it."""
    assert main(["items", "put", "--generate", "lamp", "--id", f"lamp-{time.time_ns()}"]) == 0


def as_tenant(*statuses: tuple[str, ...]) -> Check:
    """Runs verbs of `tenants` that a page takes for granted."""

    def run(_: World) -> None:
        for words in statuses:
            assert main(["tenants", *words]) == 0

    return run


def suspended(world: World) -> None:
    """A tenant whose file waits in quarantine."""
    as_tenant(("suspend", "globex"))(world)
    assert main(["tenants", "put-file", "globex", "orders.csv", "--as", "late.csv"]) == 0
    eventually(lambda: world.letters("tenants-quarantine") == 1, "the file's event in quarantine")


def silver(tenant: str, path: str) -> Check:
    def is_there(world: World) -> bool:
        listed = world.stack.s3.list_buckets(Prefix=f"{PREFIX}-tg-")["Buckets"]
        key = silver_key(tenant, path)
        return any(find(world.stack.s3, one["Name"], key) for one in listed)

    return is_there


IMPORTED = r"status +COMPLETE[\s\S]*rows_loaded +2\b[\s\S]*rows_rejected +1\b"
WELL = Promise(r"All is well\.")
WATCHED = Promise("All is well", INTERRUPTED, endless=True)
CONSOLE = Promise(r"http://127.0.0.1:\d+/\S*", INTERRUPTED, endless=True)
SERVED = Promise(r"lamp-\d+.*shown|shown.*lamp-\d+", INTERRUPTED, endless=True, before=new_item)
PROMISES: dict[str, Promise] = {
    "status": WELL,
    "status --since 1h": WELL,
    "status --watch": WATCHED,
    "status --watch --interval 30s": WATCHED,
    "local status": Promise(rf"Engine at https://[\s\S]*{PREFIX}-image-thumbnail\t0"),
    "local status --json": Promise('"running": true'),
    "trace ingest/cat.jpg": Promise(r"  stored  [\s\S]*thumbnail is there"),
    "trace s3://BUCKET/ingest/cat.jpg": Promise(r"  stored  [\s\S]*thumbnail is there"),
    "trace ingest/lost/broken.png --pipeline image-derivatives": Promise(
        r"  stored  [\s\S]*rejection recorded[\s\S]*reason=not_an_image", before=reject
    ),
    "reconcile image-derivatives --since 2d --json > missing.json": Promise(
        code=1, before=lose("a", "b"), after=file("missing.json", "ingest/lost/b.jpg")
    ),
    "replay image-derivatives --from missing.json --rate 20/s": Promise(
        rf"Sent 2 messages to {PREFIX}-image-thumbnail", after=is_made("a", "b")
    ),
    "reconcile image-derivatives --key-prefix ingest/lost/": Promise(
        r"missing\tingest/lost/a.jpg", 1, before=lose("a", "b")
    ),
    "replay image-derivatives --key-prefix ingest/lost/a --dry-run": Promise(
        rf"thumbnail  ingest/lost/a.jpg[\s\S]*Would send 1 messages to {PREFIX}-image-thumbnail"
    ),
    "reconcile image-derivatives": Promise("4 missing", 1),
    "reconcile image-derivatives --json --checkpoint night"
    f" --inventory s3://INVENTORIES/{PREFIX}-image-123456789012-eu-west-1/all/": Promise(
        r'"missing": 4\b[\s\S]*"key": "ingest/lost/b.jpg"', 1, before=listed
    ),
    "replay image-derivatives --missing": Promise(
        rf"Sent 2 messages to {PREFIX}-image-mobile", after=is_made("a", "b")
    ),
    "replay image-derivatives --since 1h --all --dry-run": Promise(
        rf"Would send 4 messages to {PREFIX}-image-thumbnail"
    ),
    "replay image-derivatives --since 1h --all": Promise(
        rf"Sent 4 messages to {PREFIX}-image-thumbnail"
    ),
    "audit summary": Promise(r"ObjectCreated:Put\t1\b"),
    "audit summary --since 7d --region eu-west-1": Promise(r"ObjectCreated:Put\t1\b"),
    "audit tail --since 10m": Promise(r"ObjectCreated:Put\t\S+\ta/b.txt"),
    "audit tail --since 2h --follow": Promise("a/b.txt", INTERRUPTED, endless=True),
    "console": CONSOLE,
    "console --allow-changes": CONSOLE,
    "console --allow-changes --since 2h": CONSOLE,
    "imports start orders.csv --dry-run": Promise(r"columns +id \(string\)[\s\S]*line 4: ", 1),
    "imports start orders.csv --watch": Promise(IMPORTED, after=imported),
    "imports start customers.csv --watch": Promise(IMPORTED),
    "imports list": Promise(r"COMPLETE\timport/orders.csv\t3\t2\t1"),
    "imports show ID": Promise(IMPORTED),
    "imports show 01998f2a5c3e4b7d --json": Promise('"rows_loaded": 2'),
    "imports rejections ID": Promise(r"id,name\n03,Edsger,Dijkstra"),
    "imports rejections 01998f2a5c3e4b7d > fix-these.csv": Promise(
        after=file("fix-these.csv", "3,Edsger,Dijkstra")
    ),
    "imports rows 01998f2a5c3e4b7d --json": Promise('"name": ?"Grace"'),
    "imports watch 01998f2a5c3e4b7d": Promise(IMPORTED),
    "imports cancel 01998f2a5c3e4b7d": Promise(
        r"status +FAILED[\s\S]*reason +cancelled", before=unfinish
    ),
    "imports start FILE": Promise(r"^\S+$", after=all_loaded),
    "reconcile csv-import": Promise("2 done"),
    "replay csv-import --missing": Promise("Nothing was sent"),
    "tenants create-group retail --prefix acme": Promise("The group retail is ACTIVE"),
    "tenants create-group gold --queue-mode shared_fair": Promise("The group gold is ACTIVE"),
    "tenants create globex --group retail --prefix acme": Promise("tenant globex is ACTIVE"),
    "tenants create acme --group north": Promise(
        "tenant acme is ACTIVE", before=as_tenant(("create-group", "north"))
    ),
    "tenants create --from tenants.csv": Promise("umbrella"),
    "tenants list --group gold": Promise(r"tenant\tumbrella\tgold\tACTIVE"),
    "tenants show acme": Promise(r"tenant\n[\s\S]*ACTIVE"),
    # Before the router has heard of the tenant, which it then remembers for a minute.
    "tenants quarantine list": Promise("globex/raw/late.csv", before=suspended),
    "tenants quarantine list --limit 20": Promise("globex/raw/late.csv"),
    "tenants show TENANT": Promise("SUSPENDED"),
    "tenants resume TENANT": Promise("tenant globex is ACTIVE"),
    "tenants quarantine release TENANT": Promise(
        "1 events sent", after=silver("globex", "late.csv")
    ),
    "tenants put-file globex orders.csv --prefix acme": Promise(
        "globex/raw/orders.csv", after=silver("globex", "orders.csv")
    ),
    "tenants put-file acme orders.csv --as 2026/orders.csv": Promise(
        "acme/raw/2026/orders.csv", after=silver("acme", "2026/orders.csv")
    ),
    "replay tenant-routing --tenant TENANT --since 1d --all --dry-run": Promise(
        r"globex/raw/orders.csv[\s\S]*Would send 2 messages"
    ),
    "replay tenant-routing --tenant TENANT --since 1d --all": Promise("Sent 2 messages"),
    "tenants quarantine release acme": Promise("0 events sent"),
    "tenants suspend acme --dry-run": Promise("is ACTIVE and would be SUSPENDED"),
    "tenants resume acme": Promise("acme is ACTIVE", before=as_tenant(("suspend", "acme"))),
    "tenants verify": Promise("No drift."),
    "tenants verify --repair": Promise("No drift."),
    "tenants verify acme --repair": Promise("No drift."),
    "tenants delete acme --dry-run": Promise("", 2),
    "tenants delete-group gold --dry-run": Promise("", 2),
    "smoke": Promise(r"item-relay\treached\titem updated"),
    "smoke --timeout 3m --json": Promise('"state": "reached"'),
    "smoke --prefix acme --schedule > smoke.tf": Promise(
        after=file("smoke.tf", "aws_scheduler_schedule")
    ),
    "items put lamp.json --id lamp-1": Promise("item     lamp-1 stored"),
    "items put laptop.json": Promise("item     laptop stored"),
    "items put FILE": Promise("item     desk stored", before=value("FILE", "desk.json")),
    "items status": Promise(r"items at revision \d+\t\d"),
    "items status lamp-1": Promise("lamp-1: "),
    "items status ID": Promise("lamp-1: ", before=value("ID", "lamp-1")),
    "queues peek relay-updates --count 1": peek("relay-updates", empty=True),
    "items serve": SERVED,
    "items serve --output items": SERVED,
    "items serve --output items --port 9464": SERVED,
    "queues list": Promise(r"image-thumbnail\t0\t0\t0\timage-thumbnail-dlq\t3 receives"),
    "queues list --prefix acme": Promise(r"image-thumbnail\t"),
    "queues peek image-DERIVATIVE --count 1": peek("image-thumbnail", empty=True),
    "queues peek audit-ROUTE --count 1": peek("audit-upload", empty=True),
    "queues peek csv-imports --count 1": peek("csv-imports", empty=True),
    "queues peek csv-rows --count 1": peek("csv-rows", empty=True),
    "queues peek image-thumbnail-dlq": peek("image-thumbnail-dlq"),
    "queues peek image-thumbnail-dlq --count 3": peek("image-thumbnail-dlq"),
    "queues peek image-DERIVATIVE-dlq": peek("image-thumbnail-dlq"),
    "queues redrive DLQ --dry-run": Promise("Would move about 1 messages"),
    "queues redrive DLQ --rate 20": redrive("image-thumbnail-dlq"),
    "queues redrive image-DERIVATIVE-dlq": redrive("image-thumbnail-dlq"),
    "queues redrive image-thumbnail-dlq": redrive("image-thumbnail-dlq"),
    "queues redrive image-thumbnail-dlq --rate 10/s": redrive("image-thumbnail-dlq"),
    "queues purge image-thumbnail-dlq": Promise("there is no terminal to confirm", 2),
    "queues purge image-thumbnail-dlq --yes": Promise(
        "Purged", before=dead("image-thumbnail-dlq"), after=empty("image-thumbnail-dlq")
    ),
    "queues peek audit-ROUTE-dlq": peek("audit-upload-dlq"),
    "queues redrive audit-ROUTE-dlq": redrive("audit-upload-dlq"),
    "queues peek csv-imports-dlq": peek("csv-imports-dlq"),
    "queues redrive csv-imports-dlq": redrive("csv-imports-dlq"),
    "queues peek csv-rows-dlq": peek("csv-rows-dlq"),
    "queues redrive csv-rows-dlq --rate 10": redrive("csv-rows-dlq"),
    "queues redrive csv-rows-dlq --rate 20": redrive("csv-rows-dlq"),
    "queues peek tenants-quarantine-dlq": peek("tenants-quarantine-dlq"),
    "queues redrive tenants-quarantine-dlq": redrive("tenants-quarantine-dlq"),
    "queues redrive tenant-TENANT-raw-dlq": redrive("tenant-globex-raw-dlq"),
    "queues peek relay-updates-dlq": peek("relay-updates-dlq"),
    "queues redrive relay-updates-dlq": redrive("relay-updates-dlq"),
    "queues peek relay-finished-dlq": peek("relay-finished-dlq"),
    "queues redrive relay-finished-dlq": redrive("relay-finished-dlq"),
    "plan-review plan.json": Promise("acme-image-thumbnail"),
    "plan-review plan.json --format text": Promise("acme-image-thumbnail"),
    "plan-review plan.json --fail-on destroy:aws_s3_bucket": Promise("acme-image-thumbnail"),
    "plan-review plan.json --fail-on destroy:aws_sqs_queue,public": Promise("image-thumbnail"),
    # The engine has no Service Quotas, which is said as what was found.
    "preflight --plan plan.json --region eu-west-1": Promise("quota: not asked: ", 1),
    "capacity --plan plan.json --rate 500/s --backlog 10000000": Promise("image-derivatives"),
}
# What `make` would do: they run all that this is a part of.
TARGETS = {
    "make demo": "event-pipelines local demo",
    "make demo KEEP=1": "event-pipelines local demo --keep",
    "make down": "event-pipelines local down",
    "make test": "-m pytest --numprocesses",
    "make test-environment": "tools/environment.sh test",
    "make drills": "tests/faults/test_drills.py --full",
    "ONLY=kills make drills": '-k "kills"',
    "EVENT_PIPELINES_DRILL_SEED=7 EVENT_PIPELINES_DRILL_EVENTS=300 make drills": "--full",
    "make check TESTS=tests/security": "tests/security",
}
# Why a command does not run here.
ELSEWHERE = {
    "local up --port 4566": "applies the root once more, as test_another_region.py does",
    "local down": "destroys what the others need, as test_another_region.py does",
    "local demo --photo holiday.jpg --keep": "applies the root once more, as `make demo` does",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    stack_of = copied_stack(tmp_path_factory, folder="home with spaces")
    with stack_of as stack, pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("a folder with spaces")
        patch.chdir(folder)
        patch.setenv("EVENT_PIPELINES_NAME_PREFIX", PREFIX)
        patch.setenv("XDG_STATE_HOME", str(folder))
        patch.setattr("sys.stdin", io.StringIO())
        # Everything here is younger than what they would miss.
        patch.setattr(commands, "MIN_AGE", "0")
        yield World(folder, stack, plan(tmp_path_factory))


def test_every_command_of_a_page_has_a_promise_and_no_promise_is_without_a_page() -> None:
    commands = {one.removeprefix("event-pipelines ") for one in documented()}

    assert commands == {*PROMISES, *TARGETS, *ELSEWHERE}
    assert len(PROMISES) >= FEWEST


@pytest.mark.parametrize("command", TARGETS)
def test_a_documented_target_makes_what_its_page_says(command: str) -> None:
    finished = subprocess.run(
        ["sh", "-c", f"{command} --dry-run"], cwd=REPOSITORY, capture_output=True, text=True
    )

    assert finished.returncode == 0, finished.stderr
    assert TARGETS[command] in " ".join(finished.stdout.split())


@pytest.mark.parametrize("command", PROMISES)
def test_a_documented_command_does_what_its_page_says(command: str, world: World) -> None:
    promise = PROMISES[command]
    promise.before(world)
    words = shlex.split(
        re.sub(
            "|".join(sorted(world.values, key=len, reverse=True)),
            lambda found: world.values[found[0]],
            command,
        )
    )
    target = words.pop() if ">" in words else ""

    words = words[:-1] if target else words
    words += world.home if words[0] == "local" else []

    code, out, err = run(words, promise)

    if target:
        (world.folder / target).write_text(out)
    assert code == promise.code, err
    assert re.search(promise.out, out + err, re.MULTILINE), out + err
    eventually(lambda: promise.after(world), f"the effect of {command}")


class Output(io.TextIOWrapper):
    """What a command prints, as text or as bytes."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", write_through=True)

    def text(self) -> str:
        return self._bytes.getvalue().decode()


def run(words: list[str], promise: Promise) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    ended = threading.Event()
    out, err = Output(), Output()
    watcher = ThreadPoolExecutor(1)
    # What runs in the background of a shell begins with it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            pressed = watcher.submit(interrupt, promise.out, (out, err), ended, promise.endless)
            code = main(words)
    finally:
        ended.set()
        watcher.shutdown()
        signal.signal(signal.SIGINT, before)
    pressed.result()
    return code, out.text(), err.text()


def interrupt(shown: str, streams: Sequence[Output], ended: threading.Event, endless: bool) -> None:
    """Presses Ctrl-C when `shown` is printed, or after a minute; an address is opened before."""
    deadline = time.monotonic() + 60
    found = None
    while endless and not (found or ended.wait(0.05) or time.monotonic() > deadline):
        found = re.search(shown, "".join(one.text() for one in streams))
    try:
        if found and found[0].startswith("http:"):
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            assert b"acme" in browser.open(found[0], timeout=60).read()
    finally:
        if endless and not ended.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
