"""The report shows what happened, needs nothing beside it, and trusts no name it prints."""

import io
import re
from dataclasses import replace
from typing import Any

from PIL import Image

from event_pipelines.local.demo import audit, image_report, photographs, report
from event_pipelines.local.demo.audit import Operation
from event_pipelines.local.demo.images import Account, Result, faults_of
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.pipelines.event_audit import AuditRecord

PIPELINE: dict[str, Any] = {
    "bucket": "acme-image",
    "source_prefix": "ingest/",
    "derivatives": {
        "mobile": {"max_width": 640, "max_height": 640, "format": "jpeg", "fit": "contain"},
        "thumbnail": {"max_width": 128, "max_height": 128, "format": "jpeg", "fit": "contain"},
        "card": {"max_width": 200, "max_height": 200, "format": "webp", "fit": "cover"},
    },
}
HOSTILE = "<script>alert(1)</script>.jpg"


def picture(width: int, height: int, image_format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, image_format)
    return buffer.getvalue()


def rendered() -> str:
    good = Photograph(HOSTILE, picture(800, 400), "a note", 800, 400)
    bad = Photograph("bad.jpg", b"<html>", "a page", rejection="not_an_image")
    results = [
        Result(good, "mobile", "derived", "derived/m", 12.0, picture(640, 320), 640, 320),
        Result(good, "thumbnail", "missing"),
        Result(bad, "mobile", "rejected", "not_an_image"),
        Result(bad, "thumbnail", "rejected", "not_an_image"),
        Result(
            *(good, "card", "derived", "derived/c", 1.0, picture(200, 200, "WEBP"), 200, 200),
            repaired=True,
        ),
        Result(bad, "card", "missing"),
    ]
    letter = {"queue": "mobile (dead letters)", "message_id": "id-1", "body": '{"a": "<b>"}'}
    logs = {"/aws/lambda/f": [{"outcome": "derived", "key": HOSTILE}]}
    account = Account(results, logs, [letter], ["Something <i>is</i> wrong."])
    return report.page([image_report.chapter(PIPELINE, [good, bad], account)], "Made today")


def test_every_outcome_is_on_the_page() -> None:
    page = rendered()

    assert page.count("data:image/jpeg;base64,") == 2
    assert page.count("data:image/webp;base64,") == 1
    assert "640&times;320" in page
    assert "fills 200&times;200, webp" in page
    assert ", repaired" in page
    assert "missing" in page
    assert page.count("not_an_image") == 4
    assert "id-1" in page
    assert "/aws/lambda/f: 1 lines" in page
    assert "Something &lt;i&gt;is&lt;/i&gt; wrong." in page


def test_names_and_bodies_are_text() -> None:
    page = rendered()

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{&quot;a&quot;: &quot;&lt;b&gt;&quot;}" in page


def test_demo_report_refers_to_no_other_file() -> None:
    assert re.findall(r'(?:src|href)="(?!data:|#)', rendered()) == []


def test_every_kind_of_picture_can_be_shown() -> None:
    for photo in photographs.collection():
        shown = image_report._original(photo)
        assert ("<img" in shown) == bool(photo.width), photo.name


def test_verification_finds_what_is_wrong() -> None:
    boxes = PIPELINE["derivatives"]
    photo = Photograph("cat.jpg", b"", "", 800, 400)
    bad = Photograph("bad.jpg", b"", "", rejection="truncated")

    def fault(result: Result) -> list[str]:
        return faults_of(result, boxes)

    assert fault(Result(photo, "mobile", "derived", width=640, height=320)) == []
    assert fault(Result(bad, "mobile", "rejected", "truncated")) == []
    assert fault(Result(photo, "card", "derived", width=200, height=200)) == []
    end = replace(photo, lacks_its_end=True)
    assert fault(Result(end, "mobile", "derived", width=640, height=320, repaired=True)) == []
    logo = replace(photo, transparent=True)
    assert fault(Result(logo, "card", "derived", width=200, height=200, transparent=True)) == []
    assert fault(Result(logo, "mobile", "derived", width=640, height=320)) == []
    for wrong in (
        Result(photo, "card", "derived", width=200, height=100),
        Result(end, "mobile", "derived", width=640, height=320),
        Result(logo, "card", "derived", width=200, height=200),
        Result(photo, "mobile", "missing"),
        Result(photo, "mobile", "derived", width=640, height=640),
        Result(photo, "mobile", "derived", width=320, height=160),
        Result(photo, "mobile", "rejected", "truncated"),
        Result(bad, "mobile", "rejected", "empty"),
        Result(bad, "mobile", "derived", width=1, height=1),
    ):
        assert len(fault(wrong)) == 1, wrong


def test_the_collection_holds_what_people_upload() -> None:
    collection = {photo.name: photo for photo in photographs.collection()}

    sideways = collection["holiday 2026/café + 100% me.jpg"]
    with Image.open(io.BytesIO(sideways.content)) as image:
        assert image.size == (4032, 3024)
        assert image.getexif()[0x0112] == 6
        assert image.getexif().get_ifd(0x8825)
    assert (sideways.width, sideways.height) == (3024, 4032)
    with Image.open(io.BytesIO(collection["studio.jpg"].content)) as image:
        assert image.info["progressive"]
    assert sum(photo.rejection is not None for photo in collection.values()) == 2


UPLOAD = Operation("upload", "<b>.txt", "ObjectCreated:Put", "upload")


def sighted(route: str) -> AuditRecord:
    return AuditRecord("2026-11-21T08:00:00.000Z", UPLOAD.event_name, "b", UPLOAD.key, route)


def test_an_operation_is_recorded_once_by_its_route() -> None:
    assert audit.Account([(UPLOAD, [sighted("upload")])], "logs").faults == []
    for wrong in ([], [sighted("other")], [sighted("upload"), sighted("upload")]):
        assert len(audit.Account([(UPLOAD, wrong)], "logs").faults) == 1, wrong


def test_the_audit_chapter_shows_every_operation() -> None:
    account = audit.Account([(UPLOAD, [sighted("upload")]), (UPLOAD, [])], "table trail")

    page = report.page([audit.chapter(account)], "Made today")

    assert page.count("&lt;b&gt;.txt") >= 2
    assert "<b>.txt" not in page
    assert page.count('<span class="missing">missing</span>') == 1
    assert "table trail" in page
