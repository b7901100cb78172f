"""The demo on a running stack: what every pipeline did, on the terminal and in one report."""

import time
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.console import Console

from event_pipelines.console import counting, table_lines
from event_pipelines.local.demo import audit, image_report, imports, items, report, tenants
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.local.demo.report import Chapter, Demo
from event_pipelines.local.stack import LocalStack
from event_pipelines.smoke import journeys
from event_pipelines.smoke.commands import HEADINGS, TIMEOUT_SECONDS, rows
from event_pipelines.stack import Stack
from event_pipelines.status import path
from event_pipelines.status.commands import shown


class Demonstration(Protocol):
    def demonstrate(self, demo: Demo) -> Chapter:
        """Brings real files through a pipeline and accounts for every one of them."""


# By the root's output of the pipeline.
DEMONSTRATIONS: dict[str, Demonstration] = {
    "image_derivatives": image_report,
    "event_audit": audit,
    "csv_import": imports,
    "tenant_routing": tenants,
    "item_relay": items,
}


def show(stack: LocalStack, collection: list[Photograph], console: Console) -> bool:
    """Prints what happened and writes the report; True if everything is accounted for."""
    chapters: list[Chapter] = []
    outputs = stack.outputs
    with stack.environment():
        faults = _tried(outputs["name_prefix"], console)
        started = datetime.now(UTC)
        for name, demonstration in DEMONSTRATIONS.items():
            if outputs[name]:
                demo = Demo(outputs[name], outputs["name_prefix"], collection, console)
                chapters.append(demonstration.demonstrate(demo))
                lines = table_lines(chapters[-1].headings, chapters[-1].rows, width=console.width)
                _print_lines([*lines, chapters[-1].caption], console)
        faults += [fault for chapter in chapters for fault in chapter.faults]
        faults += _status(outputs, started, console)
    made = f"Made on {time.strftime('%Y-%m-%d %H:%M:%S')}, region {stack.region}, local engine"
    stack.home.report.write_text(report.page(chapters, made), encoding="utf-8")
    console.print(f"Report with the pictures: {stack.home.report}", soft_wrap=True)
    for fault in faults:
        console.print(fault, style="bold red", markup=False)
    return not faults


def _tried(name_prefix: str, console: Console) -> list[str]:
    """What `event-pipelines smoke` does after an apply; returns where something stopped."""
    stack = Stack(name_prefix)
    with counting("Trying each pipeline with something small", console) as progress:
        found = journeys.travel(stack, journeys.deployed(stack), TIMEOUT_SECONDS, progress)
    _print_lines(table_lines(HEADINGS, rows(found), width=console.width), console)
    return [one.stopped for one in found if one.stopped]


def _print_lines(lines: list[str], console: Console) -> None:
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _status(outputs: dict[str, Any], started: datetime, console: Console) -> list[str]:
    """Shows what `event-pipelines status` says; returns the faults that are not on purpose."""
    status = path.watch(Stack(outputs["name_prefix"]), started).look()
    console.print("What `event-pipelines status` says now:")
    _print_lines(shown(status), console)
    if not status.healthy:
        console.print("So it exits with 1: what was sent to fail waits for somebody to act.")
    derivatives = (outputs["image_derivatives"] or {}).get("derivatives", {})
    # Alarms tell of the same, and of what was sent to be rejected.
    on_purpose = ("Alarm ", *(f"1 dead letter in image-{name}-dlq:" for name in derivatives))
    return [fault for fault in status.faults if not fault.startswith(on_purpose)]


def clean_up(stack: LocalStack, console: Console) -> None:
    """Removes what the demo made beside Terraform, which could not destroy it."""
    if stack.outputs["tenant_routing"]:
        with stack.environment(), counting("Deleting the tenants", console) as progress:
            tenants.remove(stack.outputs["name_prefix"], progress)
