"""One small object or item that is sent through a pipeline to see whether it gets to its effect."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from event_pipelines.errors import UserError
from event_pipelines.pipelines import objects
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.stack import Stack

# Below it are the keys of what is sent, so that nobody takes it for anything else.
FOLDER = "smoke/"


class NotProbed(UserError):
    """Nothing can be sent through the pipeline as it is set up. The message says what would."""


class Stopped(Exception):
    """What was sent ended otherwise than with its effect. The message says how."""


@dataclass(frozen=True)
class Hop:
    """A place that is reached, or not yet. `reached` raises Stopped when it never will be.

    `function` works towards it and `queue` feeds that; both are names, None where there is none.
    """

    name: str
    reached: Callable[[], bool]
    function: str | None
    queue: str


class Probe:
    """What is sent through one pipeline. Whatever is asked of AWS raises ClientError or
    BotoCoreError."""

    # The key of the object, or of the item's file, as `trace` takes it.
    key: str
    # What is not removed by design; empty where everything is.
    stays = ""

    def __init__(self) -> None:
        # What could not be removed, and why.
        self.left: list[str] = []

    def send(self) -> None:
        raise NotImplementedError

    def hops(self) -> Sequence[Hop]:
        """In the order in which they are reached, or beside each other."""
        raise NotImplementedError

    def remove(self) -> None:
        """Removes all that there is of it, whether or not it was sent."""
        raise NotImplementedError


class ObjectProbe(Probe):
    """An object that is stored at `key` in `bucket`."""

    def __init__(self, stack: Stack, bucket: str, key: str, content: bytes) -> None:
        super().__init__()
        self.stack, self.bucket, self.key = stack, bucket, key
        self._content = content
        self._stored: StoredObject | None = None

    @property
    def stored(self) -> StoredObject:
        if self._stored is None:
            raise Stopped(f"s3://{self.bucket}/{self.key} was removed by somebody else")
        return self._stored

    def store(self) -> None:
        self.stack.s3.put_object(Bucket=self.bucket, Key=self.key, Body=self._content)

    def send(self) -> None:
        self.store()
        self._stored = objects.find(self.stack.s3, self.bucket, self.key)

    def made(self) -> Sequence[tuple[str, str]]:
        """Buckets and keys of what is made of it."""
        return ()

    def remove(self) -> None:
        for bucket, key in ((self.bucket, self.key), *self.made()):
            objects.remove_versions(self.stack.s3, bucket, key)


def grey_jpeg(side: int) -> bytes:
    """A grey square of JPEG. Every block of 8 by 8 is two bits: no difference, no detail."""
    blocks = (-(-side // 8)) ** 2
    data, odd = divmod(2 * blocks, 8)
    # What is left of the last byte is ones.
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
    """A black square of PNG, of one bit for each pixel."""

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
