"""The record of a rejected row."""

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RejectedRow:
    """A row that is not processed. ``reason`` is a code to filter by, ``detail`` a sentence.

    ``raw`` is the list of the row's cells or, if they could not be read, its text.
    """

    row: int
    line: int
    reason: str
    detail: str
    raw: Sequence[str]

    def encode(self) -> str:
        """Return the row as JSON in ASCII, on one line that ends with a line feed."""
        return json.dumps(vars(self)) + "\n"
