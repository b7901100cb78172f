"""Two resources that are one for AWS, too many rules, and functions that start themselves."""

import json
from typing import Any

import pytest

from event_pipelines.plans.review.conflicts import NAMES, RULES_PER_BUCKET, Resource, conflicts
from event_pipelines.plans.review.plan_values import UNKNOWN, Secret
from support.linear_time import grows_too_fast
from unit.cli.plan_review.builder import change, reviewed, shown

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"


OTHERS = (
    "aws_iam_role_policy",
    "aws_lambda_event_source_mapping",
    "aws_lambda_function_recursion_config",
    "aws_sns_topic_subscription",
)


def found(*resources: Resource) -> list[tuple[str, str]]:
    return [(one.check, one.subject) for one in conflicts(resources)]


def resource(address: str, **values: Any) -> Resource:
    return Resource(address, address.split(".")[-2], values)


def function(
    name: str, *sends: str, action: Any = "sqs:SendMessage", **role: str
) -> list[Resource]:
    policy = {"Statement": [{"Effect": "Allow", "Action": action, "Resource": [*sends]}]}
    module = f"module.{name}."
    return [
        resource(f"{module}aws_lambda_function.f", function_name=name, **role),
        resource(f"{module}aws_iam_role_policy.p", role=name, policy=json.dumps(policy)),
    ]


def mapping(queue: str, name: str, **more: Any) -> Resource:
    values = {"event_source_arn": QUEUE + queue, "function_name": name, **more}
    return resource(f"aws_lambda_event_source_mapping.{queue}", **values)


def subscription(topic: str, endpoint: str) -> Resource:
    return resource("aws_sns_topic_subscription.s", topic_arn=TOPIC + topic, endpoint=endpoint)


def notification(prefix: str, suffix: str | None = None) -> Resource:
    rule = {"queue_arn": f"{QUEUE}q", "filter_prefix": prefix, "filter_suffix": suffix}
    return resource("aws_s3_bucket_notification.n", bucket="b", queue=[rule])


def writes(*patterns: str) -> list[Resource]:
    keys = (f"arn:aws:s3:::{pattern}" for pattern in patterns)
    return [*function("f", *keys, action=["s3:GetObject", "s3:PutObject"]), mapping("q", "f")]


@pytest.mark.parametrize("kind", NAMES)
def test_two_resources_of_one_name_are_found(kind: str) -> None:
    attribute = NAMES[kind]
    one, other = (
        resource(f"{kind}.a", **{attribute: "a"}),
        resource(f"{kind}.b", **{attribute: "b"}),
    )
    assert found(one, other) == []
    assert found(one, Resource(f"{kind}.c", kind, {attribute: "a"})) == [("twice", f"{kind}.c")]


@pytest.mark.parametrize("kind", NAMES)
def test_names_are_unique_within_what_the_service_has_them_unique_in(kind: str) -> None:
    def twice(provider: str, **region: str) -> bool:
        values = {NAMES[kind]: "a"}
        one = Resource(f"{kind}.a", kind, values, "aws")
        return bool(found(one, Resource(f"{kind}.b", kind, {**values, **region}, provider)))

    in_another_region = kind.startswith(("aws_s3_", "aws_iam_"))
    assert twice("aws")
    assert twice("aws", region="us-east-1") == in_another_region
    # Which may be of another account.
    assert twice("aws.other") == kind.startswith("aws_s3_")


def test_a_module_in_two_regions_is_no_conflict() -> None:
    queue = {"address": "aws_sqs_queue.q", "type": "aws_sqs_queue", "name": "q"}
    modules = {
        name: {"module": {"resources": [{**queue, "provider_config_key": key}]}}
        for name, key in (("a", "aws"), ("b", "aws.us"), ("c", "aws"))
    }

    def warned(*addresses: str) -> int:
        changes = [
            change(f"{address}.aws_sqs_queue.q", "create", after={"name": "q"})
            for address in addresses
        ]
        configuration = {"root_module": {"module_calls": modules}}
        return len(reviewed(*changes, configuration=configuration).conflicts)

    assert warned("module.a", 'module.b["x.y"]') == 0
    assert warned("module.a", "module.c[0]") == 1


@pytest.mark.parametrize(
    ("more", "wanted"), [(0, []), (1, [("quota", "aws_s3_bucket_notification.n")])]
)
def test_a_bucket_takes_a_hundred_rules(more: int, wanted: list[Any]) -> None:
    rules: dict[str, Any] = {"queue": [{}] * 60, "topic": [{}] * (RULES_PER_BUCKET - 60 + more)}
    assert found(resource("aws_s3_bucket_notification.n", bucket="b", **rules)) == wanted


CIRCLES: dict[str, list[Resource]] = {
    "its own queue": [*function("f", f"{QUEUE}q"), mapping("q", "f")],
    "any queue": [*function("f", "*", action="sqs:*"), mapping("q", "f")],
    "queues that begin like it": [*function("f", f"{QUEUE}q*"), mapping("q-7", "f")],
    "by its ARN with a version": [*function("f", f"{QUEUE}q"), mapping("q", f"{FUNCTION}f:7")],
    "by its role": [
        *function("f", role="arn:aws:iam::123456789012:role/path/r"),
        *function("r", f"{QUEUE}q")[1:],
        mapping("q", "f"),
    ],
    "a topic to itself": [
        *function("f", f"{TOPIC}t", action="sns:Publish"),
        subscription("t", f"{FUNCTION}f"),
    ],
    "a topic to its queue": [
        *function("f", f"{TOPIC}t", action="SNS:publish"),
        subscription("t", f"{QUEUE}q"),
        mapping("q", "f"),
    ],
    "ARNs that are not known": [
        *function("f", f"{TOPIC}t", action="sns:Publish"),
        resource("module.f.aws_lambda_event_source_mapping.m", event_source_arn=f"{QUEUE}q"),
        resource("module.t.aws_sns_topic.t", name="t"),
        resource("module.t.aws_sns_topic_subscription.s", endpoint=f"{QUEUE}q"),
    ],
    "a bucket": [*writes("b/*"), notification("in/")],
    "a prefix below the one it reads": [*writes("b/in/out/*"), notification("in/")],
    "a prefix above the one it reads": [*writes("b/i*"), notification("in/")],
    "a key that ends so": [*writes("b/*.csv"), notification("", ".csv")],
    "any bucket": [*writes("*"), notification("in/")],
}
STRAIGHT: dict[str, list[Resource]] = {
    "another queue": [*function("f", f"{QUEUE}p"), mapping("q", "f")],
    "a mapping that is off": [*function("f", f"{QUEUE}q"), mapping("q", "f", enabled=False)],
    "it only receives": [
        *function("f", f"{QUEUE}q", action="sqs:ReceiveMessage"),
        mapping("q", "f"),
    ],
    "another prefix": [*writes("b/out/*"), notification("in/")],
    "another suffix": [*writes("b/*.json"), notification("", ".csv")],
    "another bucket": [*writes("c/*"), notification("in/")],
    "the bucket itself, which has no key": [*writes("b", "b/out/*"), notification("in/")],
    "what another is sent": [
        *function("f", f"{QUEUE}p"),
        mapping("q", "f"),
        *function("g"),
        mapping("p", "g"),
    ],
    "what is not known yet": [
        *function("f", f"{QUEUE}q"),
        resource("aws_lambda_event_source_mapping.m", event_source_arn=f"{QUEUE}q"),
    ],
}


@pytest.mark.parametrize("resources", CIRCLES.values(), ids=CIRCLES)
def test_a_function_that_may_start_itself_is_found(resources: list[Resource]) -> None:
    assert ("recursion", "module.f.aws_lambda_function.f") in found(*resources)
    allowed = resource(
        "aws_lambda_function_recursion_config.c", function_name="f", recursive_loop="Allow"
    )
    assert found(*resources, allowed) == []


@pytest.mark.parametrize("resources", STRAIGHT.values(), ids=STRAIGHT)
def test_a_function_that_starts_others_alone_is_none(resources: list[Resource]) -> None:
    assert found(*resources) == []


def test_functions_that_start_each_other_are_both_found_and_none_before_or_after_them() -> None:
    circle = [
        *(*function("a", f"{QUEUE}b"), mapping("a", "a")),
        *(*function("b", f"{QUEUE}c"), mapping("b", "b")),
        *(*function("c", f"{QUEUE}b", f"{QUEUE}d"), mapping("c", "c")),
        *(*function("d"), mapping("d", "d")),
    ]
    assert [subject for _, subject in found(*circle)] == [
        f"module.{name}.aws_lambda_function.f" for name in "bc"
    ]


@pytest.mark.parametrize("unknown", [UNKNOWN, Secret(1), None, 7, [UNKNOWN], [{"a": UNKNOWN}]])
@pytest.mark.parametrize("kind", [*NAMES, *OTHERS])
def test_what_is_secret_or_not_known_yet_is_no_conflict(kind: str, unknown: Any) -> None:
    attributes = (
        *NAMES.values(),
        "queue",
        "topic",
        "policy",
        "role",
        "event_source_arn",
        "endpoint",
    )
    values = dict.fromkeys((*attributes, "endpoint", "topic_arn"), unknown)
    assert found(Resource(f"{kind}.a", kind, values), Resource(f"{kind}.b", kind, values)) == []


def test_a_review_warns_of_conflicts_in_words_and_in_json() -> None:
    policy = {
        "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": f"{QUEUE}q"}]
    }
    changes = [
        change(
            "aws_lambda_function.f", "create", after={"function_name": "f"}, unknown={"role": True}
        ),
        change(
            "aws_iam_role_policy.p", "create", after={"role": "f", "policy": json.dumps(policy)}
        ),
        change("aws_sqs_queue.a", "create", after={"name": "q"}),
        change("aws_sqs_queue.b", "create", after={"name": "q"}),
        change(
            "aws_lambda_event_source_mapping.m",
            "create",
            after={"event_source_arn": f"{QUEUE}q", "function_name": f"{FUNCTION}f"},
        ),
    ]
    whole = reviewed(*changes)
    text = shown(whole, "text")
    assert "aws_sqs_queue.b" in text
    assert "overwrites the other" in text
    assert "f may send what starts it again" in text
    warned = json.loads(shown(whole, "json"))["warnings"]
    assert [one["check"] for one in warned] == ["twice", "recursion"]
    assert reviewed(*changes[:3]).conflicts == ()


@pytest.mark.parametrize("patterns", [f"{QUEUE}{{}}", f"{QUEUE}{{}}*", "*{}", "arn:aws:s3:::b/{}*"])
def test_time_is_linear_in_functions_queues_and_rules(patterns: str) -> None:
    def work(size: int) -> None:
        several = range(size)
        list(
            conflicts(
                [
                    *(one for n in several for one in function(f"f{n}", patterns.format(n))),
                    *(mapping(str(n), f"f{n + 1}") for n in several),
                    *(subscription("t", f"{QUEUE}{n}") for n in several),
                    *(notification(str(n)) for n in several),
                ]
            )
        )

    assert grows_too_fast(work, 500, 2000) == ""
