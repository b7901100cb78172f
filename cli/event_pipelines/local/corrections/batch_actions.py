"""Batches need the permission of what they are batches of.

AWS: SendMessageBatch is allowed by sqs:SendMessage, DeleteMessageBatch by sqs:DeleteMessage,
ChangeMessageVisibilityBatch by sqs:ChangeMessageVisibility and PublishBatch by sns:Publish; there
are no actions named after the batches.
MiniStack: asks for an action of the batch's own name, which a policy for AWS cannot grant.
Correction: the action is that of a single entry.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions

from event_pipelines.local.corrections._ministack import around

_ACTIONS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
}


def apply() -> None:
    around(
        iam_actions, "extract_iam_action", "service method path headers body query_params", _single
    )


def _single(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    action = original(*args, **kwargs)
    return _ACTIONS.get(action, action)
