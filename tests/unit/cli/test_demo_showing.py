"""The demo opens with the plan, and shows each pipeline as soon as it is applied."""

import io
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from event_pipelines.local.demo import demo_output
from event_pipelines.local.demo.demo_output import Showing
from event_pipelines.local.demo.report import Chapter, Demo
from event_pipelines.local.engine import Engine
from event_pipelines.local.home import Home
from event_pipelines.local.stack import LocalStack
from event_pipelines.local.terraform import Activity, TerraformFailed
from support.stacks import eventually

PIPELINES = ("csv_import", "item_relay", "image_derivatives")
PLANNED = Counter({"csv_import": 2, "item_relay": 1, "image_derivatives": 3, "alarms": 1, "": 1})


def stack(*names: str) -> LocalStack:
    engine = Engine(1, 1, "1", "python3.13", Path("ca"), Path("log"))
    outputs: dict[str, Any] = dict.fromkeys(demo_output.DEMONSTRATIONS)
    outputs |= {name: {"is": name} for name in names} | {"name_prefix": "p"}
    return LocalStack(Home(Path()), engine, "eu-west-1", outputs)


class Applying:
    """Instead of Terraform: finishes a module at a time, and waits for its chapter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.applied: list[str] = []
        self.shown: list[tuple[str, int]] = []
        self.out = io.StringIO()
        self.showing = Showing([], Console(file=self.out, width=100))
        self.done = 0
        monkeypatch.setattr(
            demo_output,
            "DEMONSTRATIONS",
            {name: SimpleNamespace(demonstrate=self.chapter) for name in PIPELINES},
        )
        monkeypatch.setattr(LocalStack, "environment", lambda _: nullcontext())

    def chapter(self, demo: Demo) -> Chapter:
        self.shown.append((demo.output["is"], self.done))
        name = demo.output["is"]
        return Chapter(name, ["a"], f"This is {name}.", ["h"], [["r"]], [])

    def so_far(self) -> LocalStack:
        return stack(*self.applied)

    def up(self, order: tuple[str, ...], until: Callable[[str], object]) -> LocalStack:
        activity = Activity(planned=PLANNED)
        self.showing.note(activity)
        activity.total = PLANNED.total()
        eventually(lambda: "The plan:" in self.out.getvalue(), "the plan")
        for name in order:
            self.applied.append(name)
            activity.finished[name] = PLANNED[name]
            self.done += 1
            until(name)
        return stack(*self.applied)

    def run(self, order: tuple[str, ...], until: Callable[[str], object]) -> list[LocalStack]:
        begun: list[LocalStack] = []
        with ThreadPoolExecutor(1) as background:
            applying = background.submit(self.up, order, until)
            self.showing.follow(applying, self.so_far, begun.append)
        return begun


@pytest.fixture
def applying(monkeypatch: pytest.MonkeyPatch) -> Applying:
    return Applying(monkeypatch)


def test_chapter_is_shown_while_the_rest_is_applied(applying: Applying) -> None:
    def until_shown(name: str) -> None:
        eventually(lambda: name in dict(applying.shown), f"the chapter of {name}")

    begun = applying.run(("item_relay", "image_derivatives", "csv_import"), until_shown)

    assert applying.shown == [("item_relay", 1), ("image_derivatives", 2), ("csv_import", 3)]
    assert len(begun) == 1
    assert applying.out.getvalue().index("This is item_relay.") > 0


def test_tenants_are_onboarded_while_the_others_are_shown(
    applying: Applying, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = threading.Event()

    def onboard(_: Demo) -> Chapter:
        assert shown.wait(60), "the other chapter waited for this one"
        return Chapter("tenants", ["a"], "This is onboarding.", ["h"], [["r"]], [])

    def relay(demo: Demo) -> Chapter:
        shown.set()
        return applying.chapter(demo)

    modules = {"tenant_routing": onboard, "item_relay": relay}
    monkeypatch.setattr(
        demo_output,
        "DEMONSTRATIONS",
        {name: SimpleNamespace(demonstrate=each) for name, each in modules.items()},
    )
    monkeypatch.setitem(PLANNED, "tenant_routing", 1)

    begun = applying.run(("tenant_routing", "item_relay"), lambda _: None)

    said = applying.out.getvalue()
    assert said.index("This is item_relay.") < said.index("This is onboarding.")
    assert len(begun) == 1


def test_demo_opens_with_the_plan_in_three_lines(applying: Applying) -> None:
    applying.run(PIPELINES, lambda _: None)

    lines = applying.out.getvalue().splitlines()
    (first,) = [number for number, line in enumerate(lines) if line.startswith("The plan: 8 ")]
    assert lines[first + 1] == (
        "Of these: csv-import 2, item-relay 1, image-derivatives 3, shared by all 2."
    )
    assert all("This is" not in line for line in lines[: first + 3])
    assert {name for name, _ in applying.shown} == set(PIPELINES)


def test_what_applying_raises_is_raised(applying: Applying) -> None:
    def fail(name: str) -> None:
        raise TerraformFailed(name)

    with pytest.raises(TerraformFailed, match="csv_import"):
        applying.run(PIPELINES, fail)
