"""The position of the splitter in a file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The progress of the splitter, in absolute numbers.

    ``next_offset`` is in bytes of the decompressed content, always the start of a row;
    ``next_row`` and ``next_line`` are the numbers of that row (from 1) and of its line.
    ``rows_rejected`` counts those that the splitter rejected; ``reread_debt`` is the number of
    bytes read again that new bytes have not yet offset, as RecordReader counts them.
    """

    next_offset: int = 0
    next_row: int = 1
    next_line: int = 1
    messages_sent: int = 0
    rows_sent: int = 0
    rows_rejected: int = 0
    hops: int = 0
    reread_debt: int = 0
