"""Conflicts between the resources of one plan: equal names, exceeded limits and recursive loops."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from event_pipelines.plans.review.plan_values import name_of, parsed

# Attribute that is unique for a type, per account and region; per account for what IAM has, and
# among all accounts for buckets.
NAMES = {
    "aws_cloudwatch_log_group": "name",
    "aws_cloudwatch_metric_alarm": "alarm_name",
    "aws_dynamodb_table": "name",
    "aws_iam_group": "name",
    "aws_iam_role": "name",
    "aws_lambda_function": "function_name",
    "aws_s3_bucket": "bucket",
    "aws_s3_bucket_notification": "bucket",
    "aws_sns_topic": "name",
    "aws_sqs_queue": "name",
}
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
RULES_PER_BUCKET = 100
# Blocks of a bucket notification, each with the ARN of its target in the attribute BLOCK_arn.
NOTIFIED = ("topic", "queue", "lambda_function")
_SENDING = ("sqs:sendmessage", "sns:publish", "s3:putobject", "lambda:invokefunction")


@dataclass(frozen=True)
class Resource:
    """A resource after the apply. Secret and unknown parts of ``values`` are not strings."""

    address: str
    kind: str
    values: Mapping[str, Any]
    # Key of the provider configuration, of which each may be for another account and region.
    provider: str = ""

    @property
    def module(self) -> str:
        """The module's part of the address, which is everything before the type."""
        return self.address.rpartition(f"{self.kind}.")[0]


@dataclass(frozen=True)
class Conflict:
    """A conflict. ``check`` is `twice`, `quota` or `recursion`."""

    check: str
    subject: str
    problem: str
    remedy: str


def conflicts(resources: Sequence[Resource]) -> Iterator[Conflict]:
    """Yields the conflicts visible in the plan; values known only after apply are ignored."""
    yield from _twice(resources)
    yield from _too_many_rules(resources)
    yield from _recursion(resources)


def _twice(resources: Iterable[Resource]) -> Iterator[Conflict]:
    first: dict[tuple[Any, ...], str] = {}
    for resource in resources:
        name = resource.values.get(NAMES.get(resource.kind, ""))
        key = (resource.kind, name, *_namespace(resource))
        if isinstance(name, str) and first.setdefault(key, resource.address) != resource.address:
            yield Conflict(
                "twice",
                resource.address,
                f"{name} is what {first[key]} has: one of the two is refused, or overwrites the"
                " other",
                "keep one of them, with all that both are to do, or choose another name",
            )


def _namespace(resource: Resource) -> tuple[Any, ...]:
    """Within which a name is unique; the argument `region` exists since provider 6."""
    if resource.kind.startswith("aws_s3_"):
        return ()
    if resource.kind.startswith("aws_iam_"):
        return (resource.provider,)
    return resource.provider, resource.values.get("region")


def _too_many_rules(resources: Iterable[Resource]) -> Iterator[Conflict]:
    for resource in _of(resources, "aws_s3_bucket_notification"):
        rules = sum(len(_listed(resource.values.get(kind))) for kind in NOTIFIED)
        if rules > RULES_PER_BUCKET:
            yield Conflict(
                "quota",
                resource.address,
                f"{rules:,} rules for one bucket, which takes {RULES_PER_BUCKET}",
                "name fewer prefixes and suffixes, or send all events through EventBridge",
            )


def _recursion(resources: Sequence[Resource]) -> Iterator[Conflict]:
    """Functions that are triggered by their own messages or objects, unless that is allowed."""
    allowed = {
        _function(one.values.get("function_name"))
        for one in _of(resources, "aws_lambda_function_recursion_config")
        if one.values.get("recursive_loop") == "Allow"
    }
    repeated = _on_circles(_paths(resources)) - allowed
    for function in _of(resources, "aws_lambda_function"):
        name = function.values.get("function_name")
        if isinstance(name, str) and _function(name) in repeated:
            yield Conflict(
                "recursion",
                function.address,
                f"{name} may send what starts it again: Lambda ends such a loop after 16 times, and"
                " all that it sends is paid for",
                "let it write below another prefix or to another queue; where it is meant to start"
                ' itself, set recursive_loop = "Allow"',
            )


@dataclass(frozen=True)
class _Rule:
    """What an event source triggers; for a bucket, only for keys with this prefix and suffix."""

    target: str
    prefix: str = ""
    suffix: str = ""

    def takes(self, key: str) -> bool:
        """Whether the rule may match a key of this pattern."""
        start, _, _ = key.partition("*")
        end = key.rpartition("*")[2]
        any_more = "*" in key
        begins = start.startswith(self.prefix) or (any_more and self.prefix.startswith(start))
        return begins and (end.endswith(self.suffix) or (any_more and self.suffix.endswith(end)))


def _paths(resources: Sequence[Resource]) -> dict[str, set[str]]:
    """Returns a graph: what each function, source and send permission may trigger."""
    rules = _rules(resources)
    sources = sorted(rules)
    found = defaultdict[str, set[str]](set)
    for source, some in rules.items():
        if ":s3:" not in source:
            found[source] = {rule.target for rule in some}
    for function, patterns in _sends(resources):
        for pattern in patterns:
            head, slash, key = pattern.partition("/")
            literal, wild, _ = head.partition("*")
            # A wildcard in the ARN matches all ARNs with this prefix, and any key.
            sent = f"sends {literal if wild else pattern}{wild}"
            found[function].add(sent)
            if sent in found:
                continue
            found[sent] = set()
            named = _beginning(sources, literal) if wild else iter([head] if head in rules else [])
            for source in named:
                found[sent] |= (
                    {rule.target for rule in rules[source] if wild or (slash and rule.takes(key))}
                    if ":s3:" in source
                    else {source}
                )
    return found


def _beginning(sources: Sequence[str], literal: str) -> Iterator[str]:
    """Yields the elements with the prefix `literal` of a sorted list."""
    for place in range(bisect_left(sources, literal), len(sources)):
        if not sources[place].startswith(literal):
            return
        yield sources[place]


def consumers(resources: Sequence[Resource]) -> dict[str, str]:
    """Returns the name of the function that an event source mapping starts, by its address.

    A name that is only known after the apply is that of the module's function, if it has one.
    """
    functions, found = _alone(resources, "aws_lambda_function"), {}
    for one in _of(resources, "aws_lambda_event_source_mapping"):
        if started := name_of(one.values.get("function_name")) or functions.get(one.module):
            found[one.address] = function_name(started)
    return found


def _rules(resources: Sequence[Resource]) -> dict[str, list[_Rule]]:
    topics, started = _alone(resources, "aws_sns_topic"), consumers(resources)
    pairs = [
        (one.values.get("event_source_arn"), _function(started[one.address]))
        for one in _of(resources, "aws_lambda_event_source_mapping")
        if one.values.get("enabled") is not False and one.address in started
    ]
    for one in _of(resources, "aws_sns_topic_subscription"):
        endpoint, topic = str(one.values.get("endpoint")), one.values.get("topic_arn")
        if not isinstance(topic, str) and one.module in topics and endpoint.startswith("arn:"):
            partition, _, *place = endpoint.split(":")[1:5]
            topic = ":".join(("arn", partition, "sns", *place, topics[one.module]))
        pairs.append((topic, _target(endpoint)))
    found = defaultdict[str, list[_Rule]](list)
    for source, target in pairs:
        if isinstance(source, str):
            found[source].append(_Rule(target))
    for one in _of(resources, "aws_s3_bucket_notification"):
        bucket = one.values.get("bucket")
        for kind in NOTIFIED if isinstance(bucket, str) else ():
            for rule in _listed(one.values.get(kind)):
                arn = rule.get(f"{kind}_arn") if isinstance(rule, dict) else None
                if isinstance(arn, str) and arn.startswith("arn:"):
                    ends = (name_of(rule.get(f"filter_{end}")) for end in ("prefix", "suffix"))
                    some = found[f"arn:{arn.split(':')[1]}:s3:::{bucket}"]
                    # Further rules are reported as a conflict by themselves.
                    if len(some) < RULES_PER_BUCKET:
                        some.append(_Rule(_target(arn), *(end or "" for end in ends)))
    return found


def _sends(resources: Sequence[Resource]) -> Iterator[tuple[str, list[str]]]:
    """Yields functions with the resources that their role, or module, allows them to send to."""
    by_role, by_module = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for policy in _of(resources, "aws_iam_role_policy"):
        sent = list(_sent(policy.values.get("policy")))
        by_role[_last(policy.values.get("role"))] += sent
        by_module[policy.module] += sent
    alone = _alone(resources, "aws_lambda_function")
    for function in _of(resources, "aws_lambda_function"):
        role = function.values.get("role")
        own = by_module[function.module] if function.module in alone else []
        sent = by_role[_last(role)] if isinstance(role, str) else own
        yield _function(function.values.get("function_name")), sent


def _alone(resources: Sequence[Resource], kind: str) -> dict[str, str]:
    """Returns the name of a module's only resource of a kind, by module: it stands for ARNs in the
    module that are unknown before the apply."""
    counted = Counter(one.module for one in _of(resources, kind))
    named = ((one.module, one.values.get(NAMES[kind])) for one in _of(resources, kind))
    return {
        module: name for module, name in named if counted[module] == 1 and isinstance(name, str)
    }


def _sent(policy: Any) -> Iterator[str]:
    given = parsed(policy) if isinstance(policy, str) else getattr(policy, "value", None)
    statements = given.get("Statement") if isinstance(given, dict) else None
    for statement in _listed(statements):
        if isinstance(statement, dict) and statement.get("Effect") == "Allow":
            actions = [str(each).lower() for each in _listed(statement.get("Action"))]
            if any(fnmatchcase(one, action) for one in _SENDING for action in actions):
                yield from filter(None, map(name_of, _listed(statement.get("Resource"))))


def _on_circles(paths: Mapping[str, set[str]]) -> set[str]:
    """Returns the nodes that lie on cycles, in linear time (Kosaraju's algorithm)."""
    back = defaultdict[str, set[str]](set)
    for node, ahead in paths.items():
        for one in ahead:
            back[one].add(node)
    order: list[str] = []
    seen = set[str]()
    for root in paths:
        # A node is popped with `done` once everything reachable from it is finished.
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack += [(node, True), *((one, False) for one in paths.get(node, ()))]
    found, left = set[str](), set[str]()
    for root in reversed(order):
        group, behind = set[str](), [root]
        while behind:
            node = behind.pop()
            if node not in left:
                left.add(node)
                group.add(node)
                behind += back[node]
        if len(group) > 1:
            found |= group
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _last(value: Any) -> str:
    """Returns a role's name, from its ARN or the name itself."""
    return str(value).rpartition("/")[2]


def function_name(value: Any) -> str:
    """Returns a function's name, from its name or ARN, without a qualifier."""
    parts = str(value).split(":")
    return parts[6] if len(parts) > 6 else parts[0]


def _function(value: Any) -> str:
    """Returns the graph node of a function, from its name or ARN."""
    return f"function {function_name(value)}"


def _target(value: Any) -> str:
    return _function(value) if ":lambda:" in str(value) else str(value)


def _of(resources: Iterable[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource.kind == kind]
