"""Probes: a small object or item is sent through a pipeline to check that it has its effect."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from event_pipelines.errors import UserError
from event_pipelines.pipelines import objects
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.stack import Stack

# Keys of probes begin with it, so that they are not mistaken for data.
FOLDER = "smoke/"


class NotProbed(UserError):
    """The pipeline's settings leave nothing that could be sent. The message says what to change."""


class Stopped(Exception):
    """A probe ended without its effect. The message says how."""


@dataclass(frozen=True)
class Hop:
    """A milestone of a probe. `reached` raises Stopped if it will never be reached.

    `function` names the function that works on it (None: none), `queue` the queue that feeds it.
    """

    name: str
    reached: Callable[[], bool]
    function: str | None
    queue: str


class Probe:
    """A probe of one pipeline. Methods that call AWS raise ClientError or BotoCoreError."""

    # The key of the object, or of the item's file, in the form that `trace` takes.
    key: str
    # What `remove` keeps by design; empty if nothing.
    stays = ""

    def __init__(self) -> None:
        # What could not be removed, with the reasons.
        self.left: list[str] = []

    def send(self) -> None:
        raise NotImplementedError

    def hops(self) -> Sequence[Hop]:
        """Returns the milestones in the order in which they are reached, or in parallel."""
        raise NotImplementedError

    def remove(self) -> None:
        """Removes everything that the probe has made, whether or not it was sent."""
        raise NotImplementedError


class ObjectProbe(Probe):
    """A probe that stores an object at `key` in `bucket`."""

    def __init__(self, stack: Stack, bucket: str, key: str, content: bytes) -> None:
        super().__init__()
        self.stack, self.bucket, self.key = stack, bucket, key
        self._content = content
        self._stored: StoredObject | None = None

    @property
    def stored(self) -> StoredObject:
        if self._stored is None:
            raise Stopped(f"s3://{self.bucket}/{self.key} was deleted by another client")
        return self._stored

    def store(self) -> None:
        self.stack.s3.put_object(Bucket=self.bucket, Key=self.key, Body=self._content)

    def send(self) -> None:
        self.store()
        self._stored = objects.find(self.stack.s3, self.bucket, self.key)

    def made(self) -> Sequence[tuple[str, str]]:
        """Returns buckets and keys of the outputs made of the object."""
        return ()

    def remove(self) -> None:
        for bucket, key in ((self.bucket, self.key), *self.made()):
            objects.remove_versions(self.stack.s3, bucket, key)


def grey_jpeg(side: int) -> bytes:
    """Returns a grey square JPEG: two bits for each block of 8 x 8 pixels, as all are alike."""
    blocks = (-(-side // 8)) ** 2
    data, odd = divmod(2 * blocks, 8)
    # Padding bits of the last byte are ones.
    scan = b"\0" * data + (bytes([0xFF >> odd]) if odd else b"")
    size = side.to_bytes(2)
    codes = bytes([1, *[0] * 15, 0])
    parts = [
        (0xDB, b"\0" + bytes([1] * 64)),
        (0xC0, b"\x08" + size + size + b"\x01\x01\x11\0"),
        (0xC4, b"\0" + codes),
        (0xC4, b"\x10" + codes),
        (0xDA, b"\x01\x01\0\0\x3f\0"),
    ]
    header = b"".join(
        bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body for marker, body in parts
    )
    return b"\xff\xd8" + header + scan + b"\xff\xd9"


def black_png(side: int) -> bytes:
    """Returns a black square PNG, with one bit per pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    size = side.to_bytes(4)
    rows = zlib.compress((b"\0" + b"\0" * -(-side // 8)) * side)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + size + b"\x01\0\0\0\0")
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )
