"""The event path: who triggers whom, before and after."""

import json
from typing import Any

import pytest

from event_pipelines.plans.review.event_path import EventPath
from event_pipelines.plans.review.plan import read
from event_pipelines.plans.review.review import review
from unit.cli.plan_review.builder import (
    bucket,
    change,
    function,
    queue,
    redrive,
    reviewed,
    shown,
    topic,
)
from unit.cli.plan_review.test_reading import PLANS


def notification(*suffixes: str, to: str = "uploads", **more: Any) -> dict[str, Any]:
    return {
        "bucket": "images",
        "eventbridge": False,
        "queue": [],
        "lambda_function": [],
        "topic": [
            {
                "topic_arn": topic(to)["arn"],
                "events": ["s3:ObjectCreated:*"],
                "filter_prefix": "in/",
                "filter_suffix": suffix,
            }
            for suffix in suffixes
        ],
        **more,
    }


def subscription(name: str, **more: Any) -> dict[str, Any]:
    return {
        "topic_arn": topic("uploads")["arn"],
        "protocol": "sqs",
        "endpoint": queue(name)["arn"],
        "raw_message_delivery": True,
        **more,
    }


def mapping(name: str, **more: Any) -> dict[str, Any]:
    arn = function(name)["arn"]
    return {
        "event_source_arn": queue(name)["arn"],
        "function_arn": arn,
        "function_name": arn,
        "enabled": True,
        **more,
    }


def edges(path: EventPath, *signs: str) -> list[str]:
    return [
        f"{step.sign.replace(' ', '=')} {step.edge.source} [{step.edge.how}] {step.edge.target}"
        for step in path.steps
        if not signs or step.sign in signs
    ]


def path_of(*changes: Any, **more: Any) -> EventPath:
    return reviewed(*changes, **more).path


def test_a_filter_that_changes_is_one_edge_out_and_one_in() -> None:
    path = path_of(
        change("aws_s3_bucket_notification.n", "update", notification(".jpg"),
               notification(".jpg", ".png"))
    )  # fmt: skip

    assert edges(path) == [
        "- bucket images [s3:ObjectCreated:* in/*.jpg] topic uploads",
        "+ bucket images [s3:ObjectCreated:* in/*.jpg, in/*.png] topic uploads",
    ]


def test_every_spelling_of_an_extension_is_one() -> None:
    path = path_of(
        change("aws_s3_bucket_notification.n", "create", None,
               notification(".gz", ".GZ", ".gZ", ".Gz", ".JPG", ".jpg"))
    )  # fmt: skip

    (edge,) = edges(path)
    assert "in/*.gz (any case), in/*.JPG, in/*.jpg" in edge


def test_a_new_address_alone_changes_nothing() -> None:
    path = path_of(
        change("aws_sns_topic_subscription.old", "delete", subscription("a")),
        change("aws_sns_topic_subscription.new", "create", None, subscription("a")),
    )

    assert edges(path) == ["= topic uploads [] queue a"]


def test_all_kinds_of_edges() -> None:
    path = path_of(
        change("aws_s3_bucket_notification.n", "create", None, notification(
            eventbridge=True,
            queue=[{"queue_arn": queue("direct")["arn"], "events": ["s3:ObjectRemoved:*"],
                    "filter_prefix": "", "filter_suffix": ""}],
            lambda_function=[{"lambda_function_arn": function("called")["arn"] + ":live",
                              "events": ["s3:ObjectTagging:*"], "filter_prefix": "x/",
                              "filter_suffix": ""}])),
        change("aws_sns_topic_subscription.q", "create", None, subscription(
            "a", filter_policy_scope="MessageBody", raw_message_delivery=False,
            filter_policy=json.dumps({"Records": {"eventName": ["B", "A", {"prefix": "C"}],
                                                  "s3": {"x": [{"anything-but": ["u", "v"]}]}}}),
            redrive_policy=json.dumps({"deadLetterTargetArn": queue("a-dlq")["arn"]}))),
        change("aws_sns_topic_subscription.mail", "create", None,
               subscription("-", protocol="email", endpoint="a@example.com")),
        change("aws_sqs_queue.a", "create", None, queue("a", redrive_policy=redrive("a-dlq", 3))),
        change("aws_sqs_queue_redrive_policy.b", "create", None,
               {"queue_url": queue("b")["url"], "redrive_policy": redrive("b-dlq")}),
        change("aws_lambda_event_source_mapping.a", "create", None, mapping(
            "a", enabled=False,
            filter_criteria=[{"filter": [{"pattern": json.dumps({"body": {"k": [1]}})}]}],
            destination_config=[{"on_failure": [{"destination_arn": topic("failed")["arn"]}]}])),
        change("aws_lambda_function.f", "create", None,
               function("f", dead_letter_config=[{"target_arn": queue("f-dlq")["arn"]}])),
        change("aws_lambda_function_event_invoke_config.f", "create", None,
               {"function_name": "f", "destination_config": [
                   {"on_failure": [{"destination": queue("failed")["arn"]}],
                    "on_success": [{"destination": function("next")["arn"]}]}]}),
        change("aws_cloudwatch_event_rule.r", "create", None,
               {"name": "r", "event_pattern": json.dumps({"source": ["aws.s3"]})}),
        change("aws_cloudwatch_event_rule.s", "create", None,
               {"name": "s", "schedule_expression": "rate(1 hour)", "state": "DISABLED"}),
        change("aws_cloudwatch_event_target.r", "create", None,
               {"rule": "r", "arn": queue("ruled")["arn"]}),
    )  # fmt: skip

    assert sorted(edges(path)) == sorted(
        f"+ {edge}"
        for edge in (
            "bucket images [s3:ObjectRemoved:*] queue direct",
            "bucket images [s3:ObjectTagging:* x/*] function called",
            "bucket images [every event] event bus default",
            "topic uploads [Records.eventName: A or B or C*; Records.s3.x: anything but u, v;"
            " in an SNS envelope] queue a",
            "topic uploads [what cannot be delivered] queue a-dlq",
            "topic uploads [] email a@example.com",
            "queue a [after 3 receives] queue a-dlq",
            "queue b [after 5 receives] queue b-dlq",
            "queue a [body.k: 1; switched off] function a",
            "function a [after the last try] topic failed",
            "function f [failed asynchronous calls] queue f-dlq",
            "function f [failed asynchronous calls] queue failed",
            "function f [results of asynchronous calls] function next",
            "event bus default [source: aws.s3] rule r",
            "schedule rate(1 hour) [switched off] rule s",
            "rule r [] queue ruled",
        )
    )


def test_another_account_and_region_is_named() -> None:
    elsewhere = "arn:aws:sqs:us-east-1:999999999999:a"
    path = path_of(
        change("aws_sns_topic.t", "no-op", topic("uploads"), topic("uploads")),
        change("aws_sns_topic_subscription.q", "update", subscription("a"),
               subscription("a", endpoint=elsewhere)),
    )  # fmt: skip

    assert edges(path) == [
        "- topic uploads [] queue a",
        "+ topic uploads [] queue a (999999999999, us-east-1)",
    ]


def test_resources_that_the_plan_leaves_alone_are_context() -> None:
    """A plan with -target lists only some; the rest is in the prior state."""
    resting = {
        "address": "aws_lambda_event_source_mapping.m",
        "mode": "managed",
        "type": "aws_lambda_event_source_mapping",
        "name": "m",
        "values": mapping("a"),
        "sensitive_values": {},
    }
    found = reviewed(
        change("aws_sns_topic_subscription.q", "delete", subscription("a")),
        prior_state={"values": {"root_module": {"resources": [resting]}}},
    )

    assert edges(found.path) == ["- topic uploads [] queue a", "= queue a [] function a"]
    assert "→ function a" in shown(found)


def test_edges_are_cut_while_what_they_hang_on_is_replaced() -> None:
    calm = [
        change("aws_sns_topic_subscription.q", "no-op", subscription("a"), subscription("a")),
        change("aws_lambda_event_source_mapping.m", "no-op", mapping("a"), mapping("a")),
    ]
    replaced = change("aws_sqs_queue.a", "replace", queue("a"), queue("a"))
    created_first = change("aws_sqs_queue.a", "replace", queue("a"), queue("a"),
                           actions=["create", "delete"])  # fmt: skip

    cut = reviewed(*calm, replaced)

    assert {str(edge.target) for edge in cut.path.interrupted} == {"queue a", "function a"}
    assert shown(cut).count("(cut while it is replaced)") == 2
    assert path_of(*calm, created_first).interrupted == ()


def test_a_dead_letter_queue_that_is_replaced_keeps_its_edge() -> None:
    path = path_of(
        change("aws_sqs_queue.dlq", "replace", queue("a-dlq"), {"name": "a-dlq"},
               unknown={"arn": True, "id": True}),
        change("aws_sqs_queue.q", "update", queue("a", redrive_policy=redrive("a-dlq", 7)),
               queue("a", redrive_policy=None), unknown={"redrive_policy": True}),
        configuration={"root_module": {"resources": [
            {"mode": "managed", "type": "aws_sqs_queue", "name": "q", "expressions": {
                "redrive_policy": {"references": ["aws_sqs_queue.dlq.arn", "aws_sqs_queue.dlq"]}}},
            {"mode": "managed", "type": "aws_sqs_queue", "name": "dlq"},
        ]}},
    )  # fmt: skip

    assert edges(path) == ["= queue a [after 7 receives] queue a-dlq"]
    assert len(path.interrupted) == 1


# --- What is unknown before the apply, by the references of the configuration


def resource(kind: str, name: str, loop: list[str] | None = None, **expressions: Any) -> Any:
    return {
        "mode": "managed",
        "type": kind,
        "name": name,
        "expressions": expressions,
        **({"for_each_expression": {"references": loop}} if loop else {}),
    }


def refers(*names: str) -> dict[str, list[str]]:
    return {"references": list(names)}


def new_queue(address: str, name: str) -> Any:
    return change(address, "create", None, {"name": name}, unknown={"arn": True, "url": True})


def test_a_reference_within_a_module() -> None:
    path = path_of(
        new_queue("aws_sqs_queue.q", "orders"),
        change("aws_sns_topic.t", "create", None, {"name": "events"}, unknown={"arn": True}),
        change("aws_sns_topic_subscription.s", "create", None, {"protocol": "sqs"},
               unknown={"topic_arn": True, "endpoint": True, "raw_message_delivery": True}),
        configuration={"root_module": {"resources": [
            resource("aws_sqs_queue", "q"),
            resource("aws_sns_topic", "t"),
            resource("aws_sns_topic_subscription", "s",
                     topic_arn=refers("aws_sns_topic.t.arn", "aws_sns_topic.t"),
                     endpoint=refers("aws_sqs_queue.q.arn", "aws_sqs_queue.q")),
        ]}},
    )  # fmt: skip

    assert edges(path) == ["+ topic events [in an SNS envelope] queue orders"]


def test_a_static_block_of_a_notification() -> None:
    path = path_of(
        new_queue("aws_sqs_queue.q", "orders"),
        change("aws_s3_bucket_notification.n", "create", None,
               {"bucket": "images", "queue": [{"events": ["s3:ObjectCreated:*"]}]},
               unknown={"queue": [{"queue_arn": True, "events": [False]}]}),
        configuration={"root_module": {"resources": [
            resource("aws_sqs_queue", "q"),
            resource("aws_s3_bucket_notification", "n",
                     queue=[{"queue_arn": refers("aws_sqs_queue.q.arn", "aws_sqs_queue.q")}]),
        ]}},
    )  # fmt: skip

    assert edges(path) == ["+ bucket images [s3:ObjectCreated:*] queue orders"]


@pytest.mark.parametrize(
    ("loop", "reference"),
    [
        ("var.names", ["module.queue", "each.key"]),
        ("module.queue", ["each.value.queue", "each.value"]),
        ("module.queue", ["each.value"]),
    ],
)
def test_event_path_follows_module_outputs_through_for_each(
    loop: str, reference: list[str]
) -> None:
    """A module with a queue and its dead letters, one for each key, given whole to another."""
    queue_module = {
        "outputs": {
            "queue": {"expression": refers("aws_sqs_queue.queue.url", "aws_sqs_queue.queue")},
            "dlq": {"expression": refers("aws_sqs_queue.dlq.url", "aws_sqs_queue.dlq")},
        },
        "resources": [
            resource("aws_sqs_queue", "dlq"),
            resource("aws_sqs_queue", "queue",
                     redrive_policy=refers("aws_sqs_queue.dlq.arn", "aws_sqs_queue.dlq")),
        ],
    }  # fmt: skip
    consumer_module = {
        "variables": {"queue": {}},
        "resources": [
            resource("aws_lambda_function", "function"),
            resource("aws_lambda_event_source_mapping", "queue",
                     event_source_arn=refers("var.queue.arn", "var.queue"),
                     function_name=refers("aws_lambda_function.function.arn")),
        ],
    }  # fmt: skip
    changes = []
    for key in ("a", "b"):
        changes += [
            new_queue(f'module.queue["{key}"].aws_sqs_queue.queue', f"q-{key}"),
            new_queue(f'module.queue["{key}"].aws_sqs_queue.dlq', f"q-{key}-dlq"),
            change(f'module.consumer["{key}"].aws_lambda_function.function', "create", None,
                   {"function_name": f"f-{key}"}, unknown={"arn": True}),
            change(f'module.consumer["{key}"].aws_lambda_event_source_mapping.queue', "create",
                   None, {"enabled": True},
                   unknown={"event_source_arn": True, "function_name": True,
                            "function_arn": True}),
        ]  # fmt: skip
    path = path_of(
        *changes,
        configuration={
            "root_module": {
                "module_calls": {
                    "queue": {"module": queue_module, "for_each_expression": refers("var.names")},
                    "consumer": {
                        "module": consumer_module,
                        "for_each_expression": refers(loop),
                        "expressions": {"queue": refers(*reference)},
                    },
                }
            }
        },
    )

    assert [edge for edge in edges(path) if "function" in edge] == [
        "+ queue q-a [] function f-a",
        "+ queue q-b [] function f-b",
    ]


def test_for_each_subscription_is_joined_to_the_queue_of_its_key() -> None:
    """A map of all queues, from which for_each makes subscriptions."""
    topic_module = {
        "variables": {"subscriptions": {}},
        "resources": [
            resource("aws_sns_topic_subscription", "s", ["var.subscriptions"],
                     endpoint=refers("each.value.queue_arn", "each.value"))
        ],
    }  # fmt: skip
    path = path_of(
        *[new_queue(f'aws_sqs_queue.q["{key}"]', f"q-{key}") for key in ("a", "b")],
        *[change(f'module.topic.aws_sns_topic_subscription.s["{key}"]', "create", None,
                 subscription(key, endpoint=None), unknown={"endpoint": True})
          for key in ("a", "b")],
        configuration={"root_module": {
            "resources": [resource("aws_sqs_queue", "q", ["var.names"])],
            "module_calls": {"topic": {
                "module": topic_module,
                "expressions": {"subscriptions": refers("aws_sqs_queue.q")},
            }},
        }},
    )  # fmt: skip

    assert edges(path) == ["+ topic uploads [] queue q-a", "+ topic uploads [] queue q-b"]


def test_an_output_that_is_made_of_a_local() -> None:
    """Plans do not hold the expressions of locals; what the output waits for is as good."""
    module = {
        "outputs": {
            "arn": {
                "expression": refers("local.arn"),
                "depends_on": ["aws_sns_topic.topic"],
            }
        },
        "resources": [resource("aws_sns_topic", "topic")],
    }
    path = path_of(
        change("module.topic.aws_sns_topic.topic", "create", None, {"name": "events"}),
        change("aws_sns_topic_subscription.s", "create", None, subscription("a", topic_arn=None),
               unknown={"topic_arn": True}),
        configuration={"root_module": {
            "module_calls": {"topic": {"module": module}},
            "resources": [resource("aws_sns_topic_subscription", "s",
                                   topic_arn=refers("module.topic.arn", "module.topic"))],
        }},
    )  # fmt: skip

    assert edges(path) == ["+ topic events [] queue a"]


def test_a_dynamic_block_names_what_its_module_is_given() -> None:
    path = path_of(
        new_queue("aws_sqs_queue.q", "orders"),
        change("module.notify.aws_s3_bucket_notification.n", "create", None,
               {"bucket": "images", "queue": [{"events": ["s3:ObjectCreated:*"]}]},
               unknown={"queue": [{"queue_arn": True}]}),
        configuration={"root_module": {
            "resources": [resource("aws_sqs_queue", "q")],
            "module_calls": {"notify": {
                "expressions": {"targets": refers("aws_sqs_queue.q.arn", "aws_sqs_queue.q")},
                "module": {"variables": {"targets": {}},
                           "resources": [resource("aws_s3_bucket_notification", "n")]},
            }},
        }},
    )  # fmt: skip

    assert edges(path) == ["+ bucket images [s3:ObjectCreated:*] queue orders"]


def test_what_goes_one_way_and_stays_another_is_drawn_where_it_stays() -> None:
    direct = [{"queue_arn": queue("a")["arn"], "events": ["s3:ObjectCreated:*"]}]
    text = shown(
        reviewed(
            change("aws_s3_bucket_notification.n", "delete", notification(queue=direct)),
            change("aws_sns_topic_subscription.a", "no-op", subscription("a"), subscription("a")),
            change("aws_lambda_event_source_mapping.m", "update", mapping("a"),
                   mapping("a", enabled=False)),
        )
    )  # fmt: skip

    assert (
        "  bucket images\n"
        "- └─ s3:ObjectCreated:* → queue a\n"
        "  topic uploads\n"
        "  └─ → queue a\n"
        "-    ├─ → function a\n"
        "+    └─ switched off → function a\n"
    ) in text


def test_unknown_ends_of_a_subscription_say_known_after_apply() -> None:
    path = path_of(
        change("aws_sns_topic_subscription.s", "create", None, {"protocol": "sqs"},
               unknown={"topic_arn": True, "endpoint": True}),
    )  # fmt: skip

    (edge,) = edges(path)
    assert edge.count("(known after apply), by aws_sns_topic_subscription.s") == 2


def test_references_in_a_circle_end() -> None:
    configuration = {
        "root_module": {
            "module_calls": {
                name: {
                    "expressions": {"queue": refers(f"module.{other}.queue")},
                    "module": {
                        "variables": {"queue": {}},
                        "outputs": {"queue": {"expression": refers("var.queue")}},
                        "resources": [
                            resource("aws_sns_topic_subscription", "s",
                                     endpoint=refers("var.queue"))
                        ],
                    },
                }
                for name, other in (("a", "b"), ("b", "a"))
            }
        }
    }  # fmt: skip
    subscribed = change("module.a.aws_sns_topic_subscription.s", "create", None,
                        {"protocol": "sqs", "topic_arn": topic("t")["arn"]},
                        unknown={"endpoint": True})  # fmt: skip

    assert len(edges(path_of(subscribed, configuration=configuration))) == 1


def test_a_circle_of_events_is_drawn_once() -> None:
    found = reviewed(
        change("aws_sns_topic_subscription.a", "create", None, subscription("a")),
        change("aws_lambda_event_source_mapping.m", "create", None, mapping("a")),
        change("aws_lambda_function_event_invoke_config.f", "create", None,
               {"function_name": "a", "destination_config": [
                   {"on_success": [{"destination": topic("uploads")["arn"]}]}]}),
    )  # fmt: skip

    text = shown(found)
    assert text.count("→ topic uploads") == 1
    assert text.count("→ queue a") == 1


def test_topics_with_one_subscriber_in_common_are_two_paths() -> None:
    found = reviewed(
        change("aws_sns_topic_subscription.a", "create", None,
               subscription("-", protocol="email", endpoint="a@example.com")),
        change("aws_sns_topic_subscription.b", "no-op",
               *[subscription("-", protocol="email", endpoint="a@example.com",
                              topic_arn=topic("quiet")["arn"])] * 2),
    )  # fmt: skip

    assert "topic uploads" in shown(found)
    assert "topic quiet" not in shown(found)


def test_a_bucket_that_goes_takes_its_edges_along() -> None:
    path = path_of(
        change("aws_s3_bucket.b", "delete", bucket("images")),
        change("aws_s3_bucket_notification.n", "delete", notification(".jpg")),
    )

    assert edges(path) == ["- bucket images [s3:ObjectCreated:* in/*.jpg] topic uploads"]


def test_the_drawing_of_a_first_deployment() -> None:
    """A real plan of this repository's image pipeline, in which most ARNs are unknown."""
    found = review(read(str(PLANS / "first_deployment.json")))

    text = shown(found)
    assert "  bucket acme-image-123456789012-eu-west-1\n+ └─ s3:ObjectCreated:* " in text
    assert (
        "+    ├─ → queue acme-image-thumbnail\n"
        "+    │  ├─ → function acme-image-thumbnail\n"
        "+    │  └─ after the last receive → queue acme-image-thumbnail-dlq\n"
        "+    └─ what cannot be delivered → queue acme-image-thumbnail-dlq\n"
    ) in text
    assert "(known after apply), by" not in text


def test_the_drawing_of_a_change() -> None:
    """A real plan in which a queue and the topic before it are replaced: the notification's dynamic
    block hides whose ARN it will name, and what it named before tells."""
    found = review(read(str(PLANS / "sensitive_aws_update.json")))

    text = shown(found)
    assert (
        "  bucket acme-images\n"
        "- ├─ s3:ObjectCreated:* ingest/*.JPG, ingest/*.jpg → topic acme-image-uploads\n"
        "+ └─ s3:ObjectCreated:* ingest/*.JPG, ingest/*.jpg, ingest/*.png"
        " → topic acme-image-uploads\n"
        "-    ├─ → queue acme-image-mobile\n"
    ) in text
    assert "+    ├─ → queue acme-image-thumbnail\n+    │  ├─ → function" in text
    assert "(known after apply), by" not in text
