"""A review as headings, bullets and diffs, fitted into a budget of characters.

Each item has several versions, from the fullest to a single line. Within a budget, every item first
gets its line, then as many as possible get a fuller version, in the order of the sections; items of
`kept` sections are shown at any budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from event_pipelines.plans.review.secret_texts import Form, Secrets


@dataclass(frozen=True)
class Code:
    """Text from the plan, shown literally whatever it contains."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Emphasized text of this program."""

    text: str


# A str is text of this program, without mark-up.
Inline = tuple[str | Code | Strong, ...]
Sign = Literal["-", "+", " ", "!"]
DiffLine = tuple[Sign, str]


@dataclass(frozen=True)
class Bullet:
    """A line, with further lines and a diff below it."""

    line: Inline
    below: tuple[Inline, ...] = ()
    diff: tuple[DiffLine, ...] = ()


@dataclass(frozen=True)
class Diff:
    """A diff without a line above it."""

    lines: tuple[DiffLine, ...]


@dataclass(frozen=True)
class Note:
    """An important sentence; `grave` if the plan must not be applied."""

    line: Inline
    grave: bool = False


Block = Bullet | Diff | Note


@dataclass(frozen=True)
class Item:
    """A statement of the review, in versions from the fullest to the shortest."""

    versions: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Section:
    """A section. `kept`: no item may be left out. `folded`: collapsed, if the format can."""

    title: str
    items: tuple[Item, ...]
    folded: bool = False
    kept: bool = False
    intro: Inline = ()


@dataclass(frozen=True)
class Document:
    """A review in words. `marker` identifies an earlier comment on the same plan, to replace it."""

    marker: str
    title: str
    headline: Inline
    facts: tuple[Inline, ...]
    notes: tuple[Note, ...]
    sections: tuple[Section, ...]
    footer: Inline
    secrets: Secrets = field(default_factory=Secrets, repr=False)


class Renderer(Protocol):
    """An output format. Parts end with a line break; a page is no longer than its parts."""

    form: Form

    def block(self, block: Block) -> str: ...

    def section(self, section: Section, items: Sequence[str], left_out: int) -> str: ...

    def page(self, document: Document, notes: Sequence[Note], sections: Sequence[str]) -> str: ...


@dataclass
class _Filling:
    """A section being filled, with the chosen version of each item, -1 for none."""

    section: Section
    texts: list[tuple[str, ...]]
    chosen: list[int] = field(default_factory=list)

    def take(self, position: int, version: int) -> int:
        """Chooses an item's version; returns by how many characters the page grows."""
        before = self.chosen[position]
        self.chosen[position] = version
        grown = len(self.texts[position][version])
        return grown - (len(self.texts[position][before]) if before >= 0 else 0)

    def fits(self, position: int, version: int, room: int) -> bool:
        before = self.chosen[position]
        length = len(self.texts[position][before]) if before >= 0 else 0
        return len(self.texts[position][version]) - length <= room

    def rendered(self, renderer: Renderer) -> str:
        shown = [
            texts[version]
            for texts, version in zip(self.texts, self.chosen, strict=True)
            if version >= 0
        ]
        return renderer.section(self.section, shown, self.chosen.count(-1))


def rendered(document: Document, renderer: Renderer, budget: int | None) -> str:
    """Returns the page in at most `budget` characters, unless the kept sections are longer."""
    page = _fitted(document, renderer, budget)
    hidden = document.secrets.hidden(page, renderer.form)
    if budget is None or len(hidden) <= max(budget, len(page)):
        return hidden
    # The placeholder for a secret may be longer than the secret.
    page = _fitted(document, renderer, max(1, 2 * budget - len(hidden)))
    return document.secrets.hidden(page, renderer.form)


def _fitted(document: Document, renderer: Renderer, budget: int | None) -> str:
    fillings = [_filling(section, renderer) for section in document.sections]
    for filling in fillings:
        filling.chosen = [0] * len(filling.texts)
    whole = _page(document, renderer, (), fillings)
    if budget is None or len(whole) <= budget:
        return whole
    for filling in fillings:
        kept = filling.section.kept
        filling.chosen = [len(texts) - 1 if kept else -1 for texts in filling.texts]
    fillings, notes = _reduced(document, renderer, fillings, budget)
    room = budget - len(_page(document, renderer, notes, fillings))
    _spread(fillings, room)
    return _page(document, renderer, notes, fillings)


def _filling(section: Section, renderer: Renderer) -> _Filling:
    texts = [
        tuple("".join(map(renderer.block, version)) for version in item.versions)
        for item in section.items
    ]
    return _Filling(section, texts, [-1] * len(texts))


def _page(
    document: Document, renderer: Renderer, notes: Sequence[Note], fillings: Sequence[_Filling]
) -> str:
    sections = [filling.rendered(renderer) for filling in fillings]
    return renderer.page(document, notes, sections)


def _reduced(
    document: Document, renderer: Renderer, fillings: list[_Filling], budget: int
) -> tuple[list[_Filling], tuple[Note, ...]]:
    """Drops sections, the last first, until the kept ones fit; adds a note if they do not."""
    notes: tuple[Note, ...] = ()
    left = list(fillings)
    while len(_page(document, renderer, notes, left)) > budget:
        droppable = [filling for filling in left if not filling.section.kept]
        if not droppable:
            too_long = f"Longer than the {budget:,} characters asked for: every resource that is"
            too_long += " destroyed is listed nonetheless."
            return left, (*notes, Note((too_long,)))
        left.remove(droppable[-1])
        names = ", ".join(f.section.title for f in fillings if f not in left)
        notes = (Note((f"Left out for lack of room: {names}.",)),)
    return left, notes


def _spread(fillings: Sequence[_Filling], room: int) -> None:
    """Gives every item a line, open sections first, then fuller versions as long as there is room.
    Lines of folded sections may use half of the remaining room, which leaves some for details."""
    opened = [filling for filling in fillings if not filling.section.folded]
    folded = [filling for filling in fillings if filling.section.folded]
    room = _lines(opened, room)
    half = room // 2
    room = room - half + _lines(folded, half)
    room = _details(opened, room)
    room = _lines(folded, room)
    _details(folded, room)


def _lines(fillings: Sequence[_Filling], room: int) -> int:
    for filling in fillings:
        for position, texts in enumerate(filling.texts):
            last = len(texts) - 1
            if filling.chosen[position] < 0 and filling.fits(position, last, room):
                room -= filling.take(position, last)
    return room


def _details(fillings: Sequence[_Filling], room: int) -> int:
    """Gives each item of a section the next fuller version before any item the one after it."""
    for filling in fillings:
        most = max(map(len, filling.texts), default=0)
        for step in range(2, most + 1):
            for position, texts in enumerate(filling.texts):
                version = len(texts) - step
                if 0 <= version < filling.chosen[position] and filling.fits(
                    position, version, room
                ):
                    room -= filling.take(position, version)
    return room
