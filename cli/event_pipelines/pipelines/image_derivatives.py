"""The image-derivatives pipeline: pictures, with one lane for each derivative."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from event_pipelines.contracts.derivatives import SUFFIXES, derivative_key, output_prefix
from event_pipelines.pipelines import objects
from event_pipelines.pipelines.history import Entry, ObjectHistory
from event_pipelines.pipelines.objects import StoredObject, Triggers, is_made_of
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
    """Returns the pipeline, a lane per derivative and bucket; raises as `Pipeline.deployed`."""
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
                source,
                settings["SOURCE_PREFIX"],
                (f"{name}-{derivative}",),
                (f"{name}-{derivative}-dlq",),
            )
            for derivative, settings in self._settings.items()
            for source in objects.sources(settings, bucket)
        ]
        super().__init__(stack, lanes, self._taken(stack, bucket, f"{name}-uploads"))
        self._rejections = {
            derivative: Rejections(
                stack.s3, settings.get("REJECTIONS_BUCKET", bucket), settings["REJECTIONS_PREFIX"]
            )
            for derivative, settings in self._settings.items()
        }

    def compares(self, lane: Lane, key: str) -> bool:
        """Includes keys that no notification rule matches, since an image may have any suffix."""
        return key.startswith(lane.prefix)

    def state(self, lane: Lane, stored: StoredObject) -> State:
        if is_made_of(self.stack.s3, *self.output(lane, stored.key), stored):
            return State.DONE
        if self._rejections[lane.name].name(stored):
            return State.REJECTED
        return State.MISSING if self.takes(lane, stored.key) else State.UNMATCHED

    def _taken(self, stack: Stack, bucket: str, topic: str) -> Triggers:
        settings = next(iter(self._settings.values()))
        if "SOURCE_BUCKETS" not in settings:
            return objects.triggers(stack.s3, bucket, topic)
        # Another owner's notification or an EventBridge rule is taken to match these.
        suffixes = settings.get("SOURCE_SUFFIXES", "").split(",")
        return Triggers(tuple((settings["SOURCE_PREFIX"], one) for one in suffixes), any_case=True)

    def output(self, lane: Lane, key: str) -> tuple[str, str]:
        settings = self._settings[lane.name]
        own = settings.get("OUTPUT_BUCKET")
        prefix = output_prefix(settings["OUTPUT_PREFIX"], own, lane.bucket)
        output_format = settings.get("FORMAT") or "jpeg"
        return own or lane.bucket, derivative_key(key, lane.prefix, prefix, output_format)

    def picture(self) -> bytes:
        """Returns a picture all derivatives accept. Raises NotProbed without JPEG and PNG."""
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
        """Returns a suffix that a key must have to match the notification."""
        return self._triggers.rules[0][1]


def probes(stack: Stack, name: str) -> Sequence[Probe]:
    """Returns a probe for all derivatives of one source bucket; raises as `Pipeline.probes`."""
    return [_Picture(_Images(stack), name)]


class _Picture(ObjectProbe):
    """A probe that uploads one picture, of which all derivatives are made."""

    def __init__(self, images: _Images, name: str) -> None:
        first = images.lanes[0]
        self._images = images
        self._lanes = [lane for lane in images.lanes if lane.bucket == first.bucket]
        key = f"{first.prefix}{FOLDER}{name}{images.suffix()}"
        super().__init__(images.stack, first.bucket, key, images.picture())

    def hops(self) -> list[Hop]:
        return [
            Hop(lane.name, partial(self._is_made, lane), lane.queues[0], lane.queues[0])
            for lane in self._lanes
        ]

    def _is_made(self, lane: Lane) -> bool:
        bucket, key = self._images.output(lane, self.key)
        return is_made_of(self.stack.s3, bucket, key, self.stored)

    def made(self) -> list[tuple[str, str]]:
        return [self._images.output(lane, self.key) for lane in self._lanes]


def _settings(stack: Stack, name: str) -> dict[str, dict[str, str]]:
    """Returns the functions' environment variables by derivative."""
    found = {}
    for queue in stack.queues.names(f"{name}-"):
        settings = stack.settings_of(queue) if not queue.endswith("-dlq") else None
        # Queues of a stack with a longer prefix may match this one's.
        if settings and settings.get("PIPELINE") == NAME:
            found[settings["DERIVATIVE"]] = settings
    return found


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:
    """Yields the picture's versions, the derivatives that exist, and rejections."""
    stack = search.stack
    own = stack.bucket("image")
    settings = stack.settings_of(f"{stack.prefix}-image-{stages[0].name}") or {}
    made_in = settings.get("OUTPUT_BUCKET")
    made = ObjectHistory(stack.s3, NAME, made_in or own, search.key)
    for bucket in objects.sources(settings, own):
        yield from ObjectHistory(stack.s3, NAME, bucket, search.key).versions()
        for stage in stages:
            prefix = output_prefix(f"derived/{stage.name}/", made_in, bucket)
            for output_format in SUFFIXES:
                key = derivative_key(search.key, "ingest/", prefix, output_format)
                yield from made.output(key, f"{stage.name} is there")
    for stage in stages:
        yield from made.rejections(f"rejections/{stage.name}/")
