"""What a Terraform plan would make, as far as an account has to be asked about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from event_pipelines.plans.review import conflicts
from event_pipelines.plans.review.references import provider_keys, without_indexes

# Started by a mapping that has no maximum of its own, for as long as there are messages.
UNBOUNDED_MAPPING = 1_000


@dataclass(frozen=True)
class Resource(conflicts.Resource):
    """A managed resource as the plan would leave it; ``values`` lack what only AWS can say."""

    created: bool = field(kw_only=True)


@dataclass(frozen=True)
class Planned:
    """``document`` is the plan's JSON. Secrets are in it: nothing but names, ARNs, counts and
    regions may be printed of it."""

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
            for found in _walk(root)
            if found.get("mode") == "managed" and found["type"].startswith("aws_")
        ]

    def of(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.kind == kind]

    def variable(self, name: str) -> Any:
        """The value of a root variable; None where there is none."""
        return ((self.document.get("variables") or {}).get(name) or {}).get("value")

    def output(self, name: str) -> Any:
        """The planned value of an output; None where it is known after the apply only."""
        change = (self.document.get("output_changes") or {}).get(name) or {}
        return change.get("after")

    @property
    def region(self) -> str | None:
        """Where the provider is configured for, if the plan says it."""
        given = self.variable("region")
        return given if isinstance(given, str) else None

    @property
    def reserved(self) -> int:
        """Concurrent executions that functions take out of the account's."""
        kept = (one.values.get("reserved_concurrent_executions") for one in self._functions)
        return sum(number for number in kept if isinstance(number, int) and number > 0)

    @property
    def concurrency(self) -> dict[str, int]:
        """By event source mapping, how many executions outside of reservations it may start."""
        return {
            mapping.address: UNBOUNDED_MAPPING if most is None else most
            for mapping, most in (
                (one, _maximum_concurrency(one.values))
                for one in self.of("aws_lambda_event_source_mapping")
                if one.values.get("enabled") is not False
            )
        }

    @property
    def _functions(self) -> list[Resource]:
        return self.of("aws_lambda_function")


def _maximum_concurrency(values: Mapping[str, Any]) -> int | None:
    for scaling in values.get("scaling_config") or []:
        if isinstance(scaling.get("maximum_concurrency"), int):
            return int(scaling["maximum_concurrency"])
    return None


def _walk(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources") or []
    for child in module.get("child_modules") or []:
        yield from _walk(child)
