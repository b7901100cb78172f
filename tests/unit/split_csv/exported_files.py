"""Imports a file with both functions' settings, as far as the items that the table would get."""

import json
from dataclasses import dataclass, field
from typing import Any

from load_csv_rows.settings import Settings as LoadSettings
from shared.configuration import Environment
from shared.csv_files.items import ItemMaker, RowRejected
from shared.csv_files.row_messages import RowMessage
from split_csv.settings import Settings as SplitSettings

STARTED = "2026-03-01T09:30:00Z"
REQUIRED = {
    "ROWS_QUEUE_URL": "https://sqs.example/123456789012/rows",
    "IMPORTS_QUEUE_URL": "https://sqs.example/123456789012/imports",
    "LEDGER_TABLE": "example-ledger",
    "TABLE_NAME": "example-items",
    "IMPORT_PREFIX": "import/",
    "REJECTIONS_PREFIX": "rejections/",
    "REJECTIONS_BUCKET": "example-imports",
}


@dataclass
class Imported:
    """What became of a file. Items are by key, without what every item has beside its columns."""

    reason: str | None = None
    detail: str = ""
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(self.items.values())


def import_file(
    world: Any, content: bytes, remaining_ms: int = 900_000, /, **variables: str
) -> Imported:
    """Split ``content`` and make items of its rows; ``variables`` are environment variables."""
    environment = Environment({**REQUIRED, **variables})
    settings = vars(SplitSettings.from_environment(environment))
    splitter = world.splitter(**{**settings, "rows_per_message": 400})
    body = world.upload(content)
    world.deliver_until_done(body, splitter, lambda: remaining_ms)
    done = Imported()
    for refusal in world.refusals():
        done.reason, done.detail = refusal["reason"], refusal["detail"]
    for row in world.rejected():
        done.rejected.append((row["line"], row["reason"]))
        done.details.append(row["detail"])
    shape = LoadSettings.from_environment(environment).shape
    for text in dict.fromkeys(world.rows):
        message = RowMessage.decode(text, world.stored.__getitem__)
        maker = ItemMaker(shape, message.header, message.import_id, STARTED, message.unnamed)
        for row in message.rows:
            try:
                item = maker.make(row.number, row.cells)
            except RowRejected as error:
                done.rejected.append((row.line, error.reason))
                done.details.append(error.detail)
                continue
            done.items[item.key] = {
                one: next(iter(value.values()))
                for one, value in item.attributes.items()
                if one in message.header
            }
    done.rejected.sort()
    return done


def header_of(world: Any) -> list[str]:
    """Of the messages that were sent."""
    return list(json.loads(world.rows[0])["header"])
