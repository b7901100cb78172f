"""Taking groups and tenants away, without taking anything that nobody said to delete."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from event_pipelines.contracts.tenant_registry import Kind
from event_pipelines.errors import UserError
from event_pipelines.tenants.files import Files, counted
from event_pipelines.tenants.queues import QueueStep
from event_pipelines.tenants.steps import Done


@dataclass(frozen=True)
class Removal:
    """One thing to take away; doing it again is no error."""

    what: str
    remove: Callable[[], object]

    def carry_out(self, dry_run: bool, tell: Callable[[Done], None]) -> None:
        if not dry_run:
            self.remove()
        tell(Done(self.what, "removed"))


def refuse_remains(kind: Kind, name: str, files: Files, queues: Sequence[QueueStep]) -> None:
    """Raises UserError when files or messages are left."""
    left = files.remains()
    messages = sum(found.messages for queue in queues if (found := queue.found()))
    what = ", ".join(filter(None, [str(left), counted(messages, "message")]))
    if what:
        raise UserError(
            f"The {kind} {name} still has {what}: save what is needed, then add --delete-data to"
            " delete that with it."
        )


def clear(
    kind: Kind, name: str, files: Files, with_data: bool, show: Callable[[int], object]
) -> Removal:
    """Empties the prefix, after another look when data must not be deleted."""

    def remove() -> None:
        if not with_data:
            refuse_remains(kind, name, files, [])
        files.remove(show)

    where = f"below {files.prefix} " if files.prefix else ""
    return Removal(f"everything {where}in bucket {files.bucket.name}", remove)
