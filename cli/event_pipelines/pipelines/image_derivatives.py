"""Pictures and their derivatives: a lane for each derivative."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from event_pipelines.contracts.derivatives import SUFFIXES, derivative_key
from event_pipelines.pipelines import objects
from event_pipelines.pipelines.history import Entry, ObjectHistory
from event_pipelines.pipelines.objects import StoredObject, is_made_of
from event_pipelines.pipelines.pipeline import Deployed, Lane, Search, Stage, State, Step
from event_pipelines.pipelines.probe import (
    FOLDER,
    Hop,
    NotProbed,
    ObjectProbe,
    Probe,
    black_png,
    grey_jpeg,
)
from event_pipelines.pipelines.rejections import Rejections
from event_pipelines.stack import Stack

NAME = "image-derivatives"
STEPS: tuple[Step, ...] = (Step(r"image-(.+)", r"\1", r"image-\1"),)
KEYS = re.compile("ingest/.*", re.DOTALL)
BRANCH: str | None = "derivative"
NO_REPLAY: str | None = None


def deployed(stack: Stack, since: datetime | None) -> Deployed:  # noqa: ARG001
    return _Images(stack)


class _Images(Deployed):
    unmatched_remedy = (
        'set image_derivatives.suffixes = "all" or add what they end in to extensions, apply, and'
        f" run `event-pipelines replay {NAME} --missing`"
    )

    def __init__(self, stack: Stack) -> None:
        name = f"{stack.prefix}-image"
        bucket = stack.bucket("image")
        self._settings = _settings(stack, name)
        if not self._settings:
            raise stack.missing(NAME)
        lanes = [
            Lane(
                derivative,
                bucket,
                settings["SOURCE_PREFIX"],
                (f"{name}-{derivative}",),
                (f"{name}-{derivative}-dlq",),
            )
            for derivative, settings in self._settings.items()
        ]
        super().__init__(stack, lanes, objects.triggers(stack.s3, bucket, f"{name}-uploads"))
        self._rejections = {
            derivative: Rejections(
                stack.s3, settings.get("REJECTIONS_BUCKET", bucket), settings["REJECTIONS_PREFIX"]
            )
            for derivative, settings in self._settings.items()
        }

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        """Also those that no rule is about: content decides, and nothing says what they are."""
        yield from objects.stored(self.stack.s3, lane.bucket, prefix)

    def state(self, lane: Lane, stored: StoredObject) -> State:
        if is_made_of(self.stack.s3, stored.bucket, self.output(lane, stored.key), stored):
            return State.DONE
        if self._rejections[lane.name].name(stored):
            return State.REJECTED
        return State.MISSING if self.takes(lane, stored.key) else State.UNMATCHED

    def output(self, lane: Lane, key: str) -> str:
        """The key of what is made of the object with this key."""
        settings = self._settings[lane.name]
        output_format = settings.get("FORMAT") or "jpeg"
        return derivative_key(key, lane.prefix, settings["OUTPUT_PREFIX"], output_format)

    def picture(self) -> bytes:
        """The smallest that every derivative takes. Raises NotProbed for unknown formats."""
        side = max(int(settings.get("MIN_SIDE", "8")) for settings in self._settings.values())
        taken = next(iter(self._settings.values())).get("ALLOWED_FORMATS", "JPEG").split(",")
        if "JPEG" in taken:
            return grey_jpeg(side)
        if "PNG" in taken:
            return black_png(side)
        raise NotProbed(
            f"A JPEG or a PNG would be sent, and {NAME} takes only {', '.join(taken)}: add one of"
            " them to allowed_formats to have it tried."
        )

    def suffix(self) -> str:
        """What a key must end in for the notification to be about it."""
        return self._triggers.rules[0][1]


def probes(stack: Stack, name: str) -> Sequence[Probe]:
    return [_Picture(_Images(stack), name)]


class _Picture(ObjectProbe):
    """One picture, of which all derivatives are made."""

    def __init__(self, images: _Images, name: str) -> None:
        self._images = images
        first = images.lanes[0]
        key = f"{first.prefix}{FOLDER}{name}{images.suffix()}"
        super().__init__(images.stack, first.bucket, key, images.picture())

    def hops(self) -> list[Hop]:
        return [
            Hop(
                lane.name,
                partial(self.is_made_at, self._images.output(lane, self.key)),
                lane.queues[0],
                lane.queues[0],
            )
            for lane in self._images.lanes
        ]

    def remove(self) -> None:
        self.remove_at(*(self._images.output(lane, self.key) for lane in self._images.lanes))


def _settings(stack: Stack, name: str) -> dict[str, dict[str, str]]:
    """The functions' settings by derivative."""
    found = {}
    for queue in stack.queues.names(f"{name}-"):
        settings = stack.settings_of(queue) if not queue.endswith("-dlq") else None
        # Another stack's prefix may begin with this one's.
        if settings and settings.get("PIPELINE") == NAME:
            found[settings["DERIVATIVE"]] = settings
    return found


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:
    stack = search.stack
    bucket = ObjectHistory(stack.s3, NAME, stack.bucket("image"), search.key)
    yield from bucket.versions()
    for stage in stages:
        for output_format in SUFFIXES:
            key = derivative_key(search.key, "ingest/", f"derived/{stage.name}/", output_format)
            yield from bucket.output(key, f"{stage.name} is there")
        yield from bucket.rejections(f"rejections/{stage.name}/")
