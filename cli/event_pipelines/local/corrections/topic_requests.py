"""SNS filters on the message body match in arrays, and requests to SNS are validated.

AWS: a filter policy of scope MessageBody is matched inside arrays of objects, so
`{"Records": {"eventName": [{"prefix": "ObjectCreated:"}]}}` matches an S3 event. A policy is
refused, when it or its scope is set, if it has an unknown or malformed rule, more than five keys or
150 combinations of values (each key's values multiplied by its depth), or if it is nested and its
scope is MessageAttributes. A message must not be empty; a subject has up to 100 characters without
control characters; a batch has entries, whose ids consist of letters, digits, hyphens and
underscores.
https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
MiniStack: a nested policy only descends into objects, so no S3 event ever matches; any JSON is
accepted as a policy, and any message and batch is published.
Correction: this project's own matcher matches message bodies and validates policies; the other
limits are checked before the request is processed.
"""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.services import sns

from event_pipelines.local.corrections import _event_patterns
from event_pipelines.local.corrections._event_patterns import InvalidPattern
from event_pipelines.local.corrections._ministack import around

_MOST_KEYS, _MOST_COMBINATIONS, _GREATEST = 5, 150, 10**9
_SCOPES = (None, "MessageAttributes", "MessageBody")
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{0,100}")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def apply() -> None:
    around(sns, "_matches_filter_policy", "sub message_attributes message", _matches)
    around(sns, "_subscribe", "params", _checked)
    around(sns, "_set_subscription_attributes", "params", _checked)
    around(sns, "_publish", "params", _publish)
    around(sns, "_publish_batch", "params", _publish_batch)


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
    # An empty body matches nothing, not even {"exists": false}.
    return bool(isinstance(body, dict) and body and _event_patterns.matches(_parsed(policy), body))


@functools.cache
def _parsed(policy: str) -> Any:
    return json.loads(policy)


def _checked(original: Callable[..., Any], params: Mapping[str, Any]) -> Any:
    wanted = _attributes(params)
    scope = wanted.get("FilterPolicyScope") or None
    if scope not in _SCOPES:
        text = f"Invalid parameter: FilterPolicyScope: Invalid value [{scope}]"
        return sns._error("InvalidParameter", text, 400)
    try:
        validate(wanted.get("FilterPolicy") or "{}", scope)
    except ValueError as error:
        text = f"Invalid parameter: FilterPolicy: {error}"
        return sns._error("InvalidParameter", text, 400)
    return original(params)


def _publish(original: Callable[..., Any], params: Mapping[str, Any]) -> Any:
    if not sns._p(params, "Message"):
        return sns._error("InvalidParameter", "Invalid parameter: Empty message", 400)
    if not _SUBJECT.fullmatch(sns._p(params, "Subject")):
        return sns._error("InvalidParameter", "Invalid parameter: Subject", 400)
    return original(params)


def _publish_batch(original: Callable[..., Any], params: Mapping[str, Any]) -> Any:
    identifiers = [entry["id"] for entry in sns._parse_batch_entries(params)]
    if not identifiers:
        text = "The batch request doesn't contain any entries."
        return sns._error("EmptyBatchRequest", text, 400)
    if not all(map(_ENTRY_ID.fullmatch, identifiers)):
        text = "The Id of a batch entry in a batch request doesn't abide by the specification."
        return sns._error("InvalidBatchEntryId", text, 400)
    return original(params)


def _attributes(params: Mapping[str, Any]) -> dict[str, str]:
    """Returns the subscription's attributes after the request."""
    arn = sns._p(params, "SubscriptionArn")
    topic = sns._sub_arn_to_topic.get(arn) if arn else None
    found = sns._find_subscription(topic, arn) if topic else None
    wanted = dict(found["attributes"]) if found else {}
    wanted[sns._p(params, "AttributeName")] = sns._p(params, "AttributeValue")
    number = 1
    while name := sns._p(params, f"Attributes.entry.{number}.key"):
        wanted[name] = sns._p(params, f"Attributes.entry.{number}.value")
        number += 1
    return wanted


def validate(text: str, scope: str | None) -> None:
    """Raises ValueError unless SNS accepts this policy for the scope (None: MessageAttributes)."""
    policy = json.loads(text)
    _event_patterns.validate(policy)
    if scope != "MessageBody" and any(isinstance(value, Mapping) for value in policy.values()):
        raise InvalidPattern("scope MessageAttributes does not support nested policies")
    keys = list(_keys(policy))
    if len(keys) > _MOST_KEYS:
        raise InvalidPattern(f"{len(keys)} keys, of which at most {_MOST_KEYS} are supported")
    combinations = math.prod(depth * len(rules) for depth, rules in keys)
    if combinations > _MOST_COMBINATIONS:
        raise InvalidPattern(f"too complex: {combinations} combinations of values")
    for _, rules in keys:
        for rule in rules:
            bounds = rule.get("numeric", ()) if isinstance(rule, Mapping) else [rule]
            if any(isinstance(each, int | float) and abs(each) > _GREATEST for each in bounds):
                raise InvalidPattern(f"a number beyond {_GREATEST}")


def _keys(policy: Mapping[str, Any], depth: int = 1) -> Iterator[tuple[int, list[Any]]]:
    """Yields the depth and the rules of each key, including those of all alternatives of `$or`."""
    for name, expected in policy.items():
        if name == "$or":
            for alternative in expected:
                yield from _keys(alternative, depth)
        elif isinstance(expected, Mapping):
            yield from _keys(expected, depth + 1)
        else:
            yield depth, expected
