"""Requests need the same permissions as on AWS.

AWS: SendMessageBatch is allowed by sqs:SendMessage, DeleteMessageBatch by sqs:DeleteMessage,
ChangeMessageVisibilityBatch by sqs:ChangeMessageVisibility and PublishBatch by sns:Publish; there
are no actions named after the batches. The keys "raw/" and "raw" differ, as do "a//b" and "a/b".
MiniStack: requires an action named after the batch, which a policy for AWS cannot grant; removes
trailing slashes from keys and merges double ones, so that policies which name folders do not match.
Correction: the action is that of a single entry, the key is unchanged.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions

from event_pipelines.local.corrections._ministack import around

_REQUEST = "service method path headers body query_params"
_ACTIONS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
}


def apply() -> None:
    around(iam_actions, "extract_iam_action", _REQUEST, _action)
    around(iam_actions, "extract_resource_arn", f"{_REQUEST} region account_id", _resource)


def _action(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    action = original(*args, **kwargs)
    return _ACTIONS.get(action, action)


def _resource(
    original: Callable[..., str], service: str, method: str, path: str, *args: Any, **kwargs: Any
) -> str:
    bucket, _, key = path.removeprefix("/").partition("/")
    if service == "s3" and bucket and key:
        return f"arn:aws:s3:::{bucket}/{key}"
    return original(service, method, path, *args, **kwargs)
