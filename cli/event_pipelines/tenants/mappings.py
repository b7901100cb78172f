"""Event source mappings: which queue feeds which function, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from event_pipelines.errors import UserError
from event_pipelines.pipelines.retries import persist
from event_pipelines.pipelines.tenant_platform import Platform, Worker
from event_pipelines.stack import error_code
from event_pipelines.tenants.steps import MISSING, Step, tag_faults

# Lambda takes up to a minute to delete a mapping, and refuses to change one during a change.
_SETTLED_SECONDS = 120
_OVERTAKEN_SECONDS = 10


@dataclass(frozen=True)
class Feed(Step):
    """A step: exactly one mapping from the queue to the worker, and to no other function.

    AWS refuses a second mapping of the same queue and function, so a lost response or a second
    process cannot duplicate it; where it is not refused, the surplus is removed.
    """

    platform: Platform
    queue: str
    worker: Worker
    tags: Mapping[str, str]

    @property
    def what(self) -> str:
        return f"mapping {self.queue} -> {self.worker.function_name}"

    def faults(self) -> list[str]:
        every = self._all()
        live = self._live(every)
        faults = [f"{other['FunctionArn']} reads the queue too" for other in self._others(every)]
        if not live:
            return [MISSING, *faults]
        if len(live) > 1:
            faults.append(f"there are {len(live)} of them")
        return faults + self._setting_faults(live[0]) + tag_faults(self._tags(live[0]), self.tags)

    def make(self) -> None:
        # Another process may find two mappings, keep its own and delete this one.
        gone = "ResourceNotFoundException"
        persist(self._make, lambda error: error_code(error) == gone, _OVERTAKEN_SECONDS)

    def remove(self) -> None:
        for one in self._live(self._all()):
            self._delete(one["UUID"])

    def _make(self) -> None:
        created = persist(
            self._create_unless_there,
            lambda error: _busy(error) or _queue_is_new(error),
            _SETTLED_SECONDS,
            lambda: self.platform.say(f"Lambda is not ready for the {self.what} yet: waiting"),
        )
        # The list may lag behind the response.
        found = {one["UUID"]: one for one in (*created, *self._live(self._all()))}
        keep = found.pop(min(found))
        for surplus in found:
            self._delete(surplus)
        if self._setting_faults(keep):
            self._settled(lambda: self._update(keep["UUID"]))
        if tag_faults(self._tags(keep), self.tags):
            self.platform.functions.tag_resource(Resource=self._arn(keep), Tags=dict(self.tags))

    def _create_unless_there(self) -> list[Any]:
        """Returns what was created: one mapping, or none if there was one. Raises UserError."""
        every = self._all()
        for other in self._others(every):
            raise UserError(
                f"The function {other['FunctionArn']} reads the queue {self.queue} too, by the"
                f" mapping {other['UUID']}, and takes messages away from"
                f" {self.worker.function_name}: delete that mapping, or find out who needs it."
            )
        if self._live(every):
            return []
        return [
            self.platform.functions.create_event_source_mapping(
                EventSourceArn=self.platform.names.queue_arn(self.queue),
                FunctionName=self.worker.function_name,
                Tags=dict(self.tags),
                **self._settings(),
            )
        ]

    def _update(self, uuid: str) -> None:
        # Empty values remove what somebody added.
        emptied: dict[str, Any] = {"FilterCriteria": {}, "ScalingConfig": {}}
        self.platform.functions.update_event_source_mapping(
            UUID=uuid, Enabled=True, **(emptied | self._settings())
        )

    def _delete(self, uuid: str) -> None:
        try:
            self._settled(lambda: self.platform.functions.delete_event_source_mapping(UUID=uuid))
        except ClientError:
            # A deleted mapping is not found; or access is denied, if the permission names
            # functions, because the mapping belongs to none any more.
            if uuid in (one["UUID"] for one in self._all()):
                raise

    def _settled(self, change: Any) -> None:
        persist(
            change,
            _busy,
            _SETTLED_SECONDS,
            lambda: self.platform.say(f"The {self.what} is being changed: waiting"),
        )

    def _settings(self) -> dict[str, Any]:
        concurrency = self.worker.maximum_concurrency
        limit = {} if concurrency is None else {"MaximumConcurrency": concurrency}
        return {
            "BatchSize": self.worker.batch_size,
            # Without it, one failed message makes its whole batch visible again.
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            **({"ScalingConfig": limit} if limit else {}),
        }

    def _setting_faults(self, found: Mapping[str, Any]) -> list[str]:
        faults = [
            f"{name} is {found.get(name, 'not set')}, not {wanted}"
            for name, wanted in ({"ScalingConfig": {}} | self._settings()).items()
            if (found.get(name) or {}) != wanted
        ]
        if found.get("FilterCriteria", {}).get("Filters"):
            faults.append("has a filter, which deletes messages")
        if found["State"] in ("Disabled", "Disabling"):
            faults.append("is switched off")
        return faults

    def _live(self, every: list[Any]) -> list[Any]:
        """Returns the worker's mappings of the queue, in a fixed order."""
        ours = [one for one in every if one["FunctionArn"] == self.worker.function_arn]
        return sorted(ours, key=lambda one: str(one["UUID"]))

    def _others(self, every: list[Any]) -> list[Any]:
        return [one for one in every if one["FunctionArn"] != self.worker.function_arn]

    def _all(self) -> list[Any]:
        """Returns the queue's mappings, without those that are being deleted."""
        pages = self.platform.functions.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=self.platform.names.queue_arn(self.queue)
        )
        return [
            one
            for page in pages
            for one in page["EventSourceMappings"]
            if one["State"] != "Deleting"
        ]

    def _tags(self, mapping: Mapping[str, Any]) -> dict[str, str]:
        answer = self.platform.functions.list_tags(Resource=self._arn(mapping))
        return answer.get("Tags", {})

    def _arn(self, mapping: Mapping[str, Any]) -> str:
        names = self.platform.names
        return (
            f"arn:{names.partition}:lambda:{names.region}:{names.account_id}"
            f":event-source-mapping:{mapping['UUID']}"
        )


def _busy(error: ClientError) -> bool:
    return error_code(error) in ("ResourceConflictException", "ResourceInUseException")


def _queue_is_new(error: ClientError) -> bool:
    # Lambda checks the queue when a mapping is created; a new queue may not have propagated yet.
    return (
        error_code(error) == "InvalidParameterValueException"
        and "NonExistentQueue" in error.response["Error"]["Message"]
    )
