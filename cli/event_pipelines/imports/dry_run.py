"""Dry runs of imports: reads a file with the code and the settings of the functions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from event_pipelines import prices
from event_pipelines.configuration import Environment
from event_pipelines.contracts.imports import SHARE_OF_CAPACITY, STAMP
from event_pipelines.csv_files.content import FileDamaged, FileRefused, content_of
from event_pipelines.csv_files.expectations import expected_columns, wanted_dialect
from event_pipelines.csv_files.items import Item, ItemMaker, RowRejected
from event_pipelines.csv_files.opening import SAMPLE_BYTES, Opening, read_opening
from event_pipelines.csv_files.progress import Progress
from event_pipelines.csv_files.records import RowReader
from event_pipelines.csv_files.row_messages import LARGE_ROWS_PREFIX, Envelope, Row, RowMessage
from event_pipelines.csv_files.segments import Segment, cut_segments
from event_pipelines.csv_files.shape import Shape, shape_of
from event_pipelines.times import iso

FIRST_ROWS = 5
# Rejected rows that are shown; all are counted.
SHOWN_REJECTIONS = 100
# Placeholders with the lengths of an import's id and a version's id.
IMPORT_ID, VERSION_ID = "0" * 16, "0" * 32
# Counting a message is a transaction of two items. A message of up to 64 KB takes a request to be
# sent and one to be received; ten are deleted in one request.
LEDGER_UNITS_PER_MESSAGE, REQUESTS_PER_MESSAGE = 4, 2.1


@dataclass(frozen=True)
class Rejected:
    """A rejection of a row; of the file if it is refused (line 1) or damaged (line 0)."""

    line: int
    reason: str
    detail: str


@dataclass
class DryRun:
    """The result of a dry run: ``refused`` is why no row is sent, ``damage`` why no later one is.

    ``types`` are types of values by column; ``first_rows`` are items as in DynamoDB, without the
    stamp. ``dollars`` are list prices of writes, ledger and queue; with a provisioned table, hours
    count instead of writes. ``seconds`` is the time to load.
    """

    refused: Rejected | None = None
    damage: Rejected | None = None
    encoding: str = ""
    compression: str = ""
    dialect: dict[str, Any] = field(default_factory=dict)
    header: list[str] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    first_rows: list[dict[str, Any]] = field(default_factory=list)
    rows_loaded: int = 0
    rows_rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    messages: int = 0
    write_units: int = 0
    seconds: float = 0.0
    dollars: float = 0.0

    def reject(self, row: Rejected) -> None:
        self.rows_rejected += 1
        self.reasons[row.reason] = self.reasons.get(row.reason, 0) + 1
        if len(self.rejected) < SHOWN_REJECTIONS:
            self.rejected.append(row)

    def add(self, segment: Segment, maker: ItemMaker) -> None:
        """Counts what the loader would make of a segment's rows."""
        self.messages += segment.message is not None
        for row, item in items_of(segment, maker):
            if isinstance(item, RowRejected):
                self.reject(Rejected(row.line, item.reason, item.detail))
                continue
            self.rows_loaded += 1
            self.write_units += item.units
            if len(self.first_rows) < FIRST_ROWS:
                attributes = item.attributes.items()
                values = {n: next(iter(v.values())) for n, v in attributes if n != STAMP}
                self.first_rows.append(values)

    def estimate(self, loader: Environment) -> None:
        """Sets `seconds` and `dollars` from what has been counted."""
        capacity = loader.integer("TABLE_WRITE_CAPACITY", 0, 10_000_000, default=0)
        rows_per_second = loader.parsed("ROWS_PER_SECOND", float, "a number", "4000")
        self.seconds = self.rows_loaded / rows_per_second
        writes = self.write_units * prices.DYNAMODB_WRITE_UNIT
        if capacity:
            # ROWS_PER_SECOND assumes that all items are as large as pace.item_size_kb.
            self.seconds = max(self.seconds, self.write_units / (capacity * SHARE_OF_CAPACITY))
            hours = self.seconds / 3600
            writes = capacity * hours * prices.DYNAMODB_PROVISIONED_WRITE_UNIT_HOUR
        message = LEDGER_UNITS_PER_MESSAGE * prices.DYNAMODB_WRITE_UNIT
        message += REQUESTS_PER_MESSAGE * prices.SQS_REQUEST
        self.dollars = writes + self.messages * message


def read(
    file: Path, split: Mapping[str, str], load: Mapping[str, str], progress: Callable[[int], None]
) -> DryRun:
    """Reads all of ``file`` with the environment variables of both functions."""
    found = DryRun()
    environment, loader = Environment(split), Environment(load)
    shape = shape_of(loader)
    try:
        opening = read_opening(chunks(file), wanted_dialect(environment))
        expected_columns(environment).check(opening.header)
    except FileRefused as refused:
        found.refused = Rejected(1, refused.reason, refused.detail)
        return found
    found.encoding, found.compression = opening.encoding, opening.compression
    found.dialect, found.header = asdict(opening.dialect), list(opening.header)
    found.types = _types(shape, opening)
    now = iso(datetime.now(UTC))
    maker = ItemMaker(shape, opening.header, IMPORT_ID, now, opening.dialect.unnamed)
    try:
        for segment in segments(lambda: chunks(file), file.name, opening, environment):
            for row in segment.rejected:
                found.reject(Rejected(row.line, row.reason, row.detail))
            found.add(segment, maker)
            progress(found.rows_loaded + found.rows_rejected)
    except FileDamaged as damage:
        found.damage = Rejected(0, damage.reason, damage.detail)
    found.rejected.sort(key=lambda row: row.line)
    found.estimate(loader)
    return found


def chunks(file: Path) -> Iterator[bytes]:
    """Yields the file in pieces of the size from which `read_opening` tells its format."""
    with file.open("rb") as stream:
        while chunk := stream.read(SAMPLE_BYTES):
            yield chunk


def segments(
    chunks: Callable[[], Iterator[bytes]], name: str, opening: Opening, environment: Environment
) -> Iterator[Segment]:
    """Yields the rows of a file as the splitter sends them. Raises FileDamaged."""

    def rows(offset: int) -> Iterator[bytes]:
        for chunk in content_of(chunks(), opening.compression, opening.encoding):
            if offset < len(chunk):
                yield chunk[offset:]
            offset = max(0, offset - len(chunk))

    start = Progress(next_offset=opening.offset, next_line=opening.line)
    reader = RowReader(rows(opening.offset), opening.offset, opening.line, opening.dialect)
    envelope = Envelope(IMPORT_ID, "-", name, VERSION_ID, opening.header, opening.dialect.unnamed)
    size = environment.integer("ROWS_PER_MESSAGE", 1, 10_000, default=400)
    return cut_segments(reader.stretches(), envelope, size, start, LARGE_ROWS_PREFIX)


def items_of(segment: Segment, maker: ItemMaker) -> Iterator[tuple[Row, Item | RowRejected]]:
    """Yields each row with the item that the loader makes of it, or with its rejection."""
    if segment.message is None:
        return
    stored = dict([segment.message.stored] if segment.message.stored else [])
    for row in RowMessage.decode(segment.message.body, stored.__getitem__).rows:
        try:
            yield row, maker.make(row.number, row.cells)
        except RowRejected as error:
            yield row, error


def _types(shape: Shape, opening: Opening) -> dict[str, str]:
    declared = shape.columns or {}
    kept = {*declared, *(shape.defaults or {}), *shape.key_columns, shape.hash_key}
    return {
        name: str(declared.get(name, "string"))
        if shape.keep_unknown_columns or name in kept
        else "dropped"
        for name in opening.header
    }


def summary(found: DryRun) -> Iterator[tuple[str, str]]:
    """Yields names and values of the result, except rows."""
    if found.refused:
        yield "refused", f"{found.refused.reason}: {found.refused.detail}"
        return
    yield "encoding", f"{found.encoding}, compression {found.compression}"
    yield "dialect", ", ".join(f"{name} {value!r}" for name, value in found.dialect.items())
    yield "columns", ", ".join(f"{name} ({kind})" for name, kind in found.types.items())
    yield "rows to load", f"{found.rows_loaded:,} in {found.messages:,} messages"
    reasons = ", ".join(f"{reason} {many:,}" for reason, many in found.reasons.items())
    yield "rows rejected", f"{found.rows_rejected:,} {reasons}".strip()
    if found.damage:
        yield "damage", f"{found.damage.reason}: {found.damage.detail}"
    yield "write units", f"{found.write_units:,}"
    yield "time at the pace", f"{found.seconds:,.0f} s"
    yield "cost", f"{found.dollars:.4f} $ by the list prices of {prices.REGION}"
