"""Policies of groups' buckets, of their queues and tenants' queues, and of the tenants' role.

Only the stack's own roles and those that `group_access` names may read a bucket's files and receive
a queue's messages. If it names administrators, only they may change the policies later, so that the
creator of a group cannot open it to others afterwards.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from event_pipelines.errors import UserError
from event_pipelines.pipelines.tenant_names import Names
from event_pipelines.pipelines.tenant_platform import GroupAccess, Platform
from event_pipelines.tenants.steps import Step, canonical

_READ_FILES = ["s3:GetObject*"]
_TAKE_MESSAGES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
_CHANGE_BUCKET = ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]
_CHANGE_QUEUE = ["sqs:SetQueueAttributes", "sqs:AddPermission", "sqs:RemovePermission"]


def of_bucket(names: Names, access: GroupAccess, arn: str) -> dict[str, Any]:
    """Returns the whole policy of a group's bucket."""
    readers = [names.role_arn("files"), *access.readers, *access.administrators]
    statements = [
        _plain_http("DenyPlainHttp", "s3:*", [arn, f"{arn}/*"]),
        _all_but(readers, "DenyReadingFiles", _READ_FILES, f"{arn}/*"),
        *_sealed(access, _CHANGE_BUCKET, arn),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def of_queue(
    names: Names, access: GroupAccess, arn: str, worker: str, senders: Sequence[Any]
) -> dict[str, Any]:
    """Returns the policy of a queue or dead-letter queue that the role of `worker` receives from.

    `senders` are statements that allow services to send.
    """
    receivers = [names.role_arn(worker), *access.administrators]
    statements = [
        _plain_http("DenyInsecureTransport", "sqs:*", arn),
        _all_but(receivers, "DenyReceiving", _TAKE_MESSAGES, arn),
        *_sealed(access, _CHANGE_QUEUE, arn),
        *({"Resource": arn, **sender} for sender in senders),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _plain_http(sid: str, action: str, resource: Any) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _all_but(named: Sequence[str], sid: str, actions: list[str], resource: str) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resource,
        # A service has no such key, and a negated condition is met then: it is denied as well.
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": list(named)}},
    }


def _sealed(access: GroupAccess, actions: list[str], resource: str) -> list[dict[str, Any]]:
    # Without administrators, only the account's root user could ever undo it.
    if not access.administrators:
        return []
    return [_all_but(access.administrators, "DenyChangingAccess", actions, resource)]


def differences(found: Any, wanted: Any) -> list[str]:
    """Returns one text on foreign and missing statements; none if the policies are equal."""
    if not isinstance(found, dict) or "Statement" not in found:
        return [f"is {json.dumps(found)}"]
    there, due = _statements(found), _statements(wanted)
    faults = [
        f"has the foreign statement {json.dumps(one)}"
        for one in there
        if canonical(one) not in map(canonical, due)
    ]
    faults += [
        f"lacks the statement {one.get('Sid')}"
        for one in due
        if canonical(one) not in map(canonical, there)
    ]
    if found.get("Version") != wanted["Version"]:
        faults.append(f"Version is {found.get('Version')}, not {wanted['Version']}")
    return ["; ".join(faults)] if faults else []


def _statements(policy: Any) -> list[Any]:
    found = policy["Statement"]
    return found if isinstance(found, list) else [found]


@dataclass(frozen=True)
class Trust(Step):
    """A step: the trust policy of the tenants' role. Terraform sets it; it is not repaired."""

    platform: Platform

    @property
    def what(self) -> str:
        return f"trust policy of role {self.platform.names.role('files')}"

    def faults(self) -> list[str]:
        role = self.platform.iam.get_role(RoleName=self.platform.names.role("files"))["Role"]
        return differences(role["AssumeRolePolicyDocument"], self._wanted())

    def make(self) -> None:
        """Raises UserError with the remedy."""
        raise UserError("apply the pipeline tenant-routing, and find out who changed it")

    def _wanted(self) -> dict[str, Any]:
        statement = {
            "Sid": "OnlyAsOneTenant",
            "Effect": "Allow",
            "Principal": {"AWS": self.platform.names.role_arn("process")},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "Null": {"aws:RequestTag/tenant": "false", "aws:RequestTag/group": "false"},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["tenant", "group"]},
            },
        }
        return {"Version": "2012-10-17", "Statement": [statement]}
