"""Reader of JPEG files (ITU-T T.81), their ICC profiles (ICC.1, annex B) and EXIF."""

import re
import struct
from dataclasses import dataclass, field
from functools import partial
from typing import IO

from create_image_derivative.container import (
    MAX_PROFILE_BYTES,
    MAX_SCANS,
    MAX_SEGMENTS,
    NOISE,
    Budget,
    Container,
    ImageRejected,
    Pieces,
    Span,
    Tails,
    broken,
    exif_orientation,
    read_at,
)

SOI, EOI, SOS, DHT, DAC, DQT, DRI, DNL = 0xD8, 0xD9, 0xDA, 0xC4, 0xCC, 0xDB, 0xDD, 0xDC
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
TABLES = (DHT, DAC, DQT, DRI)
FRAMES = tuple(code for code in range(0xC0, 0xD0) if code not in (DHT, 0xC8, DAC))
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
START, END = bytes((0xFF, SOI)), bytes((0xFF, EOI))
PLAIN_NOISE = NOISE.replace(b"\xff", b"\xfe")
RESTART = re.compile(rb"\xff([\xd0-\xd7])")
# In compressed data, FF precedes 00 or a restart marker; repeated FF bytes are fill bytes.
MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
FIRST_READ_BYTES = 1 << 12
READ_BYTES = 1 << 18
# Tables of a hundred scans take a fifth of it. The decoder parses every table.
MAX_TABLE_BYTES = 1 << 20
COEFFICIENTS = 64


@dataclass
class _Found:
    """Contents of the segments before the first scan, for the decoder and for display."""

    tables: bytearray = field(default_factory=bytearray)
    budget: Budget = field(default_factory=lambda: Budget("segments", MAX_SEGMENTS))
    frame: int = 0
    width: int = 0
    height: int = 0
    components: int = 0
    orientation: int | None = None
    profile_parts: list[bytes] = field(default_factory=list)
    profile_bytes: int = 0
    # The segments from which decoders derive the coding of colours: the last of each kind.
    colour_segments: dict[int, bytes] = field(default_factory=dict)
    # For each component and coefficient, the number of bits that later scans still have to deliver.
    to_come: dict[int, list[int]] = field(default_factory=dict)

    @property
    def head(self) -> bytes:
        return START + b"".join(self.colour_segments.values()) + self.tables


@dataclass(frozen=True)
class _Segment:
    code: int
    start: int
    end: int

    def read(self, source: IO[bytes]) -> bytes:
        return read_at(source, self.start + 4, self.end - self.start - 4)


def read_container(source: IO[bytes], size: int) -> Container:
    """Raises ImageRejected for a JPEG without pixels, or with too many segments or scans."""
    found = _Found()
    position = 2
    while True:
        segment = _next_segment(source, position, size)
        if segment is None or segment.end > size or segment.code == EOI:
            raise broken("the JPEG ends before its first scan")
        found.budget.spend()
        if segment.code == SOS:
            break
        _keep(found, segment, source)
        position = segment.end
    if not found.frame:
        raise broken("the JPEG has no frame header")
    components = _begin_scan(found, segment.read(source))
    several = found.frame in PROGRESSIVE or components < found.components
    exact = None
    if not several and read_at(source, size - 2, 2) == END:
        spans: list[Span] = [(segment.start, size - segment.start)]
        cut = False
        exact = partial(_exact, found, segment, size)
    else:
        spans, cut = _scans(found, source, segment, size, several=several)
    return Container(
        "JPEG",
        (found.head, *spans),
        found.width,
        found.height,
        orientation=found.orientation or 1,
        profile=_profile(found.profile_parts),
        tails=(b"", b"") if exact else _tails(source, spans),
        cut=cut,
        lost=any(map(any, found.to_come.values())),
        exact=exact,
        whole=several,
        progressive=found.frame in PROGRESSIVE,
        lossless=found.frame in LOSSLESS,
        components=found.components,
    )


def _next_segment(source: IO[bytes], position: int, size: int) -> _Segment | None:
    """Return the next segment, or None; bytes before its marker are skipped."""
    start = _next_marker(source, position, size)
    if start is None:
        return None
    head = read_at(source, start, 4)
    code = head[1]
    if code in (SOI, EOI):
        return _Segment(code, start, start + 2)
    # Decoders read a length below 2, the size of the length itself, as an empty segment.
    length = max(2, int.from_bytes(head[2:4], "big"))
    return _Segment(code, start, start + 2 + length if len(head) == 4 else size + 1)


def _next_marker(source: IO[bytes], position: int, size: int) -> int | None:
    wanted = FIRST_READ_BYTES
    while position < size:
        source.seek(position)
        chunk = source.read(wanted)
        if match := MARKER.search(chunk):
            return position + match.start()
        # A marker may lie across the end of what was read.
        position += max(1, len(chunk) - 1)
        wanted = READ_BYTES
    return None


def _keep(found: _Found, segment: _Segment, source: IO[bytes]) -> None:
    code = segment.code
    if code in FRAMES or code in TABLES:
        _table(found, segment, source)
    elif code in (APP0, APP1, APP2, APP14):
        _application(found, code, segment, source)


def _table(found: _Found, segment: _Segment, source: IO[bytes]) -> None:
    if len(found.tables) + segment.end - segment.start > MAX_TABLE_BYTES:
        raise ImageRejected("segment_limit", f"tables have more than {MAX_TABLE_BYTES} bytes")
    data = segment.read(source)
    if segment.code in FRAMES and not found.frame:
        if len(data) < 6:
            raise broken("the frame header of the JPEG is too short")
        found.frame = segment.code
        found.height, found.width, found.components = struct.unpack(">HHB", data[1:6])
        coefficients = 1 if segment.code in LOSSLESS else COEFFICIENTS
        for component in data[6::3][: found.components]:
            # 16 bits, more than any picture has: no scan has delivered any.
            found.to_come[component] = [16] * coefficients
    found.tables += struct.pack(">BBH", 0xFF, segment.code, len(data) + 2) + data


def _application(found: _Found, code: int, segment: _Segment, source: IO[bytes]) -> None:
    start = read_at(source, segment.start + 4, min(14, segment.end - segment.start - 4))
    if code == APP2 and start.startswith(b"ICC_PROFILE\0"):
        found.profile_bytes += segment.end - segment.start
        if len(start) == 14 and found.profile_bytes <= MAX_PROFILE_BYTES:
            found.profile_parts.append(segment.read(source)[12:])
    elif code == APP1 and start.startswith(b"Exif\0\0") and found.orientation is None:
        found.orientation = exif_orientation(segment.read(source))
    elif (code == APP0 and start.startswith(b"JFIF\0") and len(start) == 14) or (
        code == APP14 and start.startswith(b"Adobe") and len(start) >= 12
    ):
        head = struct.pack(">BBH", 0xFF, code, len(start) + 2)
        found.colour_segments[code] = head + start


def _profile(parts: list[bytes]) -> bytes | None:
    """Join the parts by their numbers; None unless every part occurs exactly once."""
    by_number = {part[0]: part[2:] for part in parts}
    counts = {part[1] for part in parts}
    if len(by_number) != len(parts) or counts != {len(parts)}:
        return None
    if set(by_number) != set(range(1, len(parts) + 1)):
        return None
    return b"".join(by_number[number] for number in sorted(by_number))


def _begin_scan(found: _Found, data: bytes) -> int:
    """Record the bits that a scan delivers; return its number of components (0: unreadable)."""
    count = data[0] if data else 0
    if len(data) < 4 + 2 * count:
        return 0
    first, last, bits = data[1 + 2 * count : 4 + 2 * count]
    if found.frame in LOSSLESS:
        first, last, bits = 0, 0, 0
    for component in data[1 : 1 + 2 * count : 2]:
        left = found.to_come.get(component, [])
        for coefficient in range(first, min(last, len(left) - 1) + 1):
            left[coefficient] = min(left[coefficient], bits & 15)
    return count


def _exact(found: _Found, scan: _Segment, size: int, source: IO[bytes]) -> tuple[Pieces, Tails]:
    """Return pieces and tails of a single-scan picture, without end marker and trailing data."""
    spans, _ = _scans(found, source, scan, size, several=False)
    return (found.head, *spans), _tails(source, spans)


def _tails(source: IO[bytes], spans: list[Span]) -> Tails:
    """Return the end marker, and noise with one for data missing up to and after a restart."""
    start, length = spans[-1]
    read = min(length, READ_BYTES)
    last = RESTART.findall(read_at(source, start + length - read, read))[-1:]
    due = last[0][0] + 1 if last else 0
    parts = (bytes((0xFF, 0xD0 | due + number & 7)) + PLAIN_NOISE[:64] for number in range(8))
    return END, PLAIN_NOISE + b"".join(parts) + END


def _scans(
    found: _Found, source: IO[bytes], first: _Segment, size: int, *, several: bool
) -> tuple[list[Span], bool]:
    """Return the spans from the first scan on, and whether the end marker is missing."""
    spans: list[Span] = []
    start, position, scans = first.start, first.end, 1
    while True:
        segment = _next_segment(source, position, size)
        if segment is None:
            spans.append((start, size - start))
            return spans, True
        if segment.end > size or segment.code == SOI:
            # Cut off, or another picture before this one has ended.
            spans.append((start, segment.start - start))
            return spans, True
        if segment.code == EOI:
            spans.append((start, segment.start - start))
            return spans, False
        found.budget.spend()
        if segment.code == SOS and several:
            scans += 1
            if scans > MAX_SCANS:
                raise ImageRejected("scan_limit", f"the file has more than {MAX_SCANS} scans")
            _begin_scan(found, segment.read(source))
        elif segment.code not in (DNL, *TABLES) or not several:
            # Metadata between scans, or data after the only scan, is not part of the picture.
            spans.append((start, segment.start - start))
            if not several and segment.code != DNL:
                return spans, True
            start = segment.end
        position = segment.end
