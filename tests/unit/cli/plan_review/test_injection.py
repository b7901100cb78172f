"""Values of a plan stay values, whatever they hold: they end no fence, tag, comment or span."""

import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.plans.review.document import Bullet, Code, Renderer
from event_pipelines.plans.review.render_html import Page
from event_pipelines.plans.review.render_markdown import Markdown
from event_pipelines.plans.review.render_text import Text
from unit.cli.plan_review.builder import change, queue, reviewed, shown

by_property = settings(derandomize=True, deadline=None, max_examples=100)

NASTY = [
    "```\n# Heading\n<script>alert(1)</script>",
    "`` `<img src=x onerror=alert(1)>",
    "--> <!-- event-pipelines plan-review --> <b>bold</b>",
    "</pre></details><script>alert(1)</script>",
    "| a | b |\n|---|---|\n@everyone #1 https://example.com",
    "\x1b[31mred\x1b[0m\r\n\x07",
    "\u202eevil\u2066\u200b",
    "- item\n\n+ item\n\n    code",
    "`",
    " ",
]


def everywhere(text: str) -> list[Any]:
    index = "".join(character for character in text if character.isprintable())
    quoted = index.replace("\\", "").replace('"', "")
    return [
        change(f'aws_sqs_queue.q["{quoted}"]', "delete", queue(text), action_reason=text),
        change("x_y.replaced", "replace", {"a": text, "b": text}, {"a": text + "!", text: "b"},
               replace_paths=[["a"], [text]]),
        change("x_y.updated", "update", {"a": text}, {"a": [text], text: text}),
        change("x_y.created", "create", None, {"a": text, text: {"b": text}}),
        change("aws_sns_topic_subscription.s", "create", None,
               {"topic_arn": text, "protocol": text, "endpoint": text, "filter_policy": text}),
        change("aws_lambda_permission.p", "create", None,
               {"principal": text, "action": text, "function_name": text, "source_arn": text}),
        change("x_y.moved", "no-op", {}, {}, previous_address=f"x_y.{quoted}",
               importing={"id": text}),
    ]  # fmt: skip


class Outline(HTMLParser):
    """The tags of a page, and whether they are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


OUR_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "ul", "li", "p", "code"),
    *("strong", "pre", "span", "section", "details", "summary", "footer"),
}


def check_html(text: str) -> None:
    outline = Outline()
    outline.feed(text)
    assert outline.tags <= OUR_TAGS
    assert outline.open == []
    assert outline.comments == [" event-pipelines plan-review "]


def check_markdown(text: str) -> None:
    """Reads fences and code spans as GitHub does; outside of them only our own words may be."""
    outside, fence = [], ""
    for line in text.split("\n"):
        mark = re.match(r" {0,3}(`{3,})", line)
        if fence:
            if re.fullmatch(rf" {{0,3}}{fence}`*", line):
                fence = ""
            continue
        if mark:
            fence = mark[1]
            assert line.strip() == f"{fence}diff"
            continue
        # A span ends at the next run of backticks of the same length.
        outside.append(re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", line))
    assert fence == ""
    left = "\n".join(outside)
    assert "`" not in left
    tags = re.findall(r"<[^>]*>", left)
    assert set(tags) <= {"<!-- event-pipelines plan-review -->", "<details>", "</details>",
                         "<summary>", "</summary>", "<sub>", "</sub>"}  # fmt: skip
    assert tags.count("<details>") == tags.count("</details>")
    assert not re.search(r"alert\(|@everyone|example\.com|u202e", left)


def check_text(text: str) -> None:
    assert all(character.isprintable() or character == "\n" for character in text)


CHECKS = {"markdown": check_markdown, "html": check_html, "text": check_text}


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("text", NASTY)
def test_no_value_breaks_out(text: str, form: str) -> None:
    found = reviewed(
        *everywhere(text),
        output_changes={text: {"actions": ["create"], "before": None, "after": text}},
        checks=[{"address": {"to_display": text}, "status": "fail",
                 "problems": [{"message": text}]}],
    )  # fmt: skip

    for budget in (None, 3_000):
        CHECKS[form](shown(found, form, budget))


def test_the_checks_notice_what_breaks_out() -> None:
    with pytest.raises(AssertionError):
        check_markdown("- a <script>")
    with pytest.raises(AssertionError):
        check_markdown("```diff\n```\n`")
    with pytest.raises(AssertionError):
        check_html("<html><script></script></html>")
    with pytest.raises(AssertionError):
        check_text("\x1b[31m")


@by_property
@given(st.text(alphabet="`<>-|!\n\\\"'&a *_[]()~#\u202e", max_size=24))
def test_no_generated_text_breaks_out_of_its_place(text: str) -> None:
    found = reviewed(*everywhere(text))

    for form, check in CHECKS.items():
        check(shown(found, form))


def test_escaped_text_stays_readable() -> None:
    value = 'a <b> & `c` "d"'
    found = reviewed(change("x_y.z", "update", {"a": ""}, {"a": value}))

    assert '+ a = "a <b> & `c` \\"d\\""' in shown(found)
    assert "a <b> & `c`" in html.unescape(shown(found, "html"))


@pytest.mark.parametrize("renderer", [Markdown(), Text(), Page()])
def test_a_renderer_trusts_nobody(renderer: Renderer) -> None:
    """Even what reaches it with line breaks and fences in it."""
    block = Bullet(
        ("is ", Code("\x1b[0m\n```\n<b>")), diff=((" ", "```\n# x"), ("+", "\u202e````"))
    )

    text = renderer.block(block)

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not re.search(r"^ {0,3}(```\n)?# x", text, re.MULTILINE)
    if isinstance(renderer, Markdown):
        assert text.count("`````") == 2
    if isinstance(renderer, Page):
        assert "<b>" not in text
