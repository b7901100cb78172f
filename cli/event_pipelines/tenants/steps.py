"""What a group or tenant is made of, piece by piece.

One list of steps serves every command: creation makes them, a dry run and `verify` compare them
with what is there, a repair makes those that differ.
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
    """One thing that must be there, exactly so."""

    # Whether the thing may look as if it were there when it is about to vanish.
    answers_after_deletion = False

    @property
    @abstractmethod
    def what(self) -> str:
        """Kind and name, as a person would say them."""

    @abstractmethod
    def faults(self) -> list[str]:
        """How it differs from what it must be: [MISSING], a few differences, or nothing."""

    @abstractmethod
    def make(self) -> None:
        """Makes it so, whatever was there, also beside another process that does the same.

        Raises UserError when a person has to decide.
        """


@dataclass(frozen=True)
class Done:
    """A step that was carried out, or would be. `outcome`: created, fixed, unchanged or removed."""

    what: str
    outcome: str


def carry_out(
    steps: Sequence[Step], unfinished: bool, dry_run: bool, tell: Callable[[Done], None]
) -> list[Done]:
    """Makes what is missing or different, in order.

    `unfinished`: what looks as if it were there is made all the same where looks can deceive.
    """
    done = []
    for step in steps:
        faults = step.faults()
        made = unfinished or faults == [MISSING]
        outcome = "unchanged" if not faults else "created" if made else "fixed"
        if not dry_run and (faults or (unfinished and step.answers_after_deletion)):
            step.make()
        done.append(Done(step.what, outcome))
        tell(done[-1])
    return done


def tag_faults(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Tags that are not as they must be. Tags beyond those are other people's, and theirs."""
    return [
        f"tag {name} is {found.get(name, 'missing')}, not {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def refuse_foreign(what: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raises UserError when the tags say that something is another stack's, group's or tenant's.

    Stacks of before prefixes like ep-tg were refused can come upon one name: ep + csv, ep-tg + csv.
    """
    for tag in (STACK_TAG, GROUP_TAG, TENANT_TAG):
        if found.get(tag, wanted.get(tag)) != wanted.get(tag):
            raise UserError(
                f"The {what} is tagged {tag} = {found[tag]} and so is somebody else's: choose"
                " another name, or remove the tag if it is wrong."
            )


def canonical(value: Any) -> Any:
    """A form in which policies that mean the same are equal.

    AWS is free to give back a list of one as a string, lists in another order, numbers as text.
    """
    if isinstance(value, Mapping):
        return {name: canonical(one) for name, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        forms = [canonical(one) for one in value]
        return forms[0] if len(forms) == 1 else sorted(forms, key=repr)
    return str(value).lower() if isinstance(value, bool) else str(value)
