"""The demo's output: what each pipeline did, on the terminal and in one report."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.console import Console

from event_pipelines.console import counting, silent, table_lines
from event_pipelines.local.demo import audit, image_report, imports, items, report, tenants
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.local.demo.report import Chapter, Demo
from event_pipelines.local.stack import LocalStack
from event_pipelines.local.terraform import Activity, following
from event_pipelines.smoke import journeys
from event_pipelines.smoke.commands import HEADINGS, TIMEOUT_SECONDS, rows
from event_pipelines.stack import Stack
from event_pipelines.status import path
from event_pipelines.status.commands import shown

_POLL_SECONDS = 0.2


class Demonstration(Protocol):
    """The module of a pipeline's chapter."""

    def demonstrate(self, demo: Demo) -> Chapter:
        """Sends real files through a pipeline and returns the outcome of each."""


# Keys are the root outputs of the pipelines.
DEMONSTRATIONS: dict[str, Demonstration] = {
    "image_derivatives": image_report,
    "event_audit": audit,
    "csv_import": imports,
    "tenant_routing": tenants,
    "item_relay": items,
}
# Waits for new queues and for the router's cache more than it works: runs while others are shown.
_ASIDE = "tenant_routing"


class Showing:
    """Shows each pipeline as soon as it is applied, and all of them in a report."""

    def __init__(self, collection: list[Photograph], console: Console) -> None:
        # The progress of the apply; replaced by another thread.
        self.activity = Activity()
        self.started = datetime.now(UTC)
        self._collection = collection
        self._console = console
        self._chapters: dict[str, Chapter] = {}
        self._aside: Future[Chapter] | None = None

    def note(self, activity: Activity) -> None:
        self.activity = activity

    def follow(
        self,
        applying: "Future[LocalStack]",
        so_far: Callable[[], LocalStack | None],
        begin: Callable[[LocalStack], None],
    ) -> LocalStack:
        """Shows the pipelines as they are applied; calls `begin` before the first.

        Returns the applied stack. Raises what the apply raised.
        """
        self._await_plan(applying)
        if self.activity.total:
            self._print_plan()
        # The environment is that of all threads, so it holds until the last chapter.
        with ExitStack() as shown, ThreadPoolExecutor(1) as threads:

            def show(name: str, stack: LocalStack) -> None:
                if not self._begun:
                    begin(stack)
                    shown.enter_context(stack.environment())
                if name == _ASIDE:
                    quiet = self._demo(name, stack, silent())
                    self._aside = threads.submit(DEMONSTRATIONS[name].demonstrate, quiet)
                else:
                    demo = self._demo(name, stack, self._console)
                    self._show(name, DEMONSTRATIONS[name].demonstrate(demo))

            while not applying.done():
                with counting("Applying the stack with Terraform", self._console) as count:
                    ready = self._awaited(applying, so_far, following(count))
                if ready:
                    show(*ready)
            stack = applying.result()
            for name in DEMONSTRATIONS:
                if stack.outputs[name] and name not in self._begun:
                    show(name, stack)
            if self._aside:
                with counting("Onboarding tenants, meanwhile", self._console):
                    chapter = self._aside.result()
                self._show(_ASIDE, chapter)
        return stack

    @property
    def _begun(self) -> set[str]:
        return {*self._chapters, *([_ASIDE] if self._aside else [])}

    def _await_plan(self, applying: "Future[LocalStack]") -> None:
        with counting("Planning what there is to apply", self._console) as show:
            while not applying.done() and not self.activity.total:
                following(show)(self.activity)
                time.sleep(_POLL_SECONDS)

    def _awaited(
        self,
        applying: "Future[LocalStack]",
        so_far: Callable[[], LocalStack | None],
        report: Callable[[Activity], None],
    ) -> tuple[str, LocalStack] | None:
        """Waits for the next pipeline that is completely applied; None if the apply ends first."""
        while not applying.done():
            report(self.activity)
            for name in DEMONSTRATIONS:
                if name not in self._begun and self.activity.has_finished(name):
                    stack = so_far()
                    if stack and stack.outputs.get(name):
                        return name, stack
            time.sleep(_POLL_SECONDS)
        return None

    def _print_plan(self) -> None:
        planned = self.activity.planned
        parts = [f"{name.replace('_', '-')} {planned[name]}" for name in DEMONSTRATIONS]
        shared = planned.total() - sum(planned[name] for name in DEMONSTRATIONS)
        lines = [
            f"The plan: {planned.total()} resources. A queue takes Terraform's provider 25 s.",
            f"Of these: {', '.join(parts)}, shared by all {shared}.",
            "Each pipeline is shown with real files as soon as it is applied.",
        ]
        _print_lines(lines, self._console)

    def _demo(self, name: str, stack: LocalStack, console: Console) -> Demo:
        outputs = stack.outputs
        return Demo(outputs[name], outputs["name_prefix"], self._collection, console)

    def _show(self, name: str, chapter: Chapter) -> None:
        self._chapters[name] = chapter
        lines = table_lines(chapter.headings, chapter.rows, width=self._console.width)
        _print_lines([*lines, chapter.caption], self._console)

    def finish(self, stack: LocalStack) -> bool:
        """Tests the whole stack and writes the report; returns whether there are no faults."""
        chapters = [self._chapters[name] for name in DEMONSTRATIONS if name in self._chapters]
        with stack.environment():
            faults = _tried(stack.outputs["name_prefix"], self._console)
            faults += [fault for chapter in chapters for fault in chapter.faults]
            faults += _status(stack.outputs, self.started, self._console)
        made = f"Made on {time.strftime('%Y-%m-%d %H:%M:%S')}, region {stack.region}, local engine"
        stack.home.report.write_text(report.page(chapters, made), encoding="utf-8")
        self._console.print(f"Report with the pictures: {stack.home.report}", soft_wrap=True)
        for fault in faults:
            self._console.print(fault, style="bold red", markup=False)
        return not faults


def _tried(name_prefix: str, console: Console) -> list[str]:
    """Runs the same checks as `event-pipelines smoke`; returns where probes stopped."""
    stack = Stack(name_prefix)
    with counting("Trying each pipeline with something small", console) as progress:
        found = journeys.travel(stack, journeys.deployed(stack), TIMEOUT_SECONDS, progress)
    _print_lines(table_lines(HEADINGS, rows(found), width=console.width), console)
    return [one.stopped for one in found if one.stopped]


def _print_lines(lines: list[str], console: Console) -> None:
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _status(outputs: dict[str, Any], started: datetime, console: Console) -> list[str]:
    """Prints the output of `event-pipelines status`; returns the faults that are unexpected."""
    status = path.watch(Stack(outputs["name_prefix"]), started).look()
    console.print("What `event-pipelines status` says now:")
    _print_lines(shown(status), console)
    if not status.healthy:
        console.print("It exits with 1, because events that were sent to fail have failed.")
    derivatives = (outputs["image_derivatives"] or {}).get("derivatives", {})
    # Alarms report the same dead letters, and the rejections that were provoked.
    on_purpose = ("Alarm ", *(f"1 dead letter in image-{name}-dlq:" for name in derivatives))
    return [fault for fault in status.faults if not fault.startswith(on_purpose)]


def clean_up(stack: LocalStack, console: Console) -> None:
    """Deletes what the demo created without Terraform, which could not destroy it."""
    if stack.outputs["tenant_routing"]:
        with stack.environment(), counting("Deleting the tenants", console) as progress:
            tenants.remove(stack.outputs["name_prefix"], progress)
