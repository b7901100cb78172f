"""The web console in a real browser, on a whole stack: watched, and worked with.

`make examples` runs these, because they need a Chromium, and axe-core from npm.
"""

import argparse
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from PIL import Image

from event_pipelines.local.stack import LocalStack
from event_pipelines.web_console import commands
from event_pipelines.web_console.app import VIEWS
from support.accessibility import axe, violations
from support.browser import Browser
from support.stacks import PREFIX, REGION, copied_stack, eventually, messages_in

pytestmark = pytest.mark.full

HOSTILE = "ingest/<img src=x onerror=document.title=1>\u202egpj.jpg"
# Whatever the console has an address for, and some with something in them.
PATHS = (
    *VIEWS, "/object?key=ingest/watched.jpg", "/object?key=import/orders.csv",
    "/letters?queue=image-thumbnail-dlq", "/letters/redrive?queue=image-thumbnail-dlq",
)  # fmt: skip
WORKS = 120
PAINTED = """new Promise(done => new PerformanceObserver(list => {
  const found = list.getEntriesByName('first-contentful-paint');
  if (found.length) done(found[0].startTime);
}).observe({type: 'paint', buffered: true}))"""


@dataclass
class Watched:
    """A console with changes allowed, in a browser that has opened its address."""

    browser: Browser
    address: str
    stack: LocalStack
    log: Path

    @property
    def images(self) -> dict[str, Any]:
        images: dict[str, Any] = self.stack.outputs["image_derivatives"]
        return images

    def open(
        self, path: str, width: int = 1280, scheme: Literal["light", "dark"] = "light"
    ) -> None:
        self.browser.open(self.address.partition("/?")[0] + path, width, scheme)
        self.complete()

    def complete(self) -> None:
        """Waits until the view has asked all it wants."""
        asking = "document.querySelector('main').innerText.includes('Asking AWS')"
        eventually(lambda: not self.browser.evaluate(asking), "the view")

    def text(self) -> str:
        """With one space wherever there is some."""
        return str(self.browser.evaluate("document.body.innerText.replace(/\\s+/g, ' ')"))

    def shows(self, *texts: str) -> None:
        """Waits until the page that is open has these texts."""
        try:
            eventually(lambda: all(text in self.text() for text in texts), "a text", WORKS)
        except AssertionError as error:
            missing = [text for text in texts if text not in self.text()]
            raise AssertionError(f"{missing} of {self.text()[:3000]}") from error

    def upload(self, key: str, content: bytes) -> None:
        boto3.client("s3").put_object(Bucket=self.images["bucket"], Key=key, Body=content)

    def key(self, code: str, number: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.browser.call("Input.dispatchKeyEvent", type=kind, key=text or code, code=code,
                              windowsVirtualKeyCode=number, **more)  # fmt: skip

    def tab(self) -> str:
        """What has the focus then, by its name."""
        self.key("Tab", 9)
        name = "(one => one.ariaLabel ?? one.innerText)(document.activeElement)"
        return str(self.browser.evaluate(name))

    def focus(self, name: str) -> None:
        """Goes to what is called so, by the keyboard alone."""
        seen = []
        for _ in range(200):
            seen.append(self.tab())
            if name in seen[-1]:
                return
        raise AssertionError(f"{name} is not reached: {seen}")

    def enter(self, name: str) -> None:
        """And waits for the page that it leads to."""
        self.focus(name)
        self.key("Enter", 13, "\r")
        self.browser.loaded()
        self.complete()


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


@contextmanager
def served(log: Path, interval: int = 1) -> Iterator[str]:
    """The address of a console with changes allowed, of the stack at which boto3 points."""
    given = argparse.Namespace(
        prefix=PREFIX, since="1h", interval=interval, allow_changes=True, log=log
    )
    account = boto3.client("sts").get_caller_identity()["Account"]
    listener = commands.listening(0)
    origin = {"stack": PREFIX, "account": account, "region": REGION}
    server, guard, _ = commands.make(given, origin, listener.getsockname()[1])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        eventually(lambda: server.started, "the server")
        yield guard.address
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    log = tmp_path_factory.mktemp("console") / "changes.jsonl"
    with copied_stack(tmp_path_factory) as stack, Browser() as browser, served(log) as address:
        browser.open(address, 1280)
        yield Watched(browser, address, stack, log)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe(tmp_path_factory.mktemp("axe"))


def test_an_address_without_its_token_is_refused(watched: Watched) -> None:
    with Browser() as stranger:
        stranger.open(watched.address.partition("?")[0], 1280)
        assert "Not allowed" in stranger.evaluate("document.body.innerText")
        assert stranger.evaluate("document.querySelectorAll('nav, table, form').length") == 0


def test_an_upload_and_its_derivative_appear_without_a_reload(watched: Watched) -> None:
    watched.open("/")
    watched.shows("All is well.", "image-derivatives", "csv-import", f"{PREFIX}-image-uploads")
    watched.browser.evaluate("window.never_loaded_again = true")

    watched.upload("ingest/watched.jpg", picture())

    watched.shows("image-thumbnail: derived ingest/watched.jpg")
    decoded = "[...document.images].some(one => one.alt.includes('watched') && one.naturalWidth)"
    watched.browser.evaluate("for (const one of document.images) one.loading = 'eager'")
    eventually(lambda: watched.browser.evaluate(decoded), "the derivative")
    assert watched.browser.evaluate("window.never_loaded_again")


def test_the_story_of_an_object_has_its_pictures_side_by_side(watched: Watched) -> None:
    watched.open("/object?key=ingest/watched.jpg")

    watched.shows("stored", "thumbnail is there", "mobile is there", "event-pipelines trace")
    eventually(
        lambda: watched.browser.evaluate(
            "[...document.querySelectorAll('figure img')].filter(one => one.naturalWidth).length"
        ) == 3, "three pictures",
    )  # fmt: skip


def test_a_hostile_key_is_spelled_out_and_runs_nothing(watched: Watched) -> None:
    watched.upload(HOSTILE, b"no picture")
    spelled = HOSTILE.replace("\u202e", "\\u202e")

    watched.open("/")
    watched.shows(spelled)
    watched.open("/rejections")
    watched.shows(spelled, "not_an_image")
    watched.browser.evaluate(
        "[...document.links].find(one => one.innerText.includes('gpj')).click()"
    )
    watched.browser.loaded()

    watched.shows(spelled, "It was rejected: not_an_image")
    assert watched.browser.evaluate("document.title") != "1"
    assert watched.browser.evaluate("document.querySelectorAll('img[src=x]').length") == 0


def test_a_dead_letter_is_found_opened_and_brought_back(watched: Watched) -> None:
    thumbnail = watched.images["derivatives"]["thumbnail"]
    iam, role = boto3.client("iam"), thumbnail["role_name"]
    denied = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    boto3.client("sqs").set_queue_attributes(
        QueueUrl=thumbnail["queue_url"], Attributes={"VisibilityTimeout": "1"}
    )
    watched.open("/")
    watched.upload("ingest/unlucky.jpg", picture())

    watched.shows("1 dead letter in image-thumbnail-dlq", "1 dead")
    watched.enter("1 dead")
    watched.shows("ingest/unlucky.jpg", '"eventName"', "ClientError", "Its last try")
    # Another one, which stays where it is.
    boto3.client("sqs").send_message(QueueUrl=thumbnail["dlq_url"], MessageBody="stays")

    iam.delete_role_policy(RoleName=role, PolicyName="denied")
    watched.enter("What a redrive of the selected")
    watched.shows("No message is selected")
    watched.open("/letters?queue=image-thumbnail-dlq")
    watched.shows("2 of about 2 dead letters are shown", "ClientError 1, no try is logged 1")
    watched.focus("Select ingest/unlucky.jpg")
    watched.key("Space", 32, " ")
    watched.enter("What a redrive of the selected")
    watched.shows("Would move 1 of about 2 messages")
    assert not watched.log.exists()
    watched.enter("Move 1 messages")

    watched.shows("redrive, ended: Moved 1 messages")
    assert messages_in(thumbnail["dlq_url"]) == 1
    watched.open("/")
    watched.shows("1 dead letter in image-thumbnail-dlq", "derived ingest/unlucky.jpg")
    watched.open("/letters?queue=image-thumbnail-dlq")
    watched.shows("stays")
    assert "ingest/unlucky.jpg" not in watched.text()
    lines = [json.loads(line) for line in watched.log.read_text().splitlines()]
    assert [line["state"] for line in lines] == ["goes on", "ended"]
    assert [len(line["message_ids"]) for line in lines] == [1, 1]


def test_the_story_of_a_file_has_the_rows_that_its_import_made(watched: Watched) -> None:
    bucket = watched.stack.outputs["csv_import"]["bucket"]
    content = b"id,name,price\n1,lamp,9.5\n2,<b>desk</b>,no number\n3,chair,7\n"
    boto3.client("s3").put_object(Bucket=bucket, Key="import/orders.csv", Body=content)
    watched.open("/imports")
    watched.shows("import/orders.csv", "2 loaded, 1 rejected")

    watched.open("/object?key=import/orders.csv")

    watched.shows("Of the first 20 rows the table has 2 as this import made them", "lamp", "chair")
    rows = (
        "[...document.querySelectorAll('table')].map(one => [one.caption.innerText,"
        " [...one.tBodies[0].rows].map(row => row.innerText.replace(/\\s+/g, ' '))])"
    )
    tables = dict(watched.browser.evaluate(rows))
    assert tables["Rejected rows by reason"] == ["not_a_number 1"]
    assert len(tables["Rows in the table"]) == 2


def test_what_credentials_do_not_allow_is_hidden(watched: Watched, tmp_path: Path) -> None:
    iam = boto3.client("iam")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Resource": "*", "Action": [
            "dynamodb:*", "s3:GetObject", "s3:GetObjectVersion", "sqs:SendMessage",
            "sqs:StartMessageMoveTask", "cloudwatch:DescribeAlarms"]},
    ]  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.create_user(UserName="reader")
    iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    with pytest.MonkeyPatch.context() as patched, Browser() as browser:
        patched.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patched.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with served(tmp_path / "changes.jsonl") as address:
            browser.open(address, 1280)
            reader = Watched(browser, address, watched.stack, tmp_path)
            reader.shows("done", "dead", "Not allowed, so not shown: DescribeAlarms")
            for path in ("/imports", "/tenants"):
                reader.open(path)
                reader.shows("AccessDenied")
            reader.open("/letters/redrive?queue=image-thumbnail-dlq")
            reader.enter("Move 1 messages")
            reader.shows("redrive, failed", "AccessDenied")
            reader.open("/letters/redrive?queue=image-thumbnail-dlq")
            reader.shows("The credentials do not allow it: AWS refused StartMessageMoveTask")
            assert browser.evaluate("document.querySelectorAll('form[method=post]').length") == 0
            reader.open("/")
            reader.shows("done", "Not allowed, so not shown: DescribeAlarms, Imports")
            assert "Tenants" not in browser.evaluate("document.querySelector('nav').innerText")
            pictures = "[...document.images].filter(one => one.complete && !one.naturalWidth)"
            eventually(lambda: browser.evaluate(f"{pictures}.length") == 0, "no broken picture")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("view", PATHS)
def test_a_view_is_for_everybody_on_every_screen(
    watched: Watched, script: str, view: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    watched.open(view, width, scheme)
    watched.browser.evaluate(
        "document.querySelectorAll('details').forEach(one => { one.open = true; })"
    )

    assert watched.browser.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(watched.browser, script) == []


def test_a_first_page_comes_within_a_hundred_kilobytes(watched: Watched) -> None:
    """And says when it is painted, in ms: see `pytest -rP`."""
    painted = []
    for _ in range(10):
        watched.open("/")
        painted.append(watched.browser.evaluate(PAINTED))
    print("first contentful paint:", *(f"{at:.0f}" for at in sorted(painted)))

    sizes = "performance.getEntriesByType(kind).map(one => one.encodedBodySize)"
    listed = f"['navigation', 'resource'].flatMap(kind => {sizes})"
    pictures = (
        "performance.getEntriesByType('resource').filter(one => one.name.includes('/picture'))"
    )
    total = watched.browser.evaluate(f"{listed}.reduce((a, b) => a + b, 0)")
    of_pictures = watched.browser.evaluate(f"{pictures}.reduce((a, b) => a + b.encodedBodySize, 0)")
    assert total - of_pictures <= 100_000


def test_the_keyboard_reaches_everything_from_the_top(watched: Watched) -> None:
    watched.open("/letters?queue=image-thumbnail-dlq")

    reached = [watched.tab() for _ in range(8)]

    assert reached[:2] == ["Skip to the content", "Pipelines"]
    assert {"One object", "Dead letters", "Rejections", "Imports", "Tenants"} <= set(reached)
