"""The web console in a real browser, on a whole stack: watched, and worked with.

`make examples` runs these, because they need a Chromium, and axe-core from npm.
"""

import argparse
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from PIL import Image

from event_pipelines.local.stack import LocalStack
from event_pipelines.web_console import commands
from support.accessibility import axe, violations
from support.browser import Browser
from support.stacks import PREFIX, REGION, copied_stack, eventually, messages_in

pytestmark = pytest.mark.full

HOSTILE = "ingest/<img src=x onerror=document.title=1>\u202egpj.jpg"
VIEWS = (
    "/", "/object?key=ingest/watched.jpg", "/letters", "/letters?queue=image-thumbnail-dlq",
    "/letters/redrive?queue=image-thumbnail-dlq", "/rejections", "/imports", "/tenants",
)  # fmt: skip
WORKS = 120


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

    def press(self, button: str) -> None:
        """Presses the button that begins so, and waits for the page it leads to."""
        buttons = "[...document.querySelectorAll('button')]"
        find = f"{buttons}.find(one => one.innerText.startsWith({button!r}))"
        self.browser.evaluate(f"setTimeout(() => {find}.click())")
        self.browser.loaded()


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    log = tmp_path_factory.mktemp("console") / "changes.jsonl"
    given = argparse.Namespace(prefix=PREFIX, since="1h", interval=1, allow_changes=True, log=log)
    with copied_stack(tmp_path_factory) as stack, Browser() as browser:
        account = boto3.client("sts").get_caller_identity()["Account"]
        listener = commands.listening(0)
        origin = {"stack": PREFIX, "account": account, "region": REGION}
        server, guard, _ = commands.make(given, origin, listener.getsockname()[1])
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        eventually(lambda: server.started, "the server")
        try:
            browser.open(guard.address, 1280)
            yield Watched(browser, guard.address, stack, log)
        finally:
            server.should_exit = True
            thread.join()


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
    watched.browser.evaluate("[...document.links].find(one => one.innerText == '1 dead').click()")
    watched.browser.loaded()
    watched.shows("ingest/unlucky.jpg", '"eventName"', "ClientError", "Its last try")

    iam.delete_role_policy(RoleName=role, PolicyName="denied")
    watched.press("What a redrive would do")
    watched.shows("Would move about 1 messages")
    assert not watched.log.exists()
    watched.press("Move 1 messages")

    watched.shows("redrive, ended: Moved 1 messages")
    eventually(lambda: messages_in(thumbnail["dlq_url"]) == 0, "an empty queue")
    watched.open("/")
    watched.shows("All is well.", "image-thumbnail: derived ingest/unlucky.jpg")
    lines = [json.loads(line) for line in watched.log.read_text().splitlines()]
    assert [line["state"] for line in lines] == ["goes on", "ended"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("view", VIEWS)
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
    watched.open("/")

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

    def tab() -> str:
        for kind in ("keyDown", "keyUp"):
            watched.browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                                 windowsVirtualKeyCode=9)  # fmt: skip
        return str(watched.browser.evaluate("document.activeElement.innerText"))

    reached = [tab() for _ in range(8)]
    assert reached[:2] == ["Skip to the content", "Pipelines"]
    assert {"One object", "Dead letters", "Rejections", "Imports", "Tenants"} <= set(reached)
