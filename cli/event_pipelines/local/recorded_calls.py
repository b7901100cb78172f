"""Who asked the engine for what: the calls that its policies decided on, written to a file.

What Lambda does in a function's role is in it, too: polling its queue and writing its log.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from event_pipelines.local.corrections._ministack import around


def record(path: Path) -> None:
    """Appends a line for each kind of call from now on: {"principal", "action", "resource"}.

    The principal is an ARN; a call that was recorded once is not recorded again. Whether it was
    allowed is not said: a resource's own policy, which comes later, may say otherwise.
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
