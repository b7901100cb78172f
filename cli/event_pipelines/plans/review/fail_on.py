"""The rules of --fail-on: `action` or `action:glob`, where the glob matches types or addresses."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from event_pipelines.errors import UserError
from event_pipelines.plans.review.event_path import EventPath
from event_pipelines.plans.review.plan import Change
from event_pipelines.plans.review.review import Review, Update

SHOWN = 3
Found = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Rule:
    """One rule of --fail-on. An empty `pattern` matches everything."""

    action: str
    pattern: str

    def matches(self, kind: str, address: str) -> bool:
        """Whether the glob matches. Only * and ? are special, as addresses have brackets."""
        if not self.pattern:
            return True
        glob = self.pattern.replace("[", "[[]")
        return any(fnmatchcase(text, glob) for text in (kind, address))


def rules(texts: Iterable[str]) -> list[Rule]:
    """Parses the arguments. Raises UserError for an unknown action."""
    found = []
    for text in texts:
        for entry in _entries(text):
            action, _, pattern = entry.strip().partition(":")
            if action not in _MATCHES:
                raise UserError(
                    f"--fail-on knows no action {action!r}: use one of {', '.join(_MATCHES)},"
                    " each alone or as action:glob, such as destroy:aws_sqs_queue."
                )
            found.append(Rule(action, pattern))
    return found


def _entries(text: str) -> list[str]:
    """Splits at commas, except those in the brackets of an address."""
    entries, end, within = [], len(text), False
    for at in reversed(range(len(text))):
        if text[at] in "[]":
            within = text[at] == "]"
        elif text[at] == "," and not within:
            entries.append(text[at + 1 : end])
            end = at
    return [text[:end], *reversed(entries)]


def failures(review: Review, wanted: Sequence[Rule]) -> tuple[str, ...]:
    """Returns a line for each rule that matches, with the addresses it matched."""
    lines = []
    for rule in wanted:
        matched = list(
            dict.fromkeys(
                address
                for kind, address in _MATCHES[rule.action](review)
                if rule.matches(kind, address)
            )
        )
        if matched:
            more = f" and {len(matched) - SHOWN:,} more" if len(matched) > SHOWN else ""
            name = f"{rule.action}:{rule.pattern}" if rule.pattern else rule.action
            lines.append(f"{name}: {', '.join(matched[:SHOWN])}{more}")
    return tuple(lines)


def _changes(changes: Iterable[Change]) -> Found:
    return ((change.type, change.label) for change in changes)


def _destroys(*actions: str) -> Callable[[Review], Found]:
    return lambda review: _changes(
        destroy.change for destroy in review.destroys if destroy.change.action in actions
    )


def _updates(updates: Iterable[Update]) -> Found:
    return _changes(change for update in updates for change in update.changes)


def _flagged(word: str) -> Callable[[Review], Found]:
    def matches(review: Review) -> Found:
        return (
            (policy.type, policy.label)
            for policy in review.permissions
            if any(flag.startswith(word) for flag, _ in policy.flags)
        )

    return matches


def _cut(path: EventPath) -> Found:
    lost = [step.edge for step in path.steps if step.sign == "-"]
    for edge in (*lost, *path.interrupted):
        yield edge.source.kind, f"{edge.source} → {edge.target}"


_MATCHES: Mapping[str, Callable[[Review], Found]] = {
    # Includes replacements, because they lose the resource's messages as well.
    "destroy": _destroys("delete", "replace"),
    "delete": _destroys("delete"),
    "replace": _destroys("replace"),
    "update": lambda review: _updates(review.updates),
    "create": lambda review: _changes(review.creates),
    "forget": lambda review: _changes(review.forgotten),
    "move": lambda review: _changes(review.moved),
    "import": lambda review: _changes(review.imported),
    "deferred": lambda review: _changes(
        change for change in review.plan.changes if change.deferred
    ),
    "drift": lambda review: _updates(review.drift),
    "public": _flagged("public"),
    "wildcard": _flagged("wildcard"),
    "disconnect": lambda review: _cut(review.path),
    "check": lambda review: (("check", check.address) for check in review.plan.checks),
}
