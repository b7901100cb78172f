"""Records in a file which principal made which calls to the engine, as policies evaluate them.

Includes what Lambda does in a function's role: polling its queue and writing its log.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from event_pipelines.local.corrections._ministack import around


def record(path: Path) -> None:
    """Appends a line for each distinct call from now on: {"principal", "action", "resource"}.

    The principal is an ARN; equal calls are recorded once. The decision is not recorded, because
    the resource's own policy is evaluated later and may change it.
    """
    seen: set[tuple[str, str, str]] = set()

    def evaluate(original: Callable[..., Any], ctx: Any, policies: Any, *limits: Any) -> Any:
        call = (ctx.principal_arn, ctx.action, ctx.resource_arn)
        if call not in seen:
            seen.add(call)
            line = {"principal": call[0], "action": call[1], "resource": call[2]}
            with path.open("a") as file:
                file.write(f"{json.dumps(line)}\n")
        return original(ctx, policies, *limits)

    around(iam_evaluator, "evaluate", "ctx policies limits", evaluate)
