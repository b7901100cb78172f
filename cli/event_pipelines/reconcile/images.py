"""Pictures against derivatives: a lane for each derivative."""

from collections.abc import Iterator, Sequence

from event_pipelines.contracts.derivatives import derivative_key
from event_pipelines.reconcile import objects
from event_pipelines.reconcile.objects import StoredObject, Triggers, is_made_of
from event_pipelines.reconcile.pipeline import Lane, State
from event_pipelines.reconcile.records import DeadLetters, Rejections
from event_pipelines.reconcile.stack import Stack, each

NAME = "image-derivatives"


class Images:
    """Raises UserError when the stack has no such pipeline, or its bucket notifies nobody."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        name = f"{stack.prefix}-image"
        bucket = stack.bucket("image")
        self._settings = _settings(stack, name)
        if not self._settings:
            raise stack.missing(NAME)
        self._triggers: Triggers = objects.triggers(stack.s3, bucket, f"{name}-uploads")
        self.lanes: Sequence[Lane] = [
            Lane(
                derivative,
                bucket,
                settings["SOURCE_PREFIX"],
                (f"{name}-{derivative}",),
                (f"{name}-{derivative}-dlq",),
            )
            for derivative, settings in self._settings.items()
        ]
        self._rejections = {
            derivative: Rejections(
                stack.s3, settings.get("REJECTIONS_BUCKET", bucket), settings["REJECTIONS_PREFIX"]
            )
            for derivative, settings in self._settings.items()
        }

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        for page in objects.stored(self._stack.s3, lane.bucket, prefix):
            yield [one for one in page if self.takes(lane, one.key)]

    def takes(self, lane: Lane, key: str) -> bool:
        return key.startswith(lane.prefix) and self._triggers.take(key)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        return each(lambda stored: self._state(lane, stored), page)

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        return letters.name(stored)

    def _state(self, lane: Lane, stored: StoredObject) -> State:
        settings = self._settings[lane.name]
        output_format = settings.get("FORMAT") or "jpeg"
        key = derivative_key(stored.key, lane.prefix, settings["OUTPUT_PREFIX"], output_format)
        if is_made_of(self._stack.s3, stored.bucket, key, stored):
            return State.DONE
        return State.REJECTED if self._rejections[lane.name].name(stored) else State.MISSING

    def message(self, stored: StoredObject) -> str:
        return objects.announcement(stored, self._stack.region)


def _settings(stack: Stack, name: str) -> dict[str, dict[str, str]]:
    """The functions' settings by derivative."""
    found = {}
    for queue in stack.queue_names(f"{name}-"):
        settings = stack.settings_of(queue) if not queue.endswith("-dlq") else None
        # Another stack's prefix may begin with this one's.
        if settings and settings.get("PIPELINE") == NAME:
            found[settings["DERIVATIVE"]] = settings
    return found
