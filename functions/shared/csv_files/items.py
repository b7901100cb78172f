"""Converts rows to items: the same row always gives the same item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ..contracts.imports import STAMP
from ..invalid_input import InvalidInput
from .cells import (
    READERS,
    SPACES,
    Attribute,
    ColumnType,
    UnreadableCell,
    attribute_size,
    iso_utc,
    read_number,
    text_size,
)
from .shape import Empty, Shape

# DynamoDB's limits of an item and of a hash key, in bytes.
MAX_ITEM_BYTES = 400 * 1024
MAX_KEY_BYTES = 2048
BYTES_PER_UNIT = 1024

STAMPED_WITH_THE_START = ("created_at", "updated_at")
KEY_SEPARATOR = "#"
BYTE_ORDER_MARK = "\ufeff"
# Attribute with the second (Unix time) after which DynamoDB deletes an item.
EXPIRES_AT = "expires_at"


_NO_TEXT: Attribute = {"S": ""}


class RowRejected(InvalidInput):
    """The row can never become an item."""


class Item(NamedTuple):
    """An item to write, and the stamp of its row.

    ``key`` is the text of its hash key. ``stamp`` orders all rows of all imports: by the start of
    the import, then by row. ``size`` is in bytes, as DynamoDB counts.
    """

    key: str
    stamp: str
    attributes: Mapping[str, Attribute]
    size: int

    @property
    def units(self) -> int:
        """Write units that putting the item consumes, unless it replaces a larger one."""
        return -(-self.size // BYTES_PER_UNIT)


@dataclass(frozen=True, slots=True)
class _Column:
    position: int
    name: str
    type: ColumnType
    has_default: bool
    text: bool
    empty: Empty
    decimal: str

    def value(self, text: str) -> "Attribute | None":
        """Convert a cell; None if an empty cell gives no attribute. Raises RowRejected."""
        if self.text and (text or (self.empty is Empty.TEXT and not self.has_default)):
            return {"S": text}
        if not text.strip(SPACES):
            return {"NULL": True} if self.empty is Empty.NULL and not self.has_default else None
        try:
            if self.type is ColumnType.NUMBER:
                return read_number(text, self.decimal)
            return READERS[self.type](text)
        except UnreadableCell as error:
            raise RowRejected(error.reason, f"{self.name}: {error.detail}") from None


class ItemMaker:
    """Converter of the rows of one import to items.

    ``started_at`` is when the import began, and the value of ``created_at`` and ``updated_at`` if
    the file has no such columns: the time of writing would give every delivery of a message another
    item, while the ledger has one start for all of them.
    """

    def __init__(
        self, shape: Shape, header: Sequence[str], import_id: str, started_at: str, unnamed: int = 0
    ) -> None:
        self._shape = shape
        self._import_id = import_id
        self._header = tuple(header)
        self._unnamed = unnamed
        self._started_at = iso_utc(started_at)
        self._name_sizes: dict[str, int] = {}
        self._key_columns = self._usual_key_columns()
        self._trouble = self._trouble_with_header()
        self._columns = self._known_columns()
        self._constants = self._constant_attributes()

    def make(self, number: int, cells: Sequence[str]) -> Item:
        """Make the item of row ``number``. Raises RowRejected."""
        if self._trouble:
            raise RowRejected(*self._trouble)
        cells = self._fitted(cells)
        self._check_cells(cells)
        attributes: dict[str, Attribute] = dict(self._constants)
        for column in self._columns:
            value = column.value(cells[column.position])
            if value is not None:
                attributes[column.name] = value
        key = self._key(number, attributes)
        stamp = f"{self._started_at}{KEY_SEPARATOR}{self._import_id}{KEY_SEPARATOR}{number:012d}"
        attributes[self._shape.hash_key] = key
        # Replaces an old stamp, if the file was made from items of an earlier import.
        attributes[STAMP] = {"S": stamp}
        size = self._size(attributes)
        if size > MAX_ITEM_BYTES:
            raise RowRejected(
                "item_too_large", f"the item has {size} bytes, more than {MAX_ITEM_BYTES}"
            )
        return Item(key.get("S") or _text_of(key), stamp, attributes, size)

    def _size(self, attributes: Mapping[str, Attribute]) -> int:
        """Return the bytes that DynamoDB counts; sizes of names are computed once for all rows."""
        size, names = 0, self._name_sizes
        for name, value in attributes.items():
            try:
                size += names[name]
            except KeyError:
                size += names.setdefault(name, text_size(name))
            text = value.get("S")
            if text is None:
                size += attribute_size(value)
            else:
                size += len(text) if text.isascii() else len(text.encode())
        return size

    def _usual_key_columns(self) -> tuple[str, ...]:
        """Return the columns of the key; by default the one with the name of the table's key."""
        shape = self._shape
        if not shape.key_columns and shape.hash_key in self._header:
            return (shape.hash_key,)
        return shape.key_columns

    def _trouble_with_header(self) -> tuple[str, str] | None:
        """Return the reason and detail of a problem of the header, which rejects every row."""
        names = set(self._header)
        if len(names) < len(self._header):
            return "duplicate_column", "the header has two columns of the same name"
        if "" in names:
            return "unnamed_column", "the header has a column without a name"
        missing = [name for name in self._key_columns if name not in names]
        if missing:
            detail = f"the header has no column {missing[0]}, which is part of the key"
            return "key_column_missing", detail
        hash_key = self._shape.hash_key
        if hash_key in names and self._key_columns != (hash_key,):
            detail = f"the column {hash_key} has the name of the key, which is made of others"
            return "key_column_replaced", detail
        return None

    def _known_columns(self) -> list["_Column"]:
        types = self._shape.columns or {}
        defaults = self._shape.defaults or {}
        kept = (
            (position, name)
            for position, name in enumerate(self._header)
            if self._shape.keep_unknown_columns
            or name in types
            or name in defaults
            or name in self._key_columns
        )
        return [
            _Column(
                position,
                name,
                kind,
                name in defaults,
                kind is ColumnType.STRING,
                # An empty cell of the key stays text, for which the row is rejected.
                Empty.TEXT if name in self._key_columns else self._shape.empty,
                self._shape.decimal,
            )
            for position, name in kept
            for kind in [types.get(name, ColumnType.STRING)]
        ]

    def _constant_attributes(self) -> dict[str, Attribute]:
        named = {*(column.name for column in self._columns), *(self._shape.columns or {})}
        start: Attribute = {"S": self._started_at}
        stamps = {name: start for name in STAMPED_WITH_THE_START if name not in named}
        return {**stamps, **(self._shape.defaults or {}), **self._expiry()}

    def _expiry(self) -> dict[str, Attribute]:
        days = self._shape.expires_after_days
        if not days:
            return {}
        end = datetime.fromisoformat(self._started_at) + timedelta(days=days)
        return {EXPIRES_AT: {"N": str(int(end.timestamp()))}}

    def _fitted(self, cells: Sequence[str]) -> Sequence[str]:
        """Return the cells, shortened or filled to the header's width if the settings allow it."""
        names = len(self._header)
        if cells and cells[0].startswith(BYTE_ORDER_MARK):
            # Concatenated files have one byte order mark each.
            cells = [cells[0].lstrip(BYTE_ORDER_MARK), *cells[1:]]
        if names < len(cells) <= names + self._unnamed and not "".join(cells[names:]).strip():
            cells = cells[:names]
        if self._shape.fill_short_rows and len(cells) < names:
            cells = [*cells, *[""] * (names - len(cells))]
        return [cell.strip(SPACES) for cell in cells] if self._shape.trim else cells

    def _check_cells(self, cells: Sequence[str]) -> None:
        if len(cells) != len(self._header):
            longer = len(cells) > len(self._header)
            raise RowRejected(
                "long_row" if longer else "short_row",
                f"the row has {len(cells)} cells, the header {len(self._header)}",
            )
        if len(cells) > 1 and tuple(cells) == self._header:
            raise RowRejected("header_repeated", "the row repeats the header")
        together = "".join(cells)
        if together.isascii() and "\0" not in together:
            return
        for name, text in zip(self._header, cells, strict=True):
            if "\0" in text:
                raise RowRejected("nul_character", f"{name} has a NUL character")
            try:
                text.isascii() or text.encode()
            except UnicodeEncodeError:
                raise RowRejected("not_unicode", f"{name} has an unpaired surrogate") from None

    def _key(self, number: int, attributes: Mapping[str, Attribute]) -> Attribute:
        if not self._key_columns:
            return {"S": f"{self._import_id}{KEY_SEPARATOR}{number:012d}"}
        values = [attributes.get(name, _NO_TEXT) for name in self._key_columns]
        texts = [value.get("S") or _text_of(value) for value in values]
        for name, text in zip(self._key_columns, texts, strict=True):
            if not text.strip(SPACES):
                raise RowRejected("empty_key", f"{name} is empty and part of the key")
        if self._key_columns == (self._shape.hash_key,) and "N" in values[0]:
            return values[0]
        key = texts[0] if len(texts) == 1 else KEY_SEPARATOR.join(map(_escaped, texts))
        size = text_size(key)
        if size > MAX_KEY_BYTES:
            raise RowRejected(
                "key_too_long", f"the key has {size} bytes, more than {MAX_KEY_BYTES}"
            )
        return {"S": key}


def _text_of(attribute: Attribute) -> str:
    for kind in ("S", "N"):
        if kind in attribute:
            return str(attribute[kind])
    return "true" if attribute["BOOL"] else "false"


def _escaped(part: str) -> str:
    """Escape the separator: a#b with c differs from a with b#c, and plain parts stay readable."""
    return part.replace("%", "%25").replace(KEY_SEPARATOR, "%23")
