"""The two tables of groups and tenants, with the status of each.

A record is written before its resources are created and becomes ACTIVE after all of them are, so
resources that a killed process leaves behind have a record that names them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from event_pipelines.contracts.tenant_registry import (
    ACTIVE,
    DELETING,
    PER_TENANT,
    PROVISIONING,
    SHARED_FAIR,
    Group,
    Record,
    Tenant,
)
from event_pipelines.errors import UserError
from event_pipelines.pipelines.retries import persist
from event_pipelines.pipelines.tenant_names import Names
from event_pipelines.pipelines.tenant_platform import Platform
from event_pipelines.stack import ignoring
from event_pipelines.times import iso

R = TypeVar("R", Group, Tenant)


def new_group(names: Names, name: str, queue_mode: str) -> Group:
    """Returns the record of a group without resources."""
    shared = names.shared_queue(name) if queue_mode == SHARED_FAIR else ""
    now = iso(datetime.now(UTC), "microseconds")
    return Group(
        name=name,
        region=names.region,
        bucket=names.bucket(name),
        queue_url=names.queue_url(names.ingest_queue(name)),
        queue_arn=names.queue_arn(names.ingest_queue(name)),
        queue_mode=queue_mode,
        status=PROVISIONING,
        created_at=now,
        updated_at=now,
        shared_queue_url=names.queue_url(shared) if shared else "",
        shared_queue_arn=names.queue_arn(shared) if shared else "",
    )


def new_tenant(names: Names, name: str, group: str, queue_mode: str) -> Tenant:
    """Returns the record of a tenant without resources."""
    own = names.tenant_queue(name) if queue_mode == PER_TENANT else names.shared_queue(group)
    now = iso(datetime.now(UTC), "microseconds")
    return Tenant(
        name=name,
        region=names.region,
        bucket=names.bucket(group),
        queue_url=names.queue_url(own),
        queue_arn=names.queue_arn(own),
        queue_mode=queue_mode,
        status=PROVISIONING,
        created_at=now,
        updated_at=now,
        group=group,
        base_prefix=f"{name}/",
    )


class Registry:
    """Both tables. Reads of one record, and reads that decide about deletion, are consistent."""

    def __init__(self, platform: Platform) -> None:
        self._dynamodb = platform.dynamodb
        self._tables: dict[type[Record], str] = {
            Group: platform.settings.groups_table,
            Tenant: platform.settings.tenants_table,
        }

    def find(self, record: type[R], name: str) -> R | None:
        answer = self._dynamodb.get_item(
            TableName=self._tables[record],
            Key={record.attributes["name"]: {"S": name}},
            ConsistentRead=True,
        )
        return record.from_item(answer["Item"]) if "Item" in answer else None

    def get(self, record: type[R], name: str) -> R:
        """Returns one record. Raises UserError if there is none of this name."""
        found = self.find(record, name)
        if found is None:
            raise UserError(
                f"There is no {record.kind} {name}: `event-pipelines tenants list` shows those"
                " there are."
            )
        return found

    def both(self, name: str) -> tuple[Group | None, Tenant | None]:
        """Returns the group and the tenant of this name. Raises UserError if there is neither."""
        found = (self.find(Group, name), self.find(Tenant, name))
        if not any(found):
            raise UserError(
                f"There is no group and no tenant {name}: `event-pipelines tenants list` shows"
                " those there are."
            )
        return found

    def all(self, record: type[R]) -> list[R]:
        """Returns all groups, or all tenants, by name."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._tables[record], ConsistentRead=True
        )
        found = [record.from_item(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda one: one.name)

    def tenants_of(self, group: str) -> list[Tenant]:
        """Returns the tenants of a group by name; the index may lack one created a moment ago."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._tables[Tenant],
            IndexName="by_group",
            KeyConditionExpression="GroupName = :group",
            ExpressionAttributeValues={":group": {"S": group}},
        )
        return [Tenant.from_item(item) for page in pages for item in page["Items"]]

    def every_tenant_of(self, group: str) -> list[Tenant]:
        """Returns all tenants of a group, by a scan, because the index lags behind the table."""
        return [tenant for tenant in self.all(Tenant) if tenant.group == group]

    def claim_group(self, group: Group) -> Group:
        """Writes the record unless one of this name exists; returns the record in the table."""
        with ignoring("ConditionalCheckFailedException"):
            self._dynamodb.put_item(
                TableName=self._tables[Group],
                Item=group.as_item(),
                ConditionExpression="attribute_not_exists(GroupName)",
            )
            return group
        return self.get(Group, group.name)

    def claim_tenant(self, tenant: Tenant) -> Tenant:
        """Like `claim_group`, but only into an active group: a group in deletion gets no tenants.
        Raises UserError if the group is not active, or if an existing tenant is deleted before it
        is read."""
        try:
            persist(lambda: self._put_into_active_group(tenant), _collided, seconds=30)
        except ClientError as error:
            of_group, of_tenant = _reasons(error)
            if "ConditionalCheckFailed" not in (of_group, of_tenant):
                raise
            found = self.find(Tenant, tenant.name)
            if found is not None:
                return found
            if of_group == "ConditionalCheckFailed":
                raise not_active(self.find(Group, tenant.group), tenant.group) from error
            raise _overtaken(tenant, None) from error
        return tenant

    def _put_into_active_group(self, tenant: Tenant) -> None:
        self._dynamodb.transact_write_items(
            TransactItems=[
                {
                    "ConditionCheck": {
                        "TableName": self._tables[Group],
                        "Key": {"GroupName": {"S": tenant.group}},
                        "ConditionExpression": "#status = :active",
                        "ExpressionAttributeNames": {"#status": "Status"},
                        "ExpressionAttributeValues": {":active": {"S": ACTIVE}},
                    }
                },
                {
                    "Put": {
                        "TableName": self._tables[Tenant],
                        "Item": tenant.as_item(),
                        "ConditionExpression": "attribute_not_exists(#name)",
                        "ExpressionAttributeNames": {"#name": "Name"},
                    }
                },
            ]
        )

    def change_status(self, record: R, status: str) -> R:
        """Changes the status of a record, provided it has not changed since it was read.

        A process that made the same change meanwhile is ignored. Raises UserError if the record was
        changed in another way.
        """
        if record.status == status:
            return record
        changed = replace(record, status=status, updated_at=iso(datetime.now(UTC), "microseconds"))
        with ignoring("ConditionalCheckFailedException"):
            self._update(record, changed, {"status", "updated_at"}, of_status=record.status)
            return changed
        now = self.find(type(record), record.name)
        if now is None or (now.created_at, now.status) != (record.created_at, status):
            raise _overtaken(record, now)
        return now

    def correct(self, record: R, wanted: R) -> None:
        """Sets a record's attributes to those of `wanted` but for name, status, creation time."""
        kept = {"name", "status", "created_at"}
        fields = {f for f in record.attributes if getattr(wanted, f) != getattr(record, f)} - kept
        if not fields:
            return
        changed = replace(wanted, updated_at=iso(datetime.now(UTC), "microseconds"))
        with ignoring("ConditionalCheckFailedException"):
            self._update(record, changed, fields | {"updated_at"})
            return
        raise _overtaken(record, self.find(type(record), record.name))

    def _update(
        self, record: Record, changed: Record, fields: Iterable[str], of_status: str | None = None
    ) -> None:
        attributes = [(record.attributes[f], getattr(changed, f)) for f in sorted(fields)]
        names = {f"#{at}": at for at, _ in attributes}
        values = {f":{at}": {"S": value} for at, value in attributes if value}
        sets = ", ".join(f"#{at} = :{at}" for at, value in attributes if value)
        gone = ", ".join(f"#{at}" for at, value in attributes if not value)
        condition = "CreatedAt = :created"
        values[":created"] = {"S": record.created_at}
        if of_status is not None:
            condition += " AND #Status = :before"
            values[":before"] = {"S": of_status}
        self._dynamodb.update_item(
            TableName=self._tables[type(record)],
            Key={record.attributes["name"]: {"S": record.name}},
            UpdateExpression=f"SET {sets}" + (f" REMOVE {gone}" if gone else ""),
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def forget(self, record: R) -> None:
        """Deletes a record in status DELETING, unless it was deleted or created anew meanwhile."""
        # Another process finished the deletion, or the response to this request was lost.
        with ignoring("ConditionalCheckFailedException"):
            self._dynamodb.delete_item(
                TableName=self._tables[type(record)],
                Key={record.attributes["name"]: {"S": record.name}},
                ConditionExpression="CreatedAt = :created AND #status = :deleting",
                ExpressionAttributeNames={"#status": "Status"},
                ExpressionAttributeValues={
                    ":created": {"S": record.created_at},
                    ":deleting": {"S": DELETING},
                },
            )


def not_active(group: Group | None, name: str) -> UserError:
    """Returns an error with the reason why a group takes no tenants, and the remedy."""
    if group is None:
        return UserError(
            f"There is no group {name}: make it with `event-pipelines tenants create-group {name}`."
        )
    verb = "delete-group" if group.status == DELETING else "create-group"
    return UserError(
        f"The group {name} is {group.status}: finish that with"
        f" `event-pipelines tenants {verb} {name}`."
    )


def _overtaken(record: Record, now: Record | None) -> UserError:
    return UserError(
        f"Another process has made the {record.kind} {record.name}"
        f" {now.status if now else 'disappear'} meanwhile: look at it with"
        " `event-pipelines tenants list`, and repeat what is still to be done."
    )


def _reasons(error: ClientError) -> tuple[str, str]:
    """Returns the codes why a transaction was cancelled, for its two actions."""
    answer: Mapping[str, Any] = error.response
    codes = [reason.get("Code", "") for reason in answer.get("CancellationReasons", [])]
    return (codes[0], codes[1]) if len(codes) == 2 else ("", "")


def _collided(error: ClientError) -> bool:
    return "TransactionConflict" in _reasons(error)
