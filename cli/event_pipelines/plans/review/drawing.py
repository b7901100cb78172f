"""Draws the event path as trees in a diff, each from an event source to its destinations."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from event_pipelines.plans.review.differences import shortened, shortened_pair
from event_pipelines.plans.review.document import DiffLine, Sign
from event_pipelines.plans.review.event_path import OUTSIDE, Edge, EventPath, Node, Step

WIDEST_FILTER = 240


@dataclass
class Tree:
    """A connected component of the event path, drawn from `root` first."""

    root: Node
    steps: list[Step]
    cut: int = 0

    @property
    def changed(self) -> int:
        return sum(step.sign != " " for step in self.steps)


@dataclass
class _Drawing:
    """State while drawing a tree. `context`: also draws unchanged edges that lead to no change."""

    children: dict[Node, list[Step]]
    arrivals: dict[Node, set[str]]
    cut: frozenset[Edge]
    context: bool
    changing: frozenset[Node]
    words: dict[Step, str]
    drawn: set[Node] = field(default_factory=set)

    def below(self, node: Node, indent: str) -> Iterator[DiffLine]:
        self.drawn.add(node)
        steps = self.children.get(node, [])
        shown = [step for step in steps if self._matters(step)]
        hidden = len(steps) - len(shown)
        for position, step in enumerate(shown):
            last = position == len(shown) - 1 and not hidden
            yield from self._step(step, indent, last)
        if hidden:
            yield " ", f"{indent}└─ and {hidden} that stay{'s' if hidden == 1 else ''}"

    def _step(self, step: Step, indent: str, last: bool) -> Iterator[DiffLine]:
        target = step.edge.target
        how = f"{self.words[step]} " if self.words[step] else ""
        cut = "  (cut while it is replaced)" if step.edge in self.cut else ""
        sign: Sign = "-" if step.sign == "-" else "+" if step.sign == "+" else "!" if cut else " "
        yield sign, f"{indent}{'└─' if last else '├─'} {how}→ {target}{cut}"
        # A target that another edge still reaches is drawn below that edge.
        elsewhere = step.sign == "-" and self.arrivals[target] - {"-"}
        if target not in self.drawn and not elsewhere:
            yield from self.below(target, indent + ("   " if last else "│  "))

    def _matters(self, step: Step) -> bool:
        return (
            self.context
            or step.sign != " "
            or step.edge in self.cut
            or step.edge.target in self.changing
        )


def trees(path: EventPath) -> list[Tree]:
    """Returns the components with edges that change or are cut, sorted by the name of the root."""
    touched = [step.edge for step in path.changed] + list(path.interrupted)
    groups = _connected(step.edge for step in path.steps)
    wanted = {groups[edge.source] for edge in touched}
    by_group: dict[Node, list[Step]] = {}
    for step in path.steps:
        group = groups[step.edge.source]
        if group in wanted:
            by_group.setdefault(group, []).append(step)
    cut = Counter(groups[edge.source] for edge in path.interrupted)
    found = [Tree(_roots(steps)[0], steps, cut[group]) for group, steps in by_group.items()]
    return sorted(found, key=lambda tree: str(tree.root))


def draw(tree: Tree, path: EventPath, *, context: bool) -> tuple[DiffLine, ...]:
    """Returns a tree as lines of a diff."""
    cut = frozenset(path.interrupted)
    children: dict[Node, list[Step]] = {}
    arrivals: dict[Node, set[str]] = {}
    for step in sorted(tree.steps, key=_order):
        children.setdefault(step.edge.source, []).append(step)
        arrivals.setdefault(step.edge.target, set()).add(step.sign)
    drawing = _Drawing(
        children, arrivals, cut, context, _changing(tree.steps, cut), _words(tree.steps)
    )
    lines: list[DiffLine] = []
    # Cycles that no root leads to come after the roots.
    for root in [*_roots(tree.steps), *children]:
        if root not in drawing.drawn and (context or root in drawing.changing):
            lines += [(" ", str(root)), *drawing.below(root, "")]
    return tuple(lines)


def _order(step: Step) -> tuple[str, str, str, str]:
    # In ASCII, "-" sorts after "+", but readers expect the old before the new.
    sign = {"-": "0", "+": "1"}.get(step.sign, "2")
    return (str(step.edge.source), str(step.edge.target), sign, step.edge.how)


def _roots(steps: Sequence[Step]) -> list[Node]:
    targets = {step.edge.target for step in steps}
    sources = {step.edge.source for step in steps}
    return sorted(sources - targets, key=str) or sorted(sources, key=str)[:1]


def _connected(edges: Iterable[Edge]) -> dict[Node, Node]:
    """Maps each node to the representative of its connected component (union-find)."""
    leader: dict[Node, Node] = {}

    def find(node: Node) -> Node:
        leader.setdefault(node, node)
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for edge in edges:
        source = find(edge.source)
        if edge.target.kind not in OUTSIDE:
            leader[source] = find(edge.target)
    return {node: find(node) for node in list(leader)}


def _changing(steps: Sequence[Step], cut: frozenset[Edge]) -> frozenset[Node]:
    """Returns the nodes from which a change can be reached."""
    arriving: dict[Node, list[Node]] = {}
    for step in steps:
        arriving.setdefault(step.edge.target, []).append(step.edge.source)
    waiting = [step.edge.source for step in steps if step.sign != " " or step.edge in cut]
    found: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += arriving.get(node, [])
    return frozenset(found)


def _words(steps: Sequence[Step]) -> dict[Step, str]:
    """Returns the filters, cut so that those that change still differ."""
    words = {step: shortened(step.edge.how, WIDEST_FILTER) for step in steps}
    pairs: dict[tuple[Node, Node], dict[str, Step]] = {}
    for step in steps:
        if step.sign != " ":
            pairs.setdefault((step.edge.source, step.edge.target), {})[step.sign] = step
    for pair in pairs.values():
        if len(pair) == 2:
            old, new = pair["-"], pair["+"]
            words[old], words[new] = shortened_pair(old.edge.how, new.edge.how, WIDEST_FILTER)
    return words
