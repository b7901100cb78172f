"""Steps for a record itself: that its contents are right, and that it is ACTIVE at the end."""

from dataclasses import dataclass
from typing import Generic

from event_pipelines.contracts.tenant_registry import ACTIVE, PROVISIONING
from event_pipelines.pipelines.tenant_registry import R, Registry
from event_pipelines.tenants.steps import Step

_OWN = {"status", "created_at", "updated_at"}


@dataclass(frozen=True)
class Contents(Step, Generic[R]):
    """A step: the record has the attributes that follow from its name."""

    registry: Registry
    record: R
    wanted: R

    @property
    def what(self) -> str:
        return f"record of {self.record.kind} {self.record.name}"

    def faults(self) -> list[str]:
        return [
            f"{attribute} is {getattr(self.record, field) or 'missing'},"
            f" not {getattr(self.wanted, field) or 'left out'}"
            for field, attribute in self.record.attributes.items()
            if field not in _OWN and getattr(self.record, field) != getattr(self.wanted, field)
        ]

    def make(self) -> None:
        self.registry.correct(self.record, self.wanted)


@dataclass(frozen=True)
class Activation(Step, Generic[R]):
    """The last step: the record becomes ACTIVE, so that the router uses it."""

    registry: Registry
    record: R

    @property
    def what(self) -> str:
        return f"status of {self.record.kind} {self.record.name}"

    def faults(self) -> list[str]:
        # A suspended tenant is complete, and stays suspended.
        if self.record.status != PROVISIONING:
            return []
        return [f"is {PROVISIONING}: its creation has not finished"]

    def make(self) -> None:
        self.registry.change_status(self.record, ACTIVE)
