"""The CSV import: ids of imports, their control items in the ledger, and limits of the loader."""

import hashlib
from enum import StrEnum

# The range key of an import's control item; the ledger's other items are of single messages.
CONTROL_PART = "IMPORT"
# Attribute of every loaded item: start of the import, its id and the row's number, separated by #.
STAMP = "import_stamp"
# Member of the message by which the splitter continues an import: the import's id.
CONTINUE = "continue"
# Share of the table's write capacity for all loaders together; other users keep the rest.
SHARE_OF_CAPACITY = 0.8


class ImportStatus(StrEnum):
    """Status of an import; COMPLETE and FAILED are final."""

    SPLITTING = "SPLITTING"
    LOADING = "LOADING"  # everything is sent
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


class WriteMode(StrEnum):
    """Handling of an item that exists already.

    OVERWRITE: the row that is written last replaces the item.
    INSERT_ONLY: the item stays, and the row is rejected.
    LAST_ROW_WINS: later rows replace the item, ordered by import and then by row, whatever the
    order of the writes. An item that no import wrote is older than every row.
    """

    OVERWRITE = "overwrite"
    INSERT_ONLY = "insert_only"
    LAST_ROW_WINS = "last_row_wins"


def import_id(bucket: str, key: str, version_id: str | None, etag: str | None) -> str:
    """Return an id that is equal for all events of one version of an object.

    Without versioning, the etag identifies the version. Raises ValueError without either.
    """
    # S3 calls every version "null" that is written while versioning is off or suspended.
    version = (etag or "").strip('"') if version_id in (None, "null") else version_id
    if not version:
        raise ValueError(f"{key} in {bucket} has neither a version nor an etag")
    return hashlib.sha256(f"{bucket}\n{key}\n{version}".encode()).hexdigest()[:16]


def rejected_rows_prefix(rejections_prefix: str, import_id: str) -> str:
    """Return the prefix of an import's rejected rows: objects of JSON lines that end in .jsonl."""
    return f"{rejections_prefix}{import_id}/"
