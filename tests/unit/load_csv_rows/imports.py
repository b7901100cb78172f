"""Imports as the splitter leaves them to the loader: an entry in the ledger, and messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.csv_files.progress import Progress
from shared.csv_files.row_messages import Row, RowMessage
from shared.import_ledger import ImportLedger, ImportSource, ImportState

STARTED = datetime(2026, 3, 1, 9, 30, 0, 123_000, tzinfo=UTC)
CREATED = "2026-03-01T09:30:00.123000Z"


@dataclass
class Import:
    """One import of ``rows`` under ``header``. Row 1 is on line 2, as in a file."""

    ledger: ImportLedger
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    key: str = "import/people.csv"
    started: datetime = STARTED
    rejected_by_splitter: int = 0

    @property
    def source(self) -> ImportSource:
        return ImportSource(
            bucket="example-imports",
            key=self.key,
            version_id="v1",
            etag="b21b84d653bb07b05b1e6b33684dc11b",
            size=1000,
            header=tuple(self.header),
            compression="none",
            rows_per_message=400,
        )

    @property
    def id(self) -> str:
        return self.source.import_id

    def begin(self) -> ImportState:
        ledger = replace(self.ledger, now=lambda: self.started)
        return ledger.begin(self.source, Progress())

    def sent(self, messages: int) -> ImportState:
        """The splitter has sent everything."""
        progress = Progress(
            next_offset=1000,
            messages_sent=messages,
            rows_sent=len(self.rows),
            rows_rejected=self.rejected_by_splitter,
        )
        return self.ledger.finish_splitting(self.begin(), progress, "splitter")

    def messages(self, rows_per_message: int = 400) -> list[RowMessage]:
        numbered = [Row(n, n + 1, list(cells)) for n, cells in enumerate(self.rows, 1)]
        return [
            self.message(numbered[start : start + rows_per_message])
            for start in range(0, len(numbered), rows_per_message)
        ]

    def message(self, rows: Iterable[Row]) -> RowMessage:
        return RowMessage(
            self.id, "example-imports", self.key, "v1", tuple(self.header), tuple(rows)
        )

    def state(self) -> ImportState:
        state = self.ledger.get(self.id)
        assert state is not None
        return state
