"""SNS filters on the message body look into arrays, and filter policies are checked.

AWS: a filter policy of scope MessageBody is matched inside arrays of objects, so
`{"Records": {"eventName": [{"prefix": "ObjectCreated:"}]}}` matches an S3 event. A policy is
refused when it is set, or when the scope is, if it has an unknown or malformed rule, more than five
keys or 150 combinations of values (a key that lies deeper counts as often as it is deep), and if it
is nested though its scope is MessageAttributes.
https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
MiniStack: a nested policy only descends into objects, so no S3 event ever matches; any JSON is
taken for a policy.
Correction: message bodies are matched by this project's own matcher, which also checks policies.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.services import sns

from event_pipelines.local.corrections import _event_patterns
from event_pipelines.local.corrections._event_patterns import InvalidPattern
from event_pipelines.local.corrections._ministack import around

_MOST_KEYS, _MOST_COMBINATIONS, _GREATEST = 5, 150, 10**9


def apply() -> None:
    around(sns, "_matches_filter_policy", "sub message_attributes message", _matches)
    around(sns, "_subscribe", "params", _checked)
    around(sns, "_set_subscription_attributes", "params", _checked)


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


def _checked(original: Callable[..., Any], params: Mapping[str, Any]) -> Any:
    wanted = _attributes(params)
    try:
        validate(wanted.get("FilterPolicy") or "{}", wanted.get("FilterPolicyScope"))
    except ValueError as error:
        text = f"Invalid parameter: FilterPolicy: {error}"
        return sns._error("InvalidParameter", text, 400)
    return original(params)


def _attributes(params: Mapping[str, Any]) -> dict[str, str]:
    """Of the subscription as it is to be."""
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
    """Raises ValueError unless SNS takes this policy for the scope (None: MessageAttributes)."""
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
    """How deep each key lies, and its rules; alternatives count as what is asked together."""
    for name, expected in policy.items():
        if name == "$or":
            for alternative in expected:
                yield from _keys(alternative, depth)
        elif isinstance(expected, Mapping):
            yield from _keys(expected, depth + 1)
        else:
            yield depth, expected
