"""Writes a review as a document: the text of each section and its shorter versions."""

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from typing import Any

from event_pipelines.console import printable
from event_pipelines.plans.review.derivatives import remade_prefixes
from event_pipelines.plans.review.differences import (
    Difference,
    differences,
    shortened,
    shortened_pair,
)
from event_pipelines.plans.review.document import (
    Block,
    Bullet,
    Code,
    Diff,
    DiffLine,
    Document,
    Inline,
    Item,
    Note,
    Section,
    Strong,
)
from event_pipelines.plans.review.drawing import draw, trees
from event_pipelines.plans.review.plan import Change, Output
from event_pipelines.plans.review.plan_values import (
    ABSENT,
    KNOWN_AFTER_APPLY,
    SENSITIVE,
    Unknown,
    pruned,
    shown,
    spoken,
)
from event_pipelines.plans.review.policies import PolicyChange, Statement
from event_pipelines.plans.review.review import Cause, Destroy, Review, Update, settings

LONG, SHORT = 600, 100
FEW_LINES = 8
FEW_NAMES = 3


def document(review: Review, name: str | None) -> Document:
    """Returns the document of a review. `name` tells the plans of one pull request apart."""
    marker = "event-pipelines plan-review" + (f": {name}" if name else "")
    return Document(
        marker=marker,
        title=f"Terraform plan for {name}" if name else "Terraform plan",
        headline=_headline(review),
        facts=tuple(_facts(review)),
        notes=tuple(_notes(review)),
        sections=tuple(_sections(review)),
        footer=(
            "Planned by version ",
            _version(review.plan.terraform_version),
            "; values that are marked as sensitive are not shown.",
        ),
        secrets=review.plan.secrets,
    )


def _version(text: str) -> str | Code:
    return text if re.fullmatch(r"[0-9A-Za-z.+-]{1,40}", text) else Code(shortened(text, SHORT))


def words(text: str) -> Inline:
    """Converts a sentence of this program, with `code` in backticks."""
    parts = text.split("`")
    return tuple(Code(part) if odd % 2 else part for odd, part in enumerate(parts) if part)


def _several(number: int, one: str, more: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def _headline(review: Review) -> Inline:
    counts = review.counts
    if not review.changes_anything:
        return ("no changes",)
    parts: list[str | Code | Strong] = []
    for action, word in (
        ("destroy", "to destroy"),
        ("replace", "to replace"),
        ("update", "to update"),
        ("create", "to create"),
        ("forget", "to forget"),
        ("move", "moved"),
        ("import", "imported"),
    ):
        if counts[action]:
            text = f"{counts[action]:,} {word}"
            parts += [
                ", " if parts else "",
                Strong(text) if action in ("destroy", "replace") else text,
            ]
    if not parts:
        parts = [
            "only outputs change"
            if counts["outputs"]
            else "nothing of it yet"
            if counts["deferred"]
            else "see below"
        ]
    return tuple(part for part in parts if part)


def _facts(review: Review) -> Iterable[Inline]:
    for failure in review.failures:
        yield (Strong("Refused"), " by ", Code(failure))
    path = review.path
    added = sum(step.sign == "+" for step in path.steps)
    removed = sum(step.sign == "-" for step in path.steps)
    said = [
        _several(removed, "connection removed", "connections removed") if removed else "",
        _several(added, "connection added", "connections added") if added else "",
        f"{len(path.interrupted):,} cut while the plan is applied" if path.interrupted else "",
    ]
    if any(said):
        yield ("Event path: ", ", ".join(filter(None, said)))
    flags = [flag for policy in review.permissions for flag, _ in policy.flags]
    gained = sum(len(policy.added) for policy in review.permissions)
    lost = sum(len(policy.removed) for policy in review.permissions)
    if gained or lost:
        warned: Inline = (", ", Strong(_several(len(flags), "warning"))) if flags else ()
        changes = [
            _several(gained, "statement added", "statements added") if gained else "",
            _several(lost, "statement removed", "statements removed") if lost else "",
        ]
        yield ("Permissions: ", ", ".join(filter(None, changes)), *warned)
    if remade := sorted(remade_prefixes(review.plan.changes)):
        yield (
            f"{_several(len(remade), 'prefix', 'prefixes')} of derivatives, made again when their"
            " uploads are replayed: ",
            Code(printable(" ".join(remade))),
        )
    if review.counts["deferred"]:
        yield (f"{_several(review.counts['deferred'], 'change')} left to a later plan",)
    if review.drift:
        yield (
            f"{_several(review.counts['drift'], 'resource')} changed outside Terraform, and this"
            " plan depends on it",
        )


def _notes(review: Review) -> Iterable[Note]:
    plan = review.plan
    if plan.errored:
        yield Note(
            (
                Strong("Planning failed."),
                " What follows is what Terraform had planned until then: it cannot be applied, and"
                " its log says why.",
            ),
            grave=True,
        )
    elif not plan.complete:
        yield Note(
            (
                "This plan is not complete: it was made with -target, or leaves changes to a later"
                " plan. Applying it does not reach the configuration.",
            )
        )
    for check in plan.checks[:FEW_LINES]:
        said = "; ".join(check.problems) or "it could not be evaluated"
        yield Note(("Check ", Code(printable(check.address)), " fails: ", Code(printable(said))))
    if len(plan.checks) > FEW_LINES:
        yield Note((f"{len(plan.checks) - FEW_LINES:,} more checks fail.",))
    for one in review.conflicts[:FEW_LINES]:
        said = printable(f"{one.problem}; {one.remedy}")
        yield Note((Strong("warning"), " ", Code(printable(one.subject)), ": ", Code(said)))
    if len(review.conflicts) > FEW_LINES:
        yield Note((f"{len(review.conflicts) - FEW_LINES:,} more warnings like these.",))


def _sections(review: Review) -> Iterable[Section]:
    folded: list[tuple[str, Sequence[Any], Callable[[Any], Item]]] = [
        ("Created", review.creates, _create),
        ("Outputs", review.outputs, _output),
        ("Moved", review.moved, _moved),
        ("Imported", review.imported, _imported),
        ("Forgotten by Terraform, left in place", review.forgotten, _forgotten),
    ]
    found = [
        Section("Destroyed or replaced", tuple(map(_destroy, review.destroys)), kept=True),
        *_permissions(review.permissions),
        Section("Event path", tuple(_event_path(review))),
        Section(_counted("Updated", review.counts["update"]), tuple(_updates(review.updates))),
        Section("Left to later plans", tuple(_deferred(change) for change in review.deferred)),
        Section("Actions of other kinds", tuple(_others(review))),
        *(
            Section(_counted(title, len(each)), tuple(map(item, each)), folded=True)
            for title, each, item in folded
        ),
        _drift(review),
    ]
    return [section for section in found if section.items]


def _counted(title: str, number: int) -> str:
    return f"{title} ({number:,})"


# --- Destroys


def _destroy(destroy: Destroy) -> Item:
    line: Inline = (Strong(destroy.verb), " ", Code(destroy.change.label))
    if destroy.change.deferred:
        line = (*line, f" by a later plan ({spoken(destroy.change.deferred)})")
    known: tuple[Inline, ...] = ((Code(destroy.identity),),) if destroy.identity else ()
    why: tuple[Inline, ...] = ((f"because {destroy.why}",),) if destroy.why else ()
    causes = tuple(_cause(cause) for cause in destroy.causes)
    lost: Inline = ("lost: ", *words(destroy.lost))
    below = (*known, *why, *causes, lost)
    versions: list[tuple[Block, ...]] = [(Bullet(line, below),), (Bullet(line, (lost,)),)]
    if destroy.also:
        versions.insert(0, (Bullet(line, below, _diff(destroy.also, LONG)),))
    return Item((*versions, (Bullet(line),)))


def _cause(cause: Cause) -> Inline:
    before, after = shortened_pair(_side(cause.before), _side(cause.after), LONG)
    if before == after:
        values: Inline = (Code(_hidden_change(before)),)
    else:
        values = (Code(before), " → ", Code(after))
    return (Strong("forced by"), " ", Code(printable(cause.path)), ": ", *values)


def _hidden_change(text: str) -> str:
    """Describes a change whose sides look equal because only a sensitive part differs."""
    changed = SENSITIVE.replace(")", ", changed)")
    return changed if text == SENSITIVE else f"{text} {changed}"


def _side(value: Any) -> str:
    return "none" if value is ABSENT or value is None else shown(value)


# --- Permissions


def _permissions(changes: Sequence[PolicyChange]) -> list[Section]:
    """Returns an open section for existing resources and all warnings, and a folded one for new
    resources, whose statements are as many as the resources."""
    warnings = tuple(_warning(change) for change in changes if change.flags)
    current = tuple(_policy(change) for change in changes if not change.fresh)
    new = tuple(_policy(change) for change in changes if change.fresh)
    return [
        Section("Permissions", (*warnings, *current)),
        Section(_counted("Permissions of new resources", len(new)), new, folded=True),
    ]


def _warning(change: PolicyChange) -> Item:
    flags: dict[str, None] = dict.fromkeys(flag for flag, _ in change.flags)
    line: Inline = (Strong("warning"), " ", Code(change.label), ": ", Code("; ".join(flags)))
    statements = dict.fromkeys(statement for _, statement in change.flags)
    lines = [line for statement in statements for line in _stated("+", statement, LONG)]
    if not change.fresh:
        # The diff of the policy below shows the statement.
        return Item(((Bullet(line),),))
    return Item(((Bullet(line, diff=tuple(lines)),), (Bullet(line),)))


def _policy(change: PolicyChange) -> Item:
    counts = [
        _several(len(change.removed), "statement removed", "statements removed"),
        _several(len(change.added), "statement added", "statements added"),
    ]
    stay = f", {_several(change.kept, 'statement')} unchanged" if change.kept else ""
    line: Inline = (Code(change.label), " ", Code(printable(change.attribute)))
    short = (Bullet((*line, f": {counts[0]}, {counts[1]}{stay}")),)
    below: list[Inline] = [(Code(note),) for note in change.notes]
    if change.unreadable:
        below.append((f"{change.unreadable}: look at its source",))
    lines = tuple(_policy_lines(change))
    return Item(((Bullet((*line, stay), tuple(below), lines),), short))


def _policy_lines(change: PolicyChange) -> Iterable[DiffLine]:
    """Yields removed and added statements; for changed ones, equal parts are context."""
    new = list(change.added)
    for statement in change.removed:
        successor = _successor(statement, new)
        if successor is None:
            yield from _stated("-", statement, LONG)
            continue
        new.remove(successor)
        old_lines = statement.lines(wrapped=False)
        new_lines = successor.lines(wrapped=False)
        for tag, a, b, c, d in SequenceMatcher(None, old_lines, new_lines, False).get_opcodes():
            if tag == "equal":
                yield from ((" ", shortened(line, LONG)) for line in old_lines[a:b])
            else:
                yield from (("-", shortened(line, LONG)) for line in old_lines[a:b])
                yield from (("+", shortened(line, LONG)) for line in new_lines[c:d])
    for statement in new:
        yield from _stated("+", statement, LONG)


def _successor(statement: Statement, candidates: Sequence[Statement]) -> Statement | None:
    for candidate in candidates:
        if statement.effect != candidate.effect:
            continue
        if statement.sid and statement.sid == candidate.sid:
            return candidate
        parts = ("actions", "resources", "principals", "conditions")
        same = sum(getattr(statement, part) == getattr(candidate, part) for part in parts)
        if not (statement.sid or candidate.sid) and same == len(parts) - 1:
            return candidate
    return None


def _stated(sign: str, statement: Statement, limit: int) -> list[DiffLine]:
    return [("+" if sign == "+" else "-", shortened(line, limit)) for line in statement.lines()]


# --- Event path


def _event_path(review: Review) -> Iterable[Item]:
    for tree in trees(review.path):
        full = draw(tree, review.path, context=True)
        narrow = draw(tree, review.path, context=False)
        line: Inline = (
            Code(str(tree.root)),
            f": {_several(tree.changed, 'connection changes', 'connections change')}"
            + (f", {tree.cut} cut" if tree.cut else ""),
        )
        yield Item(((Diff(full),), (Diff(narrow),), (Bullet(line),)))


# --- Updates


def _updates(updates: Sequence[Update]) -> Iterable[Item]:
    real = [update for update in updates if not update.formatting_only]
    for update in sorted(real, key=lambda update: -len(update.changes)):
        yield _update(update)
    for update in updates:
        if update.formatting_only:
            yield _update(update)


def _update(update: Update) -> Item:
    first, *others = update.changes
    if others:
        line: Inline = (Strong(f"{len(update.changes):,} times"), " ", Code(first.type), ", alike")
        named: tuple[Inline, ...] = tuple((Code(change.label),) for change in update.changes)
        few = named[:FEW_NAMES]
        if len(named) > FEW_NAMES:
            few = (*few, (f"and {len(named) - FEW_NAMES:,} more",))
    else:
        line, named, few = (Code(first.label),), (), ()
    if first.after is None:
        line = (*line, " no longer exists")
        return Item(((Bullet(line, named),), (Bullet(line, few),)))
    if update.formatting_only:
        paths = ", ".join(each.path for each in update.differences)
        line = (*line, " only in formatting, which means the same: ", Code(printable(paths)))
        return Item(((Bullet(line, named),), (Bullet(line, few),)))
    notes: list[Inline] = [(Code(path), ": see Permissions") for path in update.policies]
    if update.unknown:
        notes.append(("known after apply: ", Code(", ".join(update.unknown))))
    if not (update.differences or notes):
        notes.append(("no attribute changes in a way that can be shown",))
    full = _diff(update.differences, LONG)
    short = _diff(update.differences, SHORT)
    if len(short) > FEW_LINES:
        short = (*short[:FEW_LINES], (" ", f"and {len(short) - FEW_LINES:,} lines more"))
    changed = ", ".join(dict.fromkeys(each.path for each in update.differences))
    named_only: Inline = (
        *line,
        *((": ", Code(shortened(printable(changed), SHORT))) if changed else ()),
    )
    return Item(
        (
            (Bullet(line, (*named, *notes), full),),
            (Bullet(line, (*few, *notes), short),),
            (Bullet(named_only),),
        )
    )


def _diff(found: Sequence[Difference], limit: int) -> tuple[DiffLine, ...]:
    lines: list[DiffLine] = []
    for each in found:
        path = printable(each.path) or "value"
        if each.kind != "changed":
            what = "formatting only" if each.kind == "formatting" else "only in another order"
            lines.append((" ", f"{path}: {what}"))
            continue
        before, after = shortened_pair(shown(pruned(each.before)), shown(pruned(each.after)), limit)
        if each.before is not ABSENT and each.after is not ABSENT and before == after:
            lines.append(("!", f"{path} = {_hidden_change(before)}"))
            continue
        if each.before is not ABSENT and each.before is not None:
            lines.append(("-", f"{path} = {before}"))
        if each.after is not ABSENT and each.after is not None:
            lines.append(("+", f"{path} = {after}"))
    return tuple(lines)


# --- Folded sections


def _create(change: Change) -> Item:
    line: Inline = (Code(change.label),)
    found = settings(change.after)
    lines: list[DiffLine] = [
        ("+", f"{printable(path)} = {shortened(shown(value), LONG)}") for path, value in found
    ]
    if not lines:
        return Item(((Bullet(line),),))
    short: list[DiffLine] = [
        ("+", f"{printable(path)} = {shortened(shown(value), SHORT)}")
        for path, value in found[:FEW_LINES]
    ]
    if len(found) > FEW_LINES:
        short.append((" ", f"and {len(found) - FEW_LINES:,} settings more"))
    return Item(
        ((Bullet(line, diff=tuple(lines)),), (Bullet(line, diff=tuple(short)),), (Bullet(line),))
    )


def _output(output: Output) -> Item:
    line: Inline = (Code(printable(output.name)),)
    found = differences(output.before, output.after)
    if isinstance(output.after, Unknown):
        return Item(((Bullet((*line, f" {KNOWN_AFTER_APPLY}")),),))
    lines = _diff(found, LONG)
    short = _diff(found, SHORT)[:FEW_LINES]
    return Item(((Bullet(line, diff=lines),), (Bullet(line, diff=short),), (Bullet(line),)))


def _moved(change: Change) -> Item:
    line: Inline = (Code(printable(change.previous_address or "")), " → ", Code(change.label))
    return Item(((Bullet(line),),))


def _imported(change: Change) -> Item:
    line: Inline = (Code(change.label), " from ", Code(printable(change.imported_id or "")))
    return Item(((Bullet(line),),))


def _forgotten(change: Change) -> Item:
    return Item(((Bullet((Code(change.label),)),),))


def _deferred(change: Change) -> Item:
    return Item(
        ((Bullet((change.action, " ", Code(change.label), f": {spoken(change.deferred or '')}")),),)
    )


def _others(review: Review) -> Iterable[Item]:
    for change in review.other:
        yield Item(((Bullet((Code(printable(change.action)), " ", Code(change.label))),),))
    for address in review.plan.invocations:
        yield Item(((Bullet(("runs ", Code(printable(address)))),),))


def _drift(review: Review) -> Section:
    title = _counted("Changed outside Terraform", review.counts["drift"])
    intro: Inline = ()
    if review.unchanged_drift:
        rest = _several(review.unchanged_drift, "more resource differs", "more resources differ")
        intro = (f"{rest} from the state in ways that this plan does not depend on.",)
    return Section(title, tuple(_updates(review.drift)), folded=True, intro=intro)


def slug(name: str) -> bool:
    """Whether a name can be used in a heading and in the marker without escapes."""
    return re.fullmatch(r"[\w.,/ ]+(?:-[\w.,/ ]+)*", name, re.ASCII) is not None
