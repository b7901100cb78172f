"""The beginning of a file: whether it is CSV at all, and the names of its columns."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from shared.csv_records import Record, RecordReader, lines
from shared.object_content import GZIP_MAGIC, FileRefused, StoredObject, gunzip
from shared.row_messages import encode_row

SAMPLE_BYTES = 1 << 18
# It travels in every message, and DynamoDB is billed for it at every checkpoint.
MAX_HEADER_BYTES = 16_000

UTF_8_MARK = b"\xef\xbb\xbf"
FOREIGN_BEGINNINGS = {
    b"\xff\xfe\x00\x00": ("utf_32", "the file is UTF-32"),
    b"\x00\x00\xfe\xff": ("utf_32", "the file is UTF-32"),
    b"\xff\xfe": ("utf_16", "the file is UTF-16"),
    b"\xfe\xff": ("utf_16", "the file is UTF-16"),
    b"PK\x03\x04": ("not_csv", "the file is a ZIP archive, as Excel's own files are"),
    b"%PDF": ("not_csv", "the file is a PDF"),
    b"PAR1": ("not_csv", "the file is Parquet"),
}
AS_UTF_8 = "save it as UTF-8 and upload it again"
# Fewer lines that cannot be decoded are damage to those lines, not another encoding.
FEWEST_FOREIGN_LINES = 2


@dataclass(frozen=True)
class Opening:
    """``offset`` and ``line`` are where the first row under the header begins."""

    compression: str
    header: tuple[str, ...]
    offset: int
    line: int


def open_csv(source: StoredObject) -> Opening:
    """Read the beginning of a file. Raises FileRefused, and what ``source.chunks`` raises."""
    return read_opening(replace(source, block_bytes=SAMPLE_BYTES).chunks())


def read_opening(chunks: Iterable[bytes]) -> Opening:
    """Read as many chunks of a file as its beginning takes. Raises FileRefused."""
    chunks = iter(chunks)
    first = next(chunks, b"")
    chunks = chain([first], chunks)
    zipped = first.startswith(GZIP_MAGIC)
    sample, whole = _sample(gunzip(chunks) if zipped else chunks)
    _check_encoding(sample, whole)
    start = len(UTF_8_MARK) if sample.startswith(UTF_8_MARK) else 0
    record = next((r for r in _records(sample, start) if r.cells or r.problem), None)
    if record is None:
        raise FileRefused("empty", "the file has no content")
    return Opening(
        "gzip" if zipped else "none", _header(record), record.next_offset, record.next_line
    )


def _sample(chunks: Iterable[bytes]) -> tuple[bytes, bool]:
    """Return the first bytes of the content, and whether they are all of it."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= SAMPLE_BYTES:
            return b"".join(parts), False
    return b"".join(parts), True


def _check_encoding(sample: bytes, whole: bool) -> None:
    for beginning, (reason, detail) in FOREIGN_BEGINNINGS.items():
        if sample.startswith(beginning):
            remedy = AS_UTF_8 if reason.startswith("utf") else "export it as CSV"
            raise FileRefused(reason, f"{detail}: {remedy}")
    complete, newline, _ = sample.rpartition(b"\n")
    if not newline and b"\r" in sample:
        raise FileRefused(
            "old_mac_line_ends",
            "the lines end in carriage returns only: save it with line feeds and upload it again",
        )
    if _is_foreign(sample if whole else complete):
        raise FileRefused("not_utf8", f"most text beyond ASCII is not UTF-8: {AS_UTF_8}")


def _is_foreign(sample: bytes) -> bool:
    """Tell another encoding, such as Excel's, from a few damaged lines."""
    counts = Counter(_decodes(line) for line in sample.split(b"\n") if not line.isascii())
    return counts[False] >= max(FEWEST_FOREIGN_LINES, counts[True] + 1)


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _records(sample: bytes, start: int) -> Iterator[Record]:
    return iter(RecordReader(lines([sample[start:]]), offset=start))


def _header(record: Record) -> tuple[str, ...]:
    if record.problem is not None:
        reason, detail = record.problem
        if reason in ("not_utf8", "nul_character"):
            raise FileRefused("not_utf8", f"the header is not UTF-8 text: {AS_UTF_8}")
        raise FileRefused("broken_header", f"the header cannot be read: {detail}")
    names = record.cells
    if len(encode_row(record.line, names)) > MAX_HEADER_BYTES:
        raise FileRefused(
            "header_too_large", f"the header is longer than {MAX_HEADER_BYTES} bytes of JSON"
        )
    unnamed = [number for number, name in enumerate(names, 1) if not name.strip()]
    if unnamed:
        raise FileRefused(
            "unnamed_column", f"column {unnamed[0]} has no name: give it one, or remove it"
        )
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        # By number: names are content, which the log must not repeat.
        first, second = [number for number, name in enumerate(names, 1) if name == repeated[0]][:2]
        raise FileRefused(
            "duplicate_column",
            f"columns {first} and {second} have the same name: give each a name of its own",
        )
    return tuple(names)
