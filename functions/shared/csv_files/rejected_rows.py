"""A row that is not processed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RejectedRow:
    """``reason`` is a code to filter by, ``detail`` a sentence.

    ``raw`` is the list of its cells or, where it could not be read as cells, its text.
    """

    row: int
    line: int
    reason: str
    detail: str
    raw: Sequence[str]

    def encode(self) -> str:
        """JSON in ASCII, on one line with its end."""
        return json.dumps(vars(self)) + "\n"
