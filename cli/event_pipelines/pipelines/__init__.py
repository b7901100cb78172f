"""Registry of the pipelines: `PIPELINES` maps each name to the module that commands use.

`pipeline.Pipeline` defines what such a module provides. The other modules are shared by them.
"""

import re
from collections.abc import Iterable

from event_pipelines.pipelines import (
    csv_import,
    event_audit,
    image_derivatives,
    item_relay,
    tenant_routing,
)
from event_pipelines.pipelines.pipeline import Pipeline, Stage
from event_pipelines.stack import Queue

_ALL: tuple[Pipeline, ...] = (
    image_derivatives,
    event_audit,
    csv_import,
    tenant_routing,
    item_relay,
)
PIPELINES = {pipeline.NAME: pipeline for pipeline in _ALL}

# Steps in the order in which an event passes them.
_STEPS = [(pipeline, step) for pipeline in _ALL for step in pipeline.STEPS]


def stages(prefix: str, queues: Iterable[Queue]) -> list[Stage]:
    """Returns the deployed stages, which are those with queues, in the order of the steps."""
    named = {queue.name: queue for queue in queues}
    targets = {queue.dead_letters for queue in named.values()}
    fed: dict[tuple[int, str, str], list[Queue]] = {}
    for name, queue in sorted(named.items()):
        if name not in targets and (place := _place(name.removeprefix(f"{prefix}-"))):
            fed.setdefault(place, []).append(queue)
    return [
        Stage(
            _STEPS[number][0].NAME,
            name,
            f"{prefix}-{function}" if function else None,
            tuple(feeding),
            tuple(named[queue.dead_letters] for queue in feeding if queue.dead_letters in named),
        )
        for (number, name, function), feeding in sorted(fed.items())
    ]


def pipeline_of(name: str) -> str | None:
    """Returns the pipeline of a queue or dead-letter queue, given without the stack's prefix."""
    place = _place(re.sub(r"-dlq(?=(\.fifo)?$)", "", name))
    return _STEPS[place[0]][0].NAME if place else None


def concerned(key: str) -> list[str]:
    """Returns the names of the pipelines that may process an object with this key."""
    found = [each.NAME for each in _ALL if each.KEYS.fullmatch(key)]
    # A key that no other pipeline takes may be a misplaced file of a tenant.
    if "/" in key and set(found) <= {event_audit.NAME}:
        found.append(tenant_routing.NAME)
    return found


def _place(queue: str) -> tuple[int, str, str] | None:
    """Returns number and name of the step that consumes a queue, and its function ("": none)."""
    for number, (_, step) in enumerate(_STEPS):
        if match := re.fullmatch(step.queue, queue):
            return number, match.expand(step.name), match.expand(step.function or "")
    return None
