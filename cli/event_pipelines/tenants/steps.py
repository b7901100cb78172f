"""The steps that create a group or tenant.

One list of steps serves every command: creation carries them out, a dry run and `verify` compare
them with what exists, a repair carries out those that differ.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from event_pipelines.errors import UserError
from event_pipelines.stack import GROUP_TAG, STACK_TAG

MISSING = "missing"

TENANT_TAG = "event-pipelines-tenant"


class Step(ABC):
    """One resource or setting that must exist with exactly these properties."""

    # Whether it may still seem to exist when it is about to vanish.
    answers_after_deletion = False

    @property
    @abstractmethod
    def what(self) -> str:
        """Kind and name, for messages."""

    @abstractmethod
    def faults(self) -> list[str]:
        """Returns how it differs from what it must be: [MISSING], some differences, or nothing."""

    @abstractmethod
    def make(self) -> None:
        """Creates or fixes it, whatever exists, also if another process does the same meanwhile.

        Raises UserError if a person has to decide.
        """


@dataclass(frozen=True)
class Done:
    """A step that was carried out, or would be. `outcome`: created, fixed, unchanged or removed."""

    what: str
    outcome: str


def carry_out(
    steps: Sequence[Step], unfinished: bool, dry_run: bool, tell: Callable[[Done], None]
) -> None:
    """Carries out the steps that are missing or different, in order.

    `unfinished` also carries out steps without faults that have `answers_after_deletion`.
    """
    for step in steps:
        faults = step.faults()
        made = unfinished or faults == [MISSING]
        outcome = "unchanged" if not faults else "created" if made else "fixed"
        if not dry_run and (faults or (unfinished and step.answers_after_deletion)):
            step.make()
        tell(Done(step.what, outcome))


def tag_faults(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Returns texts on wrong and missing tags. Other tags belong to others and are ignored."""
    return [
        f"tag {name} is {found.get(name, 'missing')}, not {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def refuse_foreign(what: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raises UserError if the tags say that something is another stack's, group's or tenant's.

    Stacks older than the check of prefixes such as ep-tg may share names: ep + csv, ep-tg + csv.
    """
    for tag in (STACK_TAG, GROUP_TAG, TENANT_TAG):
        if found.get(tag, wanted.get(tag)) != wanted.get(tag):
            raise UserError(
                f"The {what} is tagged {tag} = {found[tag]} and so is somebody else's: choose"
                " another name, or remove the tag if it is wrong."
            )


def canonical(value: Any) -> Any:
    """Returns a form in which policies that mean the same are equal.

    AWS may return a list of one as a string, lists in another order, and numbers as text.
    """
    if isinstance(value, Mapping):
        return {name: canonical(one) for name, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        forms = [canonical(one) for one in value]
        return forms[0] if len(forms) == 1 else sorted(forms, key=repr)
    return str(value).lower() if isinstance(value, bool) else str(value)
