"""The event path: which resources trigger which others, before and after a plan.

An edge leads from the emitter to the receiver, with the filter between them. Nodes are identified
by their names in AWS, so an edge stays the same when its resource's address changes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from event_pipelines.console import printable
from event_pipelines.plans.review.conflicts import NOTIFIED
from event_pipelines.plans.review.plan import Change, Plan
from event_pipelines.plans.review.plan_values import (
    KNOWN_AFTER_APPLY,
    SENSITIVE,
    Json,
    Secret,
    Unknown,
    plain,
    shown,
)
from event_pipelines.plans.review.references import References

# Resource type -> (kind of node, attribute with its name).
NODE_TYPES = {
    "aws_s3_bucket": ("bucket", "bucket"),
    "aws_sns_topic": ("topic", "name"),
    "aws_sqs_queue": ("queue", "name"),
    "aws_lambda_function": ("function", "function_name"),
    "aws_cloudwatch_event_rule": ("rule", "name"),
    "aws_cloudwatch_event_bus": ("event bus", "name"),
    "aws_sfn_state_machine": ("state machine", "name"),
    "aws_kinesis_stream": ("stream", "name"),
    "aws_kinesis_firehose_delivery_stream": ("delivery stream", "name"),
    "aws_dynamodb_table": ("table", "name"),
}
ARN = re.compile(r"arn:[\w-]+:([\w-]+):([\w-]*):(\d*):(.+)", re.DOTALL)
QUEUE_URL = re.compile(r"https://(?:sqs\.([\w-]+)\.[\w.-]+|[\w.:-]+)/(\d+)/([\w.-]+)")
SERVICES = {
    "s3": "bucket",
    "sns": "topic",
    "sqs": "queue",
    "lambda": "function",
    "states": "state machine",
    "kinesis": "stream",
    "firehose": "delivery stream",
    "dynamodb": "table",
}


# Label of a redrive policy whose maxReceiveCount is known only after apply.
LAST_RECEIVE = "after the last receive"
# Kinds of endpoint that unrelated topics may share without being one path.
OUTSIDE = frozenset({"email", "email-json", "sms", "http", "https", "application", "endpoint"})


@dataclass(frozen=True)
class Node:
    """An emitter or receiver. `place`: account and region, if not the most frequent ones."""

    kind: str
    name: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}{f' ({self.place})' if self.place else ''}"


@dataclass(frozen=True)
class Edge:
    """A connection. `how`: event and filter; `carrier`: address of the defining resource."""

    source: Node
    target: Node
    how: str
    carrier: str


@dataclass(frozen=True)
class Step:
    """An edge with its change: sign is "-", "+" or " "."""

    sign: str
    edge: Edge


@dataclass(frozen=True)
class EventPath:
    """All edges with their changes, and those interrupted while their resource is replaced."""

    steps: tuple[Step, ...]
    interrupted: tuple[Edge, ...]

    @property
    def changed(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.sign != " ")


def event_path(plan: Plan) -> EventPath:
    """Returns the edges before and after the plan; deferred changes count as unchanged."""
    changes = [
        change
        for change in (*plan.changes, *plan.resting)
        if change.mode == "managed" and not change.deposed
    ]
    now = [change for change in changes if not change.deferred or change.before is not None]
    references = References(plan.configuration, now)
    before = _Side(now, references, lambda change: change.before)
    after = _Side(now, references, _resulting)
    places = Counter(place for side in (before, after) for place in side.places)
    home = min(places, key=lambda place: (-places[place], place)) if places else None
    old = before.edges(home)
    new = _as_known(after.edges(home), old)
    # With create_before_destroy, events are not interrupted.
    replaced = [change for change in now if change.action == "replace" and not change.create_first]
    carriers = {change.address for change in replaced}
    ends = {before.node_of(change) for change in replaced if change.type in NODE_TYPES}
    common = {_key(edge) for edge in old} & {_key(edge) for edge in new}
    steps = [Step(" " if _key(edge) in common else "-", edge) for edge in old]
    steps += [Step("+", edge) for edge in new if _key(edge) not in common]
    return EventPath(
        tuple(steps),
        tuple(
            edge
            for edge in new
            if _key(edge) in common
            and (edge.carrier in carriers or edge.source in ends or edge.target in ends)
        ),
    )


def _as_known(new: Sequence[Edge], old: Sequence[Edge]) -> list[Edge]:
    """Treats an unknown maxReceiveCount as unchanged if the rest of the edge is unchanged."""
    known = {(edge.source, edge.target, edge.carrier): edge for edge in old}
    return [
        known.get((edge.source, edge.target, edge.carrier), edge)
        if edge.how == LAST_RECEIVE
        else edge
        for edge in new
    ]


def _key(edge: Edge) -> tuple[Node, Node, str]:
    return edge.source, edge.target, edge.how


def _resulting(change: Change) -> Any:
    if change.deferred:
        return change.before
    # A resource that Terraform forgets continues to work.
    return change.before if change.action == "forget" else change.after


class _Side:
    """The resources before or after the plan."""

    def __init__(
        self, changes: Sequence[Change], references: References, values: Callable[[Change], Any]
    ) -> None:
        self._references = references
        self._values = values
        self._carriers = [
            change
            for change in changes
            if change.type in _READERS and isinstance(values(change), dict)
        ]
        self._dead_letters = {
            target
            for change in changes
            if change.type == "aws_sqs_queue" and isinstance(values(change), dict)
            for target in self._redrive_target(change)
        }
        self._replaced = {
            (kind, name): self.node_of(change)
            for change in changes
            if change.action == "replace" and change.type in NODE_TYPES
            for kind, attribute in [NODE_TYPES[change.type]]
            for name in [change.before.get(attribute)]
            if isinstance(name, str) and isinstance(values(change), dict)
        }
        self.places = [
            (match[2], match[3])
            for change in changes
            if change.type in NODE_TYPES and isinstance(values(change), dict)
            for match in [ARN.fullmatch(str(values(change).get("arn")))]
            if match and match[3]
        ]

    def edges(self, home: tuple[str, str] | None) -> list[Edge]:
        found: dict[Edge, None] = {}
        for change in self._carriers:
            reader = _Reader(self, change, self._values(change), home)
            for source, target, how in _READERS[change.type](reader):
                found[Edge(source, target, how, change.address)] = None
        return list(found)

    def _redrive_target(self, change: Change) -> Iterator[str]:
        found = self._references.resolve(
            change, ("redrive_policy",), lambda other: other.type == "aws_sqs_queue"
        )
        return (other.address for other in found if other.address != change.address)

    def resolve(
        self, change: Change, path: Sequence[str | int], kinds: Sequence[str]
    ) -> Node | None:
        """Returns the node that an unknown attribute will name; None if ambiguous."""
        found = [
            other
            for other in self._references.resolve(
                change, path, lambda other: other.type in NODE_TYPES
                and NODE_TYPES[other.type][0] in kinds and other.address != change.address,
            )
            if self._values(other) is not None
        ]  # fmt: skip
        if len(found) > 1 and path[0] != "redrive_policy":
            # A reference to a whole module finds its queue and the DLQ: the queue is meant.
            found = [other for other in found if other.address not in self._dead_letters] or found
        return self.node_of(found[0]) if len(found) == 1 else None

    def successor(
        self, change: Change, path: Sequence[str | int], kinds: Sequence[str]
    ) -> Node | None:
        """Returns the replacement of the resource that the attribute named before: an attribute
        becomes unknown when its resource is replaced."""
        named = (_named(text, kinds[0], None) for text in _texts_at(change.before, path))
        found = {
            self._replaced[(node.kind, node.name)]
            for node in named
            if (node.kind, node.name) in self._replaced
        }
        return found.pop() if len(found) == 1 else None

    def is_written(self, change: Change, attribute: str) -> bool:
        return attribute in (self._references.resource(change).get("expressions") or {})

    def node_of(self, change: Change) -> Node:
        kind, attribute = NODE_TYPES[change.type]
        name = self._values(change).get(attribute)
        if not isinstance(name, str):
            # Without a name known before apply, the address identifies the node.
            return Node(kind, change.label)
        return Node(kind, printable(name))


@dataclass(frozen=True)
class _Reader:
    """Reads the edges that one resource defines."""

    side: _Side
    change: Change
    values: Mapping[str, Any]
    home: tuple[str, str] | None

    def node(
        self, value: Any, kinds: Sequence[str], *path: str | int, default: Node | None = None
    ) -> Node | None:
        """Returns the node that `value`, the attribute at `path`, names; `default` if it names
        none. `kinds` are the possible kinds, the most likely first."""
        if isinstance(value, Secret):
            return Node(kinds[0], f"{SENSITIVE} of {self.change.label}")
        if isinstance(value, Unknown):
            known = self.side.resolve(self.change, path, kinds)
            known = known or self.side.successor(self.change, path, kinds)
            return known or Node(kinds[0], f"{KNOWN_AFTER_APPLY}, by {self.change.label}")
        if not isinstance(value, str) or not value:
            return default
        return _named(value, kinds[0], self.home)

    def blocks(self, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        value = self.values.get(name)
        for position, block in enumerate(value if isinstance(value, list) else []):
            if isinstance(block, dict):
                yield position, block

    def block(self, *names: str) -> Mapping[str, Any]:
        """Returns the first block at a path of nested blocks; {} if there is none."""
        found: Any = self.values
        for name in names:
            inner = found.get(name)
            found = inner[0] if isinstance(inner, list) and inner else inner
            if not isinstance(found, dict):
                return {}
        return dict(found)


def _texts_at(value: Any, path: Sequence[str | int]) -> Iterator[str]:
    """Yields the strings at a path, in any element of its lists, whose order may change."""
    names = [step for step in path if isinstance(step, str)]
    if isinstance(value, list):
        for element in value:
            yield from _texts_at(element, names)
    elif names and isinstance(value, dict):
        yield from _texts_at(value.get(names[0]), names[1:])
    elif not names and isinstance(value, str):
        yield value


def _named(text: str, kind: str, home: tuple[str, str] | None) -> Node:
    """Returns the node that an ARN, a queue URL or a name identifies."""
    url = QUEUE_URL.fullmatch(text)
    if url:
        return Node("queue", printable(url[3]), _place(url[1], url[2], home))
    arn = ARN.fullmatch(text)
    if not arn:
        return Node(kind, printable(text.partition(":")[0] if kind == "function" else text))
    service, region, account, resource = arn.groups()
    found = SERVICES.get(service, kind)
    if service == "lambda":
        _, _, resource = resource.partition(":")
        resource = resource.partition(":")[0]
    elif service == "events":
        word, _, resource = resource.partition("/")
        found = "rule" if word == "rule" else "event bus"
    elif service in ("kinesis", "firehose", "dynamodb"):
        resource = resource.split("/")[1] if "/" in resource else resource
    elif service == "states":
        resource = resource.rpartition(":")[2]
    elif service not in SERVICES:
        resource = text
    return Node(found, printable(resource), _place(region, account, home))


def _place(region: str | None, account: str | None, home: tuple[str, str] | None) -> str:
    here = home or (region, account)
    parts = [
        printable(part)
        for part, known in ((account, here[1]), (region, here[0]))
        if part and part != known
    ]
    return ", ".join(parts)


# --- Resource types that define edges


Found = Iterator[tuple[Node, Node, str]]


def _bucket_notification(reader: _Reader) -> Found:
    bucket = reader.node(reader.values.get("bucket"), ["bucket"], "bucket")
    if bucket is None:
        return
    rules: dict[tuple[Node, str, str], list[str]] = {}
    for block_name in NOTIFIED:
        kind, attribute = block_name.removeprefix("lambda_"), f"{block_name}_arn"
        if isinstance(reader.values.get(block_name), Unknown):
            target = Node(kind, f"{KNOWN_AFTER_APPLY}, by {reader.change.label}")
            yield bucket, target, KNOWN_AFTER_APPLY
        for position, rule in reader.blocks(block_name):
            target_or_none = reader.node(
                rule.get(attribute), [kind], block_name, position, attribute
            )
            if target_or_none is not None:
                events = _listed(rule.get("events"))
                prefix = _text(rule.get("filter_prefix"))
                rules.setdefault((target_or_none, events, prefix), []).append(
                    _text(rule.get("filter_suffix"))
                )
    for (target, events, prefix), suffixes in rules.items():
        yield bucket, target, _keys(events, prefix, suffixes)
    if reader.values.get("eventbridge") is True:
        yield bucket, Node("event bus", "default"), "every event"


def _keys(events: str, prefix: str, suffixes: Sequence[str]) -> str:
    """Formats `s3:ObjectCreated:* import/*.csv`; merges suffixes that differ only in case."""
    if not prefix and suffixes == [""]:
        return events
    spellings: dict[str, set[str]] = {}
    for suffix in suffixes:
        spellings.setdefault(suffix.lower(), set()).add(suffix)
    endings = []
    for lowered, written in sorted(spellings.items()):
        every_case = 2 ** sum(letter.upper() != letter for letter in lowered)
        if len(written) == every_case > 1:
            endings.append(f"{prefix}*{lowered} (any case)")
        else:
            endings += [f"{prefix}*{suffix}" for suffix in sorted(written)]
    return f"{events} {', '.join(endings)}"


def _subscription(reader: _Reader) -> Found:
    values = reader.values
    topic = reader.node(values.get("topic_arn"), ["topic"], "topic_arn")
    protocol = values.get("protocol")
    kinds = {"sqs": "queue", "lambda": "function", "firehose": "delivery stream"}
    kind = kinds.get(protocol) if isinstance(protocol, str) else None
    endpoint = values.get("endpoint")
    if kind is not None:
        target = reader.node(endpoint, [kind], "endpoint")
    else:
        target = Node(_text(protocol) or "endpoint", _text(endpoint))
    if topic is None or target is None:
        return
    how = _filter(values.get("filter_policy"))
    if how and values.get("filter_policy_scope") == "MessageAttributes":
        how = f"{how} (attributes)"
    if kind == "queue" and values.get("raw_message_delivery") is not True:
        how = f"{how}; in an SNS envelope" if how else "in an SNS envelope"
    yield topic, target, how
    yield from _dead_letters(reader, topic, "what cannot be delivered")


def _queue(reader: _Reader) -> Found:
    queue = reader.side.node_of(reader.change)
    yield from _dead_letters(reader, queue, "after {count} receives")


def _queue_redrive(reader: _Reader) -> Found:
    queue = reader.node(reader.values.get("queue_url"), ["queue"], "queue_url")
    if queue is not None:
        yield from _dead_letters(reader, queue, "after {count} receives")


def _dead_letters(reader: _Reader, source: Node, how: str) -> Found:
    policy = reader.values.get("redrive_policy")
    target: Any = policy
    count: Any = None
    if isinstance(policy, Json) and isinstance(policy.value, dict):
        target = policy.value.get("deadLetterTargetArn")
        count = policy.value.get("maxReceiveCount")
    elif isinstance(policy, Unknown) and not reader.side.is_written(
        reader.change, "redrive_policy"
    ):
        # An unknown redrive policy that is not configured stays empty: AWS sets none by itself.
        return
    node = reader.node(target, ["queue"], "redrive_policy")
    if node is not None:
        known = isinstance(count, int | str) or "{" not in how
        yield source, node, how.format(count=count) if known else LAST_RECEIVE


def _mapping(reader: _Reader) -> Found:
    values = reader.values
    source = reader.node(
        values.get("event_source_arn"), ["queue", "stream", "table"], "event_source_arn"
    )
    function_attribute = "function_arn" if values.get("function_arn") else "function_name"
    if isinstance(values.get(function_attribute), Unknown):
        function_attribute = "function_name"
    function = reader.node(values.get(function_attribute), ["function"], "function_name")
    if source is None or function is None:
        return
    patterns = []
    criteria = values.get("filter_criteria")
    if isinstance(criteria, Unknown | Secret):
        patterns.append(f"filter {criteria!r}")
    filters = reader.block("filter_criteria").get("filter")
    for one in filters if isinstance(filters, list) else ():
        patterns.append(_filter(one.get("pattern") if isinstance(one, dict) else one))
    parts = [" or ".join(sorted(patterns))] if patterns else []
    if values.get("enabled") is False:
        parts.append("switched off")
    yield source, function, "; ".join(parts)
    on_failure = reader.block("destination_config", "on_failure").get("destination_arn")
    yield from _destination(
        reader, function, on_failure, "after the last try",
        "destination_config", 0, "on_failure", 0, "destination_arn",
    )  # fmt: skip


def _function(reader: _Reader) -> Found:
    target = reader.block("dead_letter_config").get("target_arn")
    yield from _destination(
        reader, reader.side.node_of(reader.change), target, "failed asynchronous calls",
        "dead_letter_config", 0, "target_arn",
    )  # fmt: skip


def _invoke_config(reader: _Reader) -> Found:
    function = reader.node(reader.values.get("function_name"), ["function"], "function_name")
    if function is None:
        return
    for outcome, how in (
        ("on_failure", "failed asynchronous calls"),
        ("on_success", "results of asynchronous calls"),
    ):
        target = reader.block("destination_config", outcome).get("destination")
        yield from _destination(
            reader, function, target, how, "destination_config", 0, outcome, 0, "destination"
        )


def _destination(reader: _Reader, source: Node, value: Any, how: str, *path: str | int) -> Found:
    target = reader.node(value, ["queue", "topic", "function", "event bus", "bucket"], *path)
    if target is not None:
        yield source, target, how


def _rule(reader: _Reader) -> Found:
    values = reader.values
    bus = reader.node(
        values.get("event_bus_name"), ["event bus"], "event_bus_name",
        default=Node("event bus", "default"),
    )  # fmt: skip
    rule = reader.side.node_of(reader.change)
    off = "; switched off" if values.get("state") == "DISABLED" else ""
    if values.get("schedule_expression"):
        yield Node("schedule", _text(values["schedule_expression"])), rule, off.lstrip("; ")
    elif bus is not None:
        yield bus, rule, _filter(values.get("event_pattern")) + off


def _rule_target(reader: _Reader) -> Found:
    rule = reader.node(reader.values.get("rule"), ["rule"], "rule")
    kinds = ["queue", "function", "topic", "state machine", "event bus", "stream"]
    target = reader.node(reader.values.get("arn"), kinds, "arn")
    if rule is None or target is None:
        return
    yield rule, target, ""
    failed = reader.block("dead_letter_config").get("arn")
    yield from _destination(
        reader, rule, failed, "what cannot be delivered", "dead_letter_config", 0, "arn"
    )


_READERS: Mapping[str, Callable[[_Reader], Found]] = {
    "aws_s3_bucket_notification": _bucket_notification,
    "aws_sns_topic_subscription": _subscription,
    "aws_sqs_queue": _queue,
    "aws_sqs_queue_redrive_policy": _queue_redrive,
    "aws_lambda_event_source_mapping": _mapping,
    "aws_lambda_function": _function,
    "aws_lambda_function_event_invoke_config": _invoke_config,
    "aws_cloudwatch_event_rule": _rule,
    "aws_cloudwatch_event_target": _rule_target,
}


# --- Filters as text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return printable(value)
    return "" if value is None else shown(value)


def _listed(value: Any) -> str:
    if not isinstance(value, list):
        return _text(value)
    return ", ".join(sorted(map(_text, value)))


def _filter(value: Any) -> str:
    """Formats a filter policy or event pattern: `Records.eventName: A or B; Records.s3…: x*`."""
    if isinstance(value, Unknown | Secret):
        return f"filter {value!r}"
    if isinstance(value, Json) and isinstance(value.value, dict):
        return "; ".join(_conditions(value.value))
    return _text(value)


def _conditions(policy: Mapping[str, Any], path: str = "") -> Iterable[str]:
    for key in sorted(policy):
        inner = policy[key]
        below = f"{path}.{printable(key)}" if path else printable(key)
        if isinstance(inner, dict):
            yield from _conditions(inner, below)
        elif isinstance(inner, list) and key == "$or":
            branches = ("; ".join(_conditions(each)) if isinstance(each, dict) else shown(each)
                        for each in inner)  # fmt: skip
            yield " or ".join(f"({branch})" for branch in branches)
        elif isinstance(inner, list):
            yield f"{below}: {' or '.join(sorted(map(_match, inner)))}"
        else:
            yield f"{below}: {_match(inner)}"


def _match(value: Any) -> str:
    if isinstance(value, dict) and len(value) == 1:
        ((word, wanted),) = value.items()
        if word == "prefix" and isinstance(wanted, str):
            return f"{printable(wanted)}*"
        if word == "suffix" and isinstance(wanted, str):
            return f"*{printable(wanted)}"
        if word == "anything-but":
            return f"anything but {_listed(wanted) if wanted else shown(plain(wanted))}"
        if word == "exists":
            return "present" if wanted is True else "absent"
    return printable(value) if isinstance(value, str) else shown(value)
