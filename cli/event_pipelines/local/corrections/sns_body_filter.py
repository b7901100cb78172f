"""SNS filters on the message body look into arrays.

AWS: a filter policy of scope MessageBody is matched inside arrays of objects, so
`{"Records": {"eventName": [{"prefix": "ObjectCreated:"}]}}` matches an S3 event.
MiniStack: a nested policy only descends into objects, so no S3 event ever matches.
Correction: message bodies are matched by this project's own matcher.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import sns

from event_pipelines.local.corrections import _event_patterns
from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(sns, "_matches_filter_policy", "sub message_attributes message", _matches)


def _matches(
    original: Callable[..., bool], sub: dict[str, Any], message_attributes: Any, message: str = ""
) -> bool:
    attributes = sub.get("attributes", {})
    policy = attributes.get("FilterPolicy")
    if not policy or attributes.get("FilterPolicyScope") != "MessageBody":
        return original(sub, message_attributes, message)
    try:
        body = json.loads(message)
    except ValueError:
        return False
    return isinstance(body, dict) and _event_patterns.matches(json.loads(policy), body)
