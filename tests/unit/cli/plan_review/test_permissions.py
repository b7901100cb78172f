"""Permissions: compared by meaning, by statement, with what is wide open flagged."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.plans.review.policies import PolicyChange
from unit.cli.plan_review.builder import allow, change, policy, queue, reviewed, shown

by_property = settings(derandomize=True, deadline=None, max_examples=100)


def role_policy(text: str, **more: Any) -> dict[str, Any]:
    return {"name": "code", "role": "worker", "policy": text, **more}


def changed(before: str | None, after: str | None, kind: str = "aws_iam_role_policy") -> Any:
    action = "create" if before is None else "delete" if after is None else "update"
    return change(
        f"{kind}.p",
        action,
        None if before is None else role_policy(before),
        None if after is None else role_policy(after),
    )


def found_in(*changes: Any) -> tuple[PolicyChange, ...]:
    return reviewed(*changes).permissions


def flags(statement: Any, kind: str = "aws_iam_role_policy") -> list[str]:
    (found,) = found_in(changed(None, policy(statement), kind))
    return [flag for flag, _ in found.flags]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (allow("s3:Get", "b"), allow(["s3:Get"], ["b"])),
        (allow(["s3:A", "s3:B"], "b"), allow(["s3:B", "s3:A", "s3:a"], "b")),
        (allow("sqs:SendMessage", "q"), allow("SQS:sendmessage", "q")),
        (allow("a:B", "q", Sid="One"), allow("a:B", "q", Sid="Two")),
        (allow("a:B", "q", Principal="*"), allow("a:B", "q", Principal={"AWS": ["*"]})),
        (
            allow("a:B", "q", Principal={"AWS": "123456789012"}),
            allow("a:B", "q", Principal={"AWS": ["arn:aws:iam::123456789012:root"]}),
        ),
        (
            allow("a:B", "q", Condition={"Bool": {"aws:SecureTransport": "false"}}),
            allow("a:B", "q", Condition={"Bool": {"aws:SecureTransport": [False]}}),
        ),
    ],
)
def test_statements_of_the_same_meaning_are_no_change(one: Any, other: Any) -> None:
    entry = changed(policy(one, allow("x:Y", "z")), policy(allow("x:Y", "z"), other))

    assert found_in(entry) == ()
    assert "only in formatting" in shown(reviewed(entry))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (allow("s3:Get", "b"), allow("s3:Get", "B")),
        (allow("s3:Get", "b"), {**allow("s3:Get", "b"), "Effect": "Deny"}),
        (allow("s3:Get", "b"), {"Effect": "Allow", "NotAction": "s3:Get", "Resource": "b"}),
        (
            allow("a:B", "q", Condition={"Bool": {"k": "true"}}),
            allow("a:B", "q", Condition={"Bool": {"k": "false"}}),
        ),
        (
            allow("a:B", "q", Condition={"ArnLike": {"aws:SourceArn": "x"}}),
            allow("a:B", "q"),
        ),
    ],
)
def test_statements_of_another_meaning_are(one: Any, other: Any) -> None:
    (found,) = found_in(changed(policy(one), policy(other)))

    assert len(found.removed) == len(found.added) == 1


def test_only_what_changes_is_shown_and_the_rest_counted() -> None:
    stays = allow("s3:GetObject", "arn:aws:s3:::b/*")
    before = policy(stays, allow("sqs:SendMessage", "q", Sid="Send"))
    after = policy(allow(["sqs:SendMessage", "sqs:GetQueueUrl"], "q", Sid="Send"), stays)

    text = shown(reviewed(changed(before, after)))

    assert "1 statement unchanged" in text
    assert "  +   sqs:GetQueueUrl\n" in text
    assert "      sqs:SendMessage\n" in text
    assert "s3:GetObject" not in text


def test_another_version_of_the_language_is_a_change() -> None:
    one = allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*")

    (found,) = found_in(changed(policy(one), policy(one, version="2008-10-17")))

    assert found.notes == ('Version "2012-10-17" becomes "2008-10-17"',)


@pytest.mark.parametrize(
    ("statement", "kind", "expected"),
    [
        (allow("*", "q"), "aws_iam_policy", ["wildcard: every action"]),
        (allow("s3:*", "q"), "aws_iam_policy", ["wildcard: every action of s3"]),
        (allow("s3:Get*", "q"), "aws_iam_policy", []),
        (allow("s3:GetObject", "*"), "aws_iam_policy", ["wildcard: every resource"]),
        # In its own policy it means the queue.
        (allow("s3:GetObject", "*"), "aws_sqs_queue_policy", []),
        ({**allow("*", "*"), "Effect": "Deny"}, "aws_iam_policy", []),
        (
            {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "b"},
            "aws_iam_policy",
            ["wildcard: every action but some", "wildcard: every resource but some"],
        ),
        (allow("a:B", "q", Principal="*"), "aws_sqs_queue_policy", ["public: anyone"]),
        (allow("a:B", "q", Principal={"AWS": ["*", "x"]}), "aws_s3_bucket_policy",
         ["public: anyone"]),
        (allow("a:B", "q", NotPrincipal={"AWS": "x"}), "aws_s3_bucket_policy",
         ["public: everyone but some"]),
        (
            allow("a:B", "q", Principal="*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
            "aws_sqs_queue_policy",
            ["public: anyone"],
        ),
        (
            allow("a:B", "q", Principal="*",
                  Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
            "aws_sqs_queue_policy",
            [],
        ),
        # Without the key in a request the condition holds, and nobody has to send it.
        (
            allow("a:B", "q", Principal="*",
                  Condition={"StringEqualsIfExists": {"aws:SourceAccount": "1"}}),
            "aws_sqs_queue_policy",
            ["public: anyone"],
        ),
        (
            allow("a:B", "q", Principal="*",
                  Condition={"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}}),
            "aws_sqs_queue_policy",
            ["public: anyone"],
        ),
        (
            allow("a:B", "q", Principal={"Service": "sns.amazonaws.com"}),
            "aws_sqs_queue_policy",
            ["any account through sns.amazonaws.com"],
        ),
        (
            allow("a:B", "q", Principal={"Service": "sns.amazonaws.com"},
                  Condition={"ArnEquals": {"aws:SourceArn": "arn:x"}}),
            "aws_sqs_queue_policy",
            [],
        ),
    ],
)  # fmt: skip
def test_what_is_wide_open_is_flagged(statement: Any, kind: str, expected: list[str]) -> None:
    assert flags(statement, kind) == expected


def test_a_trust_policy_of_a_service_is_no_warning() -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"Service": "lambda.amazonaws.com"}}  # fmt: skip
    role = {"name": "worker", "assume_role_policy": policy(trust)}

    (found,) = found_in(change("aws_iam_role.r", "create", None, role))

    assert found.attribute == "assume_role_policy"
    assert found.flags == ()


def test_inline_policies_of_a_role_are_read() -> None:
    inline = [{"name": "a", "policy": policy(allow("s3:GetObject", "*"))}]

    (found,) = found_in(change("aws_iam_role.r", "create", None, {"inline_policy": inline}))

    assert found.attribute == "inline_policy[0].policy"
    assert [flag for flag, _ in found.flags] == ["wildcard: every resource"]


def test_a_policy_that_only_the_apply_will_know() -> None:
    known = changed(policy(allow("s3:GetObject", "b")), None)["change"]["before"]
    update = change("aws_iam_role_policy.p", "update", known, {"role": "worker", "name": "code"},
                    unknown={"policy": True})  # fmt: skip

    text = shown(reviewed(update))

    assert "known only after apply: look at its source" in text
    # It may well stay: nothing says that the statement goes.
    assert "-   s3:GetObject" not in text


def test_a_queue_without_a_policy_of_its_own_is_no_permission() -> None:
    created = change("aws_sqs_queue.q", "create", None, {"name": "q"}, unknown={"policy": True})

    assert found_in(created) == ()


def test_policies_of_new_resources_are_folded_and_new_ones_of_old_roles_are_not() -> None:
    text = shown(
        reviewed(
            change("aws_iam_role.new", "create", None, {"name": "new-role"}),
            change("aws_iam_role_policy.of_new", "create", None,
                   {"role": "new-role", "name": "a", "policy": policy(allow("a:B", "x"))}),
            change("aws_iam_role_policy.of_old", "create", None,
                   {"role": "old-role", "name": "a", "policy": policy(allow("a:B", "x"))}),
            change("aws_sqs_queue.q", "create", None,
                   queue("q", policy=policy(allow("a:B", "x", Principal={"AWS": "1"})))),
        )
    )  # fmt: skip

    opened, _, folded = text.partition("<details><summary>Permissions of new resources (2)")
    assert "aws_iam_role_policy.of_old" in opened
    assert "aws_iam_role_policy.of_new" not in opened
    assert "aws_iam_role_policy.of_new" in folded
    assert "aws_sqs_queue.q` `policy`" in folded


def test_a_lambda_permission_is_a_statement() -> None:
    open_to_s3 = {"function_name": "f", "action": "lambda:InvokeFunction",
                  "principal": "s3.amazonaws.com"}  # fmt: skip
    closed = {**open_to_s3, "source_arn": "arn:aws:s3:::b", "source_account": "123456789012"}

    (opened,) = found_in(change("aws_lambda_permission.p", "create", None, open_to_s3))
    (narrowed,) = found_in(change("aws_lambda_permission.p", "replace", open_to_s3, closed))

    assert [flag for flag, _ in opened.flags] == ["any account through s3.amazonaws.com"]
    assert narrowed.flags == ()
    assert narrowed.added[0].conditions == (
        "ArnLike aws:SourceArn = arn:aws:s3:::b",
        "StringEquals aws:SourceAccount = 123456789012",
    )


def test_attachments_urls_and_public_access_blocks() -> None:
    admin = {"role": "r", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    url = {"function_name": "f", "authorization_type": "AWS_IAM"}
    block = {"bucket": "b", "block_public_acls": True, "block_public_policy": True}
    found = found_in(
        change("aws_iam_role_policy_attachment.a", "create", None, admin),
        change("aws_lambda_function_url.u", "update", url, {**url, "authorization_type": "NONE"}),
        change("aws_s3_bucket_public_access_block.b", "update", block,
               {**block, "block_public_policy": False}),
        change("aws_s3_bucket_public_access_block.c", "create", None, block),
    )  # fmt: skip

    assert [(each.label.split(".")[-1], [flag for flag, _ in each.flags]) for each in found] == [
        ("a", ["wildcard: every action"]),
        ("u", ["public: anyone"]),
        ("b", ["public: the bucket may become so"]),
    ]


def test_a_public_access_block_that_goes_blocks_nothing_any_more() -> None:
    block = {"bucket": "b", "block_public_acls": True}

    (found,) = found_in(change("aws_s3_bucket_public_access_block.b", "delete", block))

    assert found.added[0].actions == ("block_public_acls",)
    assert found.flags


# --- By property: JSON of one meaning, written in any way

parts = st.lists(st.sampled_from(["s3:GetObject", "sqs:*", "*", "a:B"]), min_size=1, max_size=3)
statements = st.lists(
    st.fixed_dictionaries(
        {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": parts, "Resource": parts},
        optional={
            "Sid": st.sampled_from(["One", "Two"]),
            "Principal": st.dictionaries(st.sampled_from(["AWS", "Service"]), parts, min_size=1),
            "Condition": st.dictionaries(
                st.sampled_from(["StringEquals", "ArnLike"]),
                st.dictionaries(st.sampled_from(["aws:SourceArn", "k"]), parts, min_size=1),
                min_size=1,
            ),
        },
    ),
    min_size=1,
    max_size=4,
)


def rewritten(value: Any, draw: st.DataObject) -> Any:
    """The same to IAM: keys and lists in another order, single values without their list."""
    if isinstance(value, dict):
        keys = draw.draw(st.permutations(list(value)))
        return {key: rewritten(value[key], draw) for key in keys}
    if isinstance(value, list):
        shuffled = [rewritten(each, draw) for each in draw.draw(st.permutations(value))]
        alone = len(shuffled) == 1 and draw.draw(st.booleans())
        return shuffled[0] if alone else shuffled
    return value


@by_property
@given(statements, st.data(), st.sampled_from(["aws_iam_role_policy", "aws_s3_bucket_policy"]))
def test_equal_policies_never_show_as_changed(given: Any, data: st.DataObject, kind: str) -> None:
    before = {"Version": "2012-10-17", "Statement": given}
    after = rewritten(before, data)
    indent = data.draw(st.sampled_from([None, 2]))

    found = reviewed(changed(json.dumps(before), json.dumps(after, indent=indent), kind))

    assert found.permissions == ()
    for update in found.updates:
        assert all(each.kind == "formatting" for each in update.differences)
