"""Finds how much of a damaged picture was decoded, and fills in the rest.

The picture is decoded twice, with different data in place of what is missing: where both results
are equal, they come from the file.
"""

from dataclasses import dataclass

from PIL import Image

STRIP_ROWS = 64


@dataclass(frozen=True)
class Break:
    """The first pixel that is missing; ``band`` rows are coded together, block by block."""

    x: int
    y: int
    band: int

    def decoded_part(self, size: tuple[int, int]) -> float:
        """How much of the picture lies before it, from 0 to 1."""
        width, height = size
        band = min(self.band, height - self.y)
        return (self.y * width + self.x * band) / (width * height)


def find_break(one: Image.Image, other: Image.Image, band: int) -> Break | None:
    """Compare two pictures of one size and mode; None where they are the same."""
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
    """Repeat the last whole row over everything behind the break."""
    if at.y == 0:
        return
    row = image.crop((0, at.y - 1, image.width, at.y))
    below = min(at.y + at.band, image.height)
    for box in ((at.x, at.y, image.width, below), (0, below, image.width, image.height)):
        size = (box[2] - box[0], box[3] - box[1])
        if all(size):
            part = row.crop((box[0], 0, box[2], 1))
            image.paste(part.resize(size, Image.Resampling.NEAREST), box)
