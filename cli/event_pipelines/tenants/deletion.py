"""Removes groups and tenants, but no data without the option to delete it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from event_pipelines.contracts.tenant_registry import Kind
from event_pipelines.errors import UserError
from event_pipelines.tenants.files import Files, counted
from event_pipelines.tenants.queues import QueueStep
from event_pipelines.tenants.steps import Done


@dataclass(frozen=True)
class Removal:
    """One thing to remove; removing it twice is no error."""

    what: str
    remove: Callable[[], object]

    def carry_out(self, dry_run: bool, tell: Callable[[Done], None]) -> None:
        if not dry_run:
            self.remove()
        tell(Done(self.what, "removed"))


def refuse_remains(kind: Kind, name: str, files: Files, queues: Sequence[QueueStep]) -> None:
    """Raises UserError if files or messages are left."""
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
    """Returns the removal of a prefix's files, which unless `with_data` checks for files again."""

    def remove() -> None:
        if not with_data:
            refuse_remains(kind, name, files, [])
        files.remove(show)

    where = f"below {files.prefix} " if files.prefix else ""
    return Removal(f"everything {where}in bucket {files.bucket.name}", remove)
