"""Finds how much of a damaged picture was decoded, and fills in the rest.

The picture is decoded twice, with different data in place of the missing data: pixels that are
equal in both results come from the file.
"""

from dataclasses import dataclass

from PIL import Image

STRIP_ROWS = 64


@dataclass(frozen=True)
class Break:
    """Position of the first missing pixel; ``band`` rows are coded together, block by block."""

    x: int
    y: int
    band: int

    def decoded_part(self, size: tuple[int, int]) -> float:
        """Return the share of the picture before the break, from 0 to 1."""
        width, height = size
        band = min(self.band, height - self.y)
        return (self.y * width + self.x * band) / (width * height)


def find_break(one: Image.Image, other: Image.Image, band: int) -> Break | None:
    """Return the first difference of two pictures of equal size and mode, or None."""
    for top in range(0, one.height, STRIP_ROWS):
        rows = min(STRIP_ROWS, one.height - top)
        box = (0, top, one.width, top + rows)
        ours, theirs = one.crop(box).tobytes(), other.crop(box).tobytes()
        if ours == theirs:
            continue
        first = next(index for index, byte in enumerate(ours) if byte != theirs[index])
        row, column = divmod(first, len(ours) // rows)
        return Break(column * rows * one.width // len(ours), top + row, band)
    return None


def continue_downwards(image: Image.Image, at: Break) -> None:
    """Fill everything after the break with the last complete row."""
    if at.y == 0:
        return
    row = image.crop((0, at.y - 1, image.width, at.y))
    below = min(at.y + at.band, image.height)
    for box in ((at.x, at.y, image.width, below), (0, below, image.width, image.height)):
        size = (box[2] - box[0], box[3] - box[1])
        if all(size):
            part = row.crop((box[0], 0, box[2], 1))
            image.paste(part.resize(size, Image.Resampling.NEAREST), box)
