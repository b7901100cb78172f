"""What a stack's pipelines consist of, told from the names of its queues alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Plans are read where there is no boto3, and their pipelines are called as those of a stack.
    from event_pipelines.queues.directory import Queue

IMAGES = "image-derivatives"
AUDIT = "event-audit"
IMPORTS = "csv-import"
TENANTS = "tenant-routing"
RELAY = "item-relay"
PIPELINES = (IMAGES, AUDIT, IMPORTS, TENANTS, RELAY)


@dataclass(frozen=True)
class Stage:
    """A step of a pipeline: the queues it is fed by, and their dead-letter queues.

    `function` is the name of what works on them; None: people, or a service outside of Lambda.
    """

    pipeline: str
    name: str
    function: str | None
    queues: "tuple[Queue, ...]"
    dead_letters: "tuple[Queue, ...]"


@dataclass(frozen=True)
class _Step:
    """`queue` matches names of queues; the others may refer to its groups. None has a prefix."""

    pipeline: str
    queue: str
    name: str
    function: str | None


# What pipelines' names begin with.
_PARTS = ("image-", "audit-", "csv-", "tenants-", "tg-", "tenant-", "relay-")

# In the order in which an event meets them.
_STEPS = (
    _Step(IMAGES, r"image-(.+)", r"\1", r"image-\1"),
    _Step(AUDIT, r"audit-(.+)", r"\1", r"audit-\1"),
    _Step(IMPORTS, r"csv-imports", "split", "csv-split"),
    _Step(IMPORTS, r"csv-rows(?:\.fifo)?", "load", "csv-load"),
    _Step(TENANTS, r"tg-.+-ingest", "route", "tenants-route"),
    _Step(TENANTS, r"tenants-quarantine", "quarantine", None),
    _Step(TENANTS, r"(?:tg|tenant)-.+-raw", "process", "tenants-process"),
    _Step(RELAY, r"relay-updates", "update", "relay-update"),
    _Step(RELAY, r"relay-finished\.fifo", "serve", None),
)


def of(prefix: str, queues: "Iterable[Queue]") -> list[Stage]:
    """The stages that have queues, so that a pipeline that is not deployed has none."""
    named = {queue.name: queue for queue in queues}
    targets = {queue.dead_letters for queue in named.values()}
    fed: dict[tuple[int, str, str], list[Queue]] = {}
    for name, queue in sorted(named.items()):
        if name not in targets and (place := _place(name.removeprefix(f"{prefix}-"))):
            fed.setdefault(place, []).append(queue)
    return [
        Stage(
            _STEPS[number].pipeline,
            name,
            f"{prefix}-{function}" if function else None,
            tuple(feeding),
            tuple(named[queue.dead_letters] for queue in feeding if queue.dead_letters in named),
        )
        for (number, name, function), feeding in sorted(fed.items())
    ]


def is_ours(name: str) -> bool:
    """Whether what is called so, without the prefix, is of a pipeline of the stack."""
    return name.startswith(_PARTS)


def _place(queue: str) -> tuple[int, str, str] | None:
    """The step that takes from a queue: its number, its name and its function's ("": none)."""
    for number, step in enumerate(_STEPS):
        if match := re.fullmatch(step.queue, queue):
            return number, match.expand(step.name), match.expand(step.function or "")
    return None
