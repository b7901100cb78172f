"""The parts of a Terraform plan that are checked against an account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from event_pipelines.plans.review import conflicts
from event_pipelines.plans.review.plan import resources_of
from event_pipelines.plans.review.references import provider_keys, without_indexes

# Executions that a mapping without a maximum may start, while there are messages.
UNBOUNDED_MAPPING = 1_000


@dataclass(frozen=True)
class Resource(conflicts.Resource):
    """A managed resource as planned; ``values`` lack what is known after the apply only."""

    created: bool = field(kw_only=True)


@dataclass(frozen=True)
class Planned:
    """A plan; ``document`` is its JSON. It contains secrets: nothing of it but names, ARNs, counts
    and regions may be printed."""

    document: Mapping[str, Any]

    @cached_property
    def resources(self) -> list[Resource]:
        created = {
            change["address"]
            for change in self.document.get("resource_changes") or []
            if "create" in change["change"]["actions"]
        }
        keys = provider_keys(self.document.get("configuration") or {})
        root = (self.document.get("planned_values") or {}).get("root_module") or {}
        return [
            Resource(
                found["address"],
                found["type"],
                found.get("values") or {},
                keys.get(without_indexes(found["address"]), ""),
                created=found["address"] in created,
            )
            for _, found in resources_of(root)
            if found.get("mode") == "managed" and found["type"].startswith("aws_")
        ]

    def of(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.kind == kind]

    def variable(self, name: str) -> Any:
        """Returns the value of a root variable; None if there is none."""
        return ((self.document.get("variables") or {}).get(name) or {}).get("value")

    def output(self, name: str) -> Any:
        """Returns the planned value of an output; None if it is known after the apply only."""
        change = (self.document.get("output_changes") or {}).get(name) or {}
        return change.get("after")

    @property
    def region(self) -> str | None:
        """The region of the provider, if the variable `region` has it."""
        given = self.variable("region")
        return given if isinstance(given, str) else None

    @property
    def reserved(self) -> int:
        """Concurrent executions that the plan's functions reserve of the account's."""
        return sum(self._reservations.values())

    @property
    def concurrency(self) -> dict[str, int]:
        """The most executions outside of reservations that each enabled event source mapping may
        start, by its address."""
        started = conflicts.consumers(self.resources)
        return {
            mapping.address: UNBOUNDED_MAPPING if most is None else most
            for mapping, most in (
                (one, _maximum_concurrency(one.values))
                for one in self.of("aws_lambda_event_source_mapping")
                if one.values.get("enabled") is not False
                and started.get(one.address) not in self._reservations
            )
        }

    @property
    def _reservations(self) -> dict[str, int]:
        """Reserved executions, by function."""
        kept = {
            str(one.values.get("function_name")): one.values.get("reserved_concurrent_executions")
            for one in self.of("aws_lambda_function")
        }
        return {
            name: number for name, number in kept.items() if isinstance(number, int) and number > 0
        }


def _maximum_concurrency(values: Mapping[str, Any]) -> int | None:
    for scaling in values.get("scaling_config") or []:
        if isinstance(scaling.get("maximum_concurrency"), int):
            return int(scaling["maximum_concurrency"])
    return None
