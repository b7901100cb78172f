"""Where in a file the splitter is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far the splitter is, in absolute numbers.

    ``next_offset`` is in bytes of the decompressed content, always the start of a row;
    ``next_row`` and ``next_line`` are the numbers of that row (from 1) and of its line.
    ``rows_rejected`` are those that the splitter could not even send; ``reread_debt`` is how many
    bytes were read again and not yet paid for, as RecordReader counts them.
    """

    next_offset: int = 0
    next_row: int = 1
    next_line: int = 1
    messages_sent: int = 0
    rows_sent: int = 0
    rows_rejected: int = 0
    hops: int = 0
    reread_debt: int = 0
