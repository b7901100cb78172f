"""The bytes of one version of an object, compressed or not, over connections that break."""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.csv_files.content import CHUNK_BYTES, FileRefused, gunzip
from shared.object_content import READ_ATTEMPTS, SourceGone, SourceReplaced, StoredObject

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def stored(world: Any) -> Callable[..., StoredObject]:
    world.upload(CONTENT)

    def make(**changes: Any) -> StoredObject:
        known: dict[str, Any] = {"key": "import/a.csv", "version_id": "v1", "etag": None}
        known.update(changes)
        return StoredObject(
            world.s3, "example-imports", block_bytes=1_000, sleep=lambda _: None, **known
        )

    return make


@pytest.mark.parametrize("start", [0, 1, 999, 1_000, 10_239, 10_240, 99_999])
def test_content_is_read_from_any_offset_to_its_end(
    stored: Callable[..., StoredObject], start: int
) -> None:
    assert b"".join(stored().chunks(start)) == CONTENT[start:]


def test_a_large_object_is_read_in_several_requests(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    assert b"".join(stored().chunks(8_500)) == CONTENT[8_500:]

    assert world.ranges == ["bytes=8500-9499", "bytes=9500-10499"]


def test_an_empty_object_has_no_bytes(world: Any) -> None:
    world.upload(b"", version="v2")

    assert (
        list(StoredObject(world.s3, "example-imports", "import/a.csv", "v2", None).chunks()) == []
    )


def test_nothing_is_asked_for_before_it_is_needed(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    chunks = stored().chunks()
    assert world.ranges == []

    next(chunks)

    assert world.ranges == ["bytes=0-999"]


def test_a_later_version_is_not_read(world: Any, stored: Callable[..., StoredObject]) -> None:
    world.upload(b"something else", version="v2")

    assert b"".join(stored().chunks()) == CONTENT


@pytest.mark.parametrize("version", [None, "null"])
def test_without_versions_other_content_is_not_read(
    stored: Callable[..., StoredObject], version: str | None
) -> None:
    chunks = stored(version_id=version, etag="0" * 32).chunks()

    with pytest.raises(SourceReplaced):
        next(chunks)


def test_content_that_is_replaced_while_it_is_read_is_noticed(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    world.versions.clear()
    world.upload(CONTENT, version=None)
    chunks = stored(
        version_id=None, etag=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    ).chunks()
    next(chunks)
    world.upload(b"other content" * 1_000, version=None)

    with pytest.raises(SourceReplaced):
        list(chunks)


def test_content_that_is_deleted_is_noticed(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    chunks = stored().chunks()
    next(chunks)
    world.versions.clear()

    with pytest.raises(SourceGone):
        list(chunks)


def test_other_refusals_are_for_another_try(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    def refuse(*_: object) -> None:
        error: Any = {
            "Error": {"Code": "SlowDown"},
            "ResponseMetadata": {"HTTPStatusCode": 503},
        }
        raise ClientError(error, "GetObject")

    world.tamper = refuse

    with pytest.raises(ClientError, match="SlowDown"):
        list(stored().chunks())


class Interrupted(io.BytesIO):
    """A connection that breaks after some bytes."""

    def __init__(self, content: bytes, length: int, how: str) -> None:
        super().__init__(content[:length])
        self.how = how

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(min(size or 0, 100))
        if not data and self.how == "times out":
            raise ReadTimeoutError(endpoint_url="https://s3.example")
        return data


def interrupt(world: Any, times: int, length: int, how: str) -> None:
    remaining = [None] * times

    def tamper(_: str, act: Callable[[], Any]) -> Any:
        answer = act()
        if remaining:
            remaining.pop()
            content = answer["Body"].read()
            answer["Body"] = StreamingBody(Interrupted(content, length, how), len(content))
        return answer

    world.tamper = tamper


@pytest.mark.parametrize("how", ["times out", "ends early"])
@pytest.mark.parametrize("length", [0, 1, 250])
def test_a_connection_that_breaks_is_picked_up_where_it_did(
    world: Any, stored: Callable[..., StoredObject], how: str, length: int
) -> None:
    interrupt(world, READ_ATTEMPTS - 1, length, how)

    assert b"".join(stored().chunks(5)) == CONTENT[5:]


def test_connections_that_break_at_once_are_given_up(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    interrupt(world, READ_ATTEMPTS, 0, "times out")

    with pytest.raises(ReadTimeoutError):
        list(stored().chunks())
    assert len(world.ranges) == READ_ATTEMPTS


def test_connections_that_break_after_a_while_are_not(
    world: Any, stored: Callable[..., StoredObject]
) -> None:
    interrupt(world, 20, 250, "times out")

    assert b"".join(stored().chunks()) == CONTENT


def in_chunks(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


contents = st.binary(max_size=300) | st.integers(0, 300_000).map(bytes)


@settings(derandomize=True, deadline=None)
@given(st.lists(contents, min_size=1, max_size=3), st.integers(1, 700), st.integers(0, 9))
def test_whatever_gzip_writes_comes_back(members: list[bytes], size: int, zeros: int) -> None:
    file = b"".join(gzip.compress(member) for member in members) + bytes(zeros)

    pieces = list(gunzip(in_chunks(file, size)))

    assert b"".join(pieces) == b"".join(members)
    assert all(0 < len(piece) <= CHUNK_BYTES for piece in pieces)


def test_little_gzip_is_not_much_memory() -> None:
    bomb = gzip.compress(bytes(50_000_000))

    assert max(map(len, gunzip([bomb]))) <= CHUNK_BYTES


@settings(derandomize=True, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_gzip_file_that_ends_early_is_refused(content: bytes, data: st.DataObject) -> None:
    file = gzip.compress(content)
    length = data.draw(st.integers(1, len(file) - 1))

    with pytest.raises(FileRefused, match="broken_gzip: the gzip file ends before"):
        list(gunzip([file[:length]]))


@pytest.mark.parametrize("position", [12, -6])
def test_a_damaged_gzip_file_is_refused(position: int) -> None:
    damaged = bytearray(gzip.compress(b"some content of a file" * 100))
    damaged[position] ^= 0xFF

    with pytest.raises(FileRefused, match="broken_gzip: the gzip file is damaged"):
        list(gunzip([bytes(damaged)]))


def test_what_follows_a_gzip_file_and_is_none_is_refused() -> None:
    pieces = gunzip([gzip.compress(b"1,2\n") + b"3,4\n"])

    assert next(pieces) == b"1,2\n"
    with pytest.raises(FileRefused, match="broken_gzip"):
        next(pieces)
