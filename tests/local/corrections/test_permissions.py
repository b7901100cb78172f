"""Corrections to what permissions can say.

mapping_permissions, policies, source_function.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.corrections.cloud import MAY_CONSUME, MAY_LOG, Cloud, Queue, eventually


def refused(call: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Whether a call is refused for want of a permission."""
    try:
        call(*args, **options)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
            raise
        return True
    return False


# -- policies

KEYS = ("a/file", "b/file", "*/file", "?/file", "${aws:username}/file")


def bucket_of_keys(cloud: Cloud) -> str:
    bucket = cloud.bucket()
    for key in KEYS:
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    return bucket


def readable(cloud: Cloud, bucket: str, **credentials: str) -> set[str]:
    """The objects that these credentials open, by the folder they are in."""
    s3 = cloud.client("s3", **credentials)
    return {
        key.removesuffix("/file")
        for key in KEYS
        if not refused(s3.get_object, Bucket=bucket, Key=key)
    }


def reading(bucket: str, folder: str, **more: Any) -> dict[str, Any]:
    resource = f"arn:aws:s3:::{bucket}/{folder}/*"
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource} | more


def tagged(cloud: Cloud, *statements: Mapping[str, Any], **tags: str) -> dict[str, str]:
    """A session with these tags, in a role that allows the statements."""
    account = {"AWS": f"arn:aws:iam::{cloud.engine.account_id}:root"}
    trust = {"Principal": account, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return cloud.session(cloud.role(*statements, trust=trust), tags)


def test_a_session_opens_what_its_tag_names(corrected: Cloud) -> None:
    bucket = bucket_of_keys(corrected)
    may_read = reading(bucket, "${aws:PrincipalTag/tenant}")

    assert readable(corrected, bucket, **tagged(corrected, may_read, tenant="a")) == {"a"}
    assert readable(corrected, bucket, **tagged(corrected, may_read, tenant="b")) == {"b"}


def test_what_a_variable_brings_in_has_no_wildcards(corrected: Cloud) -> None:
    bucket = bucket_of_keys(corrected)
    may_read = reading(bucket, "${aws:PrincipalTag/tenant}")

    assert readable(corrected, bucket, **tagged(corrected, may_read, tenant="*")) == {"*"}


@pytest.mark.parametrize(
    ("folder", "opened"),
    [
        ("${aws:PrincipalTag/tenant, 'a'}", {"a"}),
        ("${aws:PrincipalTag/tenant, '*'}", {"*"}),
        ("${*}", {"*"}),
        ("${?}", {"?"}),
        ("${$}{aws:username}", {"${aws:username}"}),
        ("?", {"a", "b", "*", "?"}),
    ],
)
def test_defaults_and_escapes_are_what_they_say(
    corrected: Cloud, folder: str, opened: set[str]
) -> None:
    bucket = bucket_of_keys(corrected)

    assert readable(corrected, bucket, **corrected.user(reading(bucket, folder))) == opened


def test_a_statement_whose_variable_has_no_value_does_not_apply(corrected: Cloud) -> None:
    bucket = bucket_of_keys(corrected)
    everything = f"arn:aws:s3:::{bucket}/*"
    of_tenant = f"arn:aws:s3:::{bucket}/${{aws:PrincipalTag/tenant}}/*"
    allow = {"Effect": "Allow", "Action": "s3:GetObject"}
    untagged = corrected.user(
        allow | {"Resource": [of_tenant, f"arn:aws:s3:::{bucket}/a/*"]},
        allow | {"NotResource": of_tenant},
        allow
        | {
            "Resource": everything,
            "Condition": {"StringNotEquals": {"aws:username": "${aws:PrincipalTag/tenant}"}},
        },
    )
    allowed_but_for_the_tag = corrected.user(
        allow | {"Resource": everything},
        allow | {"Effect": "Deny", "NotResource": of_tenant},
    )

    assert readable(corrected, bucket, **untagged) == set()
    assert readable(corrected, bucket, **allowed_but_for_the_tag) == {
        key.removesuffix("/file") for key in KEYS
    }


def test_a_denial_keeps_what_its_variable_names(corrected: Cloud) -> None:
    bucket = bucket_of_keys(corrected)
    everything = reading(bucket, "*")
    denial = {"Effect": "Deny", "Action": "s3:GetObject"}
    own = f"arn:aws:s3:::{bucket}/${{aws:PrincipalTag/tenant}}/*"

    others_only = tagged(corrected, everything, denial | {"Resource": own}, tenant="a")
    own_only = tagged(corrected, everything, denial | {"NotResource": own}, tenant="a")

    assert readable(corrected, bucket, **others_only) == {"b", "*", "?", "${aws:username}"}
    assert readable(corrected, bucket, **own_only) == {"a"}


def test_a_condition_compares_with_the_value(corrected: Cloud) -> None:
    bucket = bucket_of_keys(corrected)
    may_list = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
        "Condition": {"StringLike": {"s3:prefix": "${aws:PrincipalTag/tenant}/*"}},
    }
    s3 = corrected.client("s3", **tagged(corrected, may_list, tenant="a"))

    listed = s3.list_objects_v2(Bucket=bucket, Prefix="a/")

    assert [item["Key"] for item in listed["Contents"]] == ["a/file"]
    assert refused(s3.list_objects_v2, Bucket=bucket, Prefix="b/")
    assert refused(s3.list_objects_v2, Bucket=bucket)


def test_a_bucket_policy_may_have_variables_too(corrected: Cloud) -> None:
    bucket = bucket_of_keys(corrected)
    statement = reading(bucket, "${aws:PrincipalTag/tenant}", Principal="*")
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    corrected.client("s3").delete_public_access_block(Bucket=bucket)
    corrected.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    assert readable(corrected, bucket, **tagged(corrected, MAY_LOG, tenant="a")) == {"a"}
    assert readable(corrected, bucket, **corrected.user()) == set()


def test_an_old_policy_has_no_variables(corrected: Cloud) -> None:
    bucket, user = bucket_of_keys(corrected), corrected.user()
    name = corrected.client("sts", **user).get_caller_identity()["Arn"].rpartition("/")[2]
    statements = [reading(bucket, "${aws:username}"), reading(bucket, "a")]
    corrected.client("iam").put_user_policy(
        UserName=name,
        PolicyName="old",
        PolicyDocument=json.dumps({"Version": "2008-10-17", "Statement": statements}),
    )

    assert readable(corrected, bucket, **user) == {"a", "${aws:username}"}


def test_a_role_is_taken_with_the_tags_that_its_trust_asks_for(corrected: Cloud) -> None:
    role = corrected.role(
        MAY_LOG,
        trust={
            "Principal": {"AWS": f"arn:aws:iam::{corrected.engine.account_id}:root"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "Null": {"aws:RequestTag/tenant": "false", "aws:RequestTag/group": "false"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["tenant", "group"]},
            },
        },
    )

    corrected.session(role, {"tenant": "a", "group": "g"})

    for tags in (
        {},
        {"tenant": "a"},
        {"tenant": "a", "group": "g", "admin": "yes"},
        {"Tenant": "a", "group": "g"},
    ):
        assert refused(corrected.session, role, tags), tags


def test_a_role_whose_trust_does_not_say_so_takes_no_tags(corrected: Cloud) -> None:
    account = {"AWS": f"arn:aws:iam::{corrected.engine.account_id}:root"}
    role = corrected.role(MAY_LOG, trust={"Principal": account, "Action": "sts:AssumeRole"})

    corrected.session(role)

    assert refused(corrected.session, role, {"tenant": "a"})


def test_policies_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    bucket = bucket_of_keys(uncorrected)
    session = tagged(uncorrected, reading(bucket, "${aws:PrincipalTag/tenant}"), tenant="a")

    still_needed("policies", "a" not in readable(uncorrected, bucket, **session))
    bucket, named, _ = named_alone(uncorrected)
    still_needed("policies", "a" not in readable(uncorrected, bucket, **named))


def named_alone(cloud: Cloud) -> tuple[str, dict[str, str], dict[str, str]]:
    """A bucket whose policy keeps out all but one role, a session of it, and one of another."""
    bucket = bucket_of_keys(cloud)
    root = f"arn:aws:iam::{cloud.engine.account_id}"
    trust = {"Principal": {"AWS": f"{root}:root"}, "Action": "sts:AssumeRole"}
    path = "/teams/blue/"
    name, other = (cloud.role(reading(bucket, "*"), trust=trust, path=path) for _ in range(2))
    others = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": f"{root}:role{path}{name}"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [others]}
    cloud.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    return bucket, cloud.session(f"{path[1:]}{name}"), cloud.session(f"{path[1:]}{other}")


def test_a_deny_for_all_but_one_role_lets_its_sessions_in(corrected: Cloud) -> None:
    bucket, named, other = named_alone(corrected)

    assert "a" in readable(corrected, bucket, **named)
    assert readable(corrected, bucket, **other) == set()


# -- source_function

RECEIVES = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    print("BATCH", len(event.get("Records", [])))
    if "queue" in event:
        try:
            boto3.client("sqs").receive_message(QueueUrl=event["queue"])
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "received"
"""
NOT_BY_CODE = MAY_CONSUME | {
    "Effect": "Deny",
    "Condition": {"ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:*"}},
}


def receives(cloud: Cloud, function: str, queue: Queue) -> bool:
    """Whether the function's code gets messages from the queue."""
    answer = cloud.invoke(function, {"queue": queue.url}).payload
    assert answer in ("received", "AccessDenied", "AccessDeniedException"), answer
    return bool(answer == "received")


def test_the_poller_reads_a_queue_that_is_denied_to_the_code(corrected: Cloud) -> None:
    queue = corrected.queue(VisibilityTimeout=10)
    role = corrected.role(MAY_LOG, MAY_CONSUME, NOT_BY_CODE)
    function = corrected.function(RECEIVES, role=role)

    assert not receives(corrected, function, queue)
    corrected.map(queue, function)
    corrected.send(queue, "for the poller")
    eventually(lambda: 1 in corrected.logged(function, "BATCH"), "the poller's message")


def test_the_key_is_the_unqualified_arn_of_the_function(corrected: Cloud) -> None:
    queue, role = corrected.queue(), corrected.role(MAY_LOG)
    functions = [corrected.function(RECEIVES, role=role) for _ in range(2)]
    own = {"lambda:SourceFunctionArn": corrected.arn("lambda", f"function:{functions[0]}")}
    corrected.allow(role, MAY_LOG, MAY_CONSUME | {"Condition": {"ArnEquals": own}})
    version = corrected.client("lambda").publish_version(FunctionName=functions[0])["Version"]

    assert receives(corrected, functions[0], queue)
    assert receives(corrected, f"{functions[0]}:{version}", queue)
    assert not receives(corrected, functions[1], queue)


def test_a_session_opened_otherwise_has_no_source_function(corrected: Cloud) -> None:
    queue = corrected.queue()
    account = {"AWS": f"arn:aws:iam::{corrected.engine.account_id}:root"}
    trust = {"Principal": account, "Action": "sts:AssumeRole"}
    role = corrected.role(MAY_CONSUME, NOT_BY_CODE, trust=trust)

    sqs = corrected.client("sqs", **corrected.session(role))

    assert not refused(sqs.receive_message, QueueUrl=queue.url)


def test_the_policy_of_a_queue_does_not_see_the_source_function(corrected: Cloud) -> None:
    queue = corrected.queue()
    function = corrected.function(RECEIVES, role=corrected.role(MAY_LOG, MAY_CONSUME))
    denial = NOT_BY_CODE | {"Principal": "*", "Resource": queue.arn}
    corrected.client("sqs").set_queue_attributes(
        QueueUrl=queue.url,
        Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [denial]})},
    )

    assert receives(corrected, function, queue)


def test_source_function_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    role = uncorrected.role(MAY_LOG, MAY_CONSUME, NOT_BY_CODE)
    function = uncorrected.function(RECEIVES, role=role)

    still_needed("source_function", receives(uncorrected, function, uncorrected.queue()))


# -- mapping_permissions

MAPPING_ACTIONS = ["Create", "Get", "Update", "Delete"]
IDLE = "def handler(event, context):\n    pass"


def mapper(cloud: Cloud, function: str, *actions: str) -> Any:
    """A Lambda client of somebody who may do this with mappings of this function alone."""
    return cloud.client(
        "lambda",
        **cloud.user(
            {
                "Effect": "Allow",
                "Action": [f"lambda:{action}EventSourceMapping" for action in actions],
                "Resource": "*",
                "Condition": {
                    "ArnEquals": {"lambda:FunctionArn": cloud.arn("lambda", f"function:{function}")}
                },
            }
        ),
    )


def consumer(cloud: Cloud) -> str:
    return cloud.function(IDLE, role=cloud.role(MAY_LOG, MAY_CONSUME), timeout_seconds=1)


def test_mappings_of_one_function_are_managed_by_who_may_manage_those(corrected: Cloud) -> None:
    function, queue = consumer(corrected), corrected.queue()
    functions = mapper(corrected, function, *MAPPING_ACTIONS)

    for name in (function, corrected.arn("lambda", f"function:{function}")):
        mapping = functions.create_event_source_mapping(
            EventSourceArn=queue.arn, FunctionName=name
        )["UUID"]
        assert functions.get_event_source_mapping(UUID=mapping)["BatchSize"] == 10
        functions.update_event_source_mapping(UUID=mapping, BatchSize=5)
        functions.delete_event_source_mapping(UUID=mapping)


def test_mappings_of_another_function_are_not(corrected: Cloud) -> None:
    mine, other, queue = consumer(corrected), consumer(corrected), corrected.queue()
    functions = mapper(corrected, mine, *MAPPING_ACTIONS)
    of_other, of_mine = corrected.map(queue, other), corrected.map(queue, mine)

    create = functions.create_event_source_mapping
    assert refused(create, EventSourceArn=queue.arn, FunctionName=other)
    assert refused(functions.get_event_source_mapping, UUID=of_other)
    assert refused(functions.update_event_source_mapping, UUID=of_other, BatchSize=5)
    assert refused(functions.update_event_source_mapping, UUID=of_mine, FunctionName=other)
    assert refused(functions.delete_event_source_mapping, UUID=of_other)


@pytest.mark.parametrize("missing", MAPPING_ACTIONS[1:])
def test_each_thing_done_with_a_mapping_has_its_own_permission(
    corrected: Cloud, missing: str
) -> None:
    function = consumer(corrected)
    mapping = corrected.map(corrected.queue(), function)
    rest = [action for action in MAPPING_ACTIONS if action != missing]
    functions = mapper(corrected, function, *rest)

    assert refused(getattr(functions, f"{missing.lower()}_event_source_mapping"), UUID=mapping)


def test_mapping_permissions_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    function = consumer(uncorrected)
    mapping = uncorrected.map(uncorrected.queue(), function)
    powerless = uncorrected.client("lambda", **uncorrected.user())
    allowed = mapper(uncorrected, function, *MAPPING_ACTIONS)

    still_needed(
        "mapping_permissions", not refused(powerless.delete_event_source_mapping, UUID=mapping)
    )
    still_needed(
        "mapping_permissions",
        refused(
            allowed.create_event_source_mapping,
            EventSourceArn=uncorrected.queue().arn,
            FunctionName=function,
        ),
    )
