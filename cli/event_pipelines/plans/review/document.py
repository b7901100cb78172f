"""A review as headings, bullets and diffs, and how much of it fits into a budget.

Each item comes in several versions, from the fullest to a single line. Within a budget every item
first gets its line, then as many as possible get more, in the order of the sections; what a
section must keep, it keeps at any budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from event_pipelines.plans.review.secret_texts import Form, Secrets


@dataclass(frozen=True)
class Code:
    """Text out of the plan: shown as it is, whatever it holds."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Words of ours that matter."""

    text: str


# A str is words of ours, which hold no mark-up.
Inline = tuple[str | Code | Strong, ...]
Sign = Literal["-", "+", " ", "!"]
DiffLine = tuple[Sign, str]


@dataclass(frozen=True)
class Bullet:
    """A line, lines below it, and a diff below those."""

    line: Inline
    below: tuple[Inline, ...] = ()
    diff: tuple[DiffLine, ...] = ()


@dataclass(frozen=True)
class Diff:
    """A diff that stands by itself."""

    lines: tuple[DiffLine, ...]


@dataclass(frozen=True)
class Note:
    """A sentence that must not be overlooked; `grave` when applying would be wrong."""

    line: Inline
    grave: bool = False


Block = Bullet | Diff | Note


@dataclass(frozen=True)
class Item:
    """Something to say, from its fullest version to its shortest."""

    versions: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Section:
    """`kept`: no item may be left out. `folded`: shown when asked for, where that is possible."""

    title: str
    items: tuple[Item, ...]
    folded: bool = False
    kept: bool = False
    intro: Inline = ()


@dataclass(frozen=True)
class Document:
    """`marker` finds an earlier comment about the same plan, to write over it."""

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
    """A section while it is filled: the chosen version of each item, -1 for none."""

    section: Section
    texts: list[tuple[str, ...]]
    chosen: list[int] = field(default_factory=list)

    def take(self, position: int, version: int) -> int:
        """Chooses a version; returns how much longer the page becomes."""
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
    """The page, on at most `budget` characters unless what must be kept is longer."""
    page = _fitted(document, renderer, budget)
    hidden = document.secrets.hidden(page, renderer.form)
    if budget is None or len(hidden) <= max(budget, len(page)):
        return hidden
    # What hides a secret may be longer than the secret.
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
    """Leaves out sections, the last first, until what must be kept fits; says when it cannot."""
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
    """Gives every item a line, open sections first, then as much more as there is room for. Lines
    of folded sections may take half of what the open ones leave, so that these get their detail."""
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
    """All items of a section get the next fuller version before any gets the one after it."""
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
