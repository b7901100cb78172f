"""Sorts the changes of a plan into the categories of a review, without rendering them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from event_pipelines.console import printable
from event_pipelines.plans.review import policies
from event_pipelines.plans.review.conflicts import Conflict, Resource, conflicts
from event_pipelines.plans.review.differences import (
    Difference,
    at,
    differences,
    is_within,
    path_text,
)
from event_pipelines.plans.review.event_path import NODE_TYPES, EventPath, event_path
from event_pipelines.plans.review.losses import gravity, lost, why
from event_pipelines.plans.review.plan import Change, Output, Plan
from event_pipelines.plans.review.plan_values import (
    SENSITIVE,
    Json,
    Secret,
    Unknown,
    is_nothing,
    meaning,
    name_of,
    natural,
    pruned,
)
from event_pipelines.plans.review.policies import PolicyChange, policy_changes
from event_pipelines.plans.review.references import provider_keys, without_indexes

IDENTITIES = ("arn", "url", "id", "name", "bucket", "function_name")
# Attributes that name the holders of a policy which is a resource of its own.
HOLDERS = (
    *policies.ATTACHMENTS,
    *("queue_url", "arn", "bucket", "function_name", "key_id", "secret_arn", "resource_arn"),
)
HOLDER_TYPES = frozenset(
    {
        *NODE_TYPES,
        "aws_iam_role",
        "aws_iam_user",
        "aws_iam_group",
        "aws_kms_key",
        "aws_secretsmanager_secret",
    }
)
HANDLED = ("no-op", "read", "create", "update", "delete", "replace", "forget")


@dataclass(frozen=True)
class Cause:
    """An attribute that forces a replacement."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Destroy:
    """A resource that is destroyed, either permanently or to be replaced."""

    change: Change
    identity: str
    why: str | None
    causes: tuple[Cause, ...]
    lost: str
    also: tuple[Difference, ...]

    @property
    def verb(self) -> str:
        if self.change.action != "replace":
            return "destroyed"
        return "replaced, created first" if self.change.create_first else "replaced"


@dataclass(frozen=True)
class Update:
    """An update of one resource, or an equal update of several of one type."""

    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]
    policies: tuple[str, ...]

    @property
    def formatting_only(self) -> bool:
        return (
            bool(self.differences)
            and all(each.kind != "changed" for each in self.differences)
            and not self.unknown
            and not self.policies
        )


@dataclass(frozen=True)
class Review:
    """A plan, sorted for its reviewer. `unchanged_drift` counts drift that this plan does not
    depend on; `failures` say what --fail-on matched."""

    plan: Plan
    destroys: tuple[Destroy, ...]
    permissions: tuple[PolicyChange, ...]
    path: EventPath
    updates: tuple[Update, ...]
    creates: tuple[Change, ...]
    outputs: tuple[Output, ...]
    moved: tuple[Change, ...]
    imported: tuple[Change, ...]
    forgotten: tuple[Change, ...]
    deferred: tuple[Change, ...]
    other: tuple[Change, ...]
    drift: tuple[Update, ...]
    unchanged_drift: int
    conflicts: tuple[Conflict, ...]
    failures: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        due = [each for each in self.destroys if not each.change.deferred]
        return {
            "destroy": sum(each.change.action == "delete" for each in due),
            "replace": sum(each.change.action == "replace" for each in due),
            "update": sum(len(update.changes) for update in self.updates),
            "create": len(self.creates),
            "forget": len(self.forgotten),
            "move": len(self.moved),
            "import": len(self.imported),
            "deferred": sum(change.deferred is not None for change in self.plan.changes),
            "outputs": len(self.outputs),
            "drift": sum(len(update.changes) for update in self.drift),
        }

    @property
    def changes_anything(self) -> bool:
        counts = self.counts
        return bool(self.other or self.plan.invocations) or any(
            counts[name] for name in counts if name != "drift"
        )


def review(plan: Plan) -> Review:
    """Sorts a plan. Work grows with its size: each change is compared only with itself."""
    managed = [change for change in plan.changes if change.mode == "managed"]
    due = [change for change in managed if not change.deferred]
    destroyed = [change for change in managed if change.action in ("delete", "replace")]
    known = {name for change in due if change.action == "create" for name in _names(change)}
    permissions = [
        replace(found, fresh=change.action == "create" and _is_fresh(change, known))
        for change in due
        if change.action in ("create", "update", "delete", "replace")
        for found in policy_changes(change)
    ]
    drift = [update for change in _relevant(plan) if (update := _update(change, ())) is not None]
    return Review(
        plan=plan,
        destroys=tuple(_destroy(change) for change in sorted(destroyed, key=gravity)),
        permissions=tuple(permissions),
        path=event_path(plan),
        updates=tuple(_updates(due, permissions)),
        creates=tuple(_of(due, "create")),
        outputs=tuple(output for output in plan.outputs if output.action != "no-op"),
        moved=tuple(change for change in managed if change.previous_address),
        imported=tuple(change for change in managed if change.imported_id),
        forgotten=tuple(_of(due, "forget")),
        deferred=tuple(
            change
            for change in managed
            if change.deferred and change.action not in ("delete", "replace")
        ),
        other=tuple(change for change in due if change.action not in HANDLED),
        drift=tuple(_grouped(drift)),
        unchanged_drift=len(plan.drift) - len(drift),
        conflicts=tuple(conflicts(list(_resulting(plan)))),
    )


def _resulting(plan: Plan) -> Iterable[Resource]:
    """Yields the managed resources after the apply."""
    keys = provider_keys(plan.configuration)
    for change in (*plan.changes, *plan.resting):
        if change.mode == "managed" and not change.deposed and isinstance(change.after, dict):
            provider = keys.get(without_indexes(change.address), "")
            yield Resource(change.address, change.type, change.after, provider)


def _names(change: Change) -> Iterable[str]:
    values = change.after if change.type in HOLDER_TYPES else None
    if not isinstance(values, dict):
        return ()
    return filter(None, (name_of(values.get(attribute)) for attribute in IDENTITIES))


def _is_fresh(change: Change, created: set[str]) -> bool:
    """Whether all holders of a new policy are new too, so that it opens nothing in use."""
    values = change.after if isinstance(change.after, dict) else {}
    holders = [values[name] for name in HOLDERS if not is_nothing(values.get(name))]
    return all(not isinstance(holder, str) or holder in created for holder in holders)


def _relevant(plan: Plan) -> list[Change]:
    """Returns drift that affects the plan; all of it if the plan does not say."""
    if plan.relevant is None:
        return list(plan.drift)
    # Terraform lists some relevant addresses without the keys of their modules.
    named = {without_indexes(address) for address in plan.relevant}
    return [change for change in plan.drift if without_indexes(change.address) in named]


def _of(changes: Iterable[Change], action: str) -> list[Change]:
    return sorted(
        (change for change in changes if change.action == action),
        key=lambda change: natural(change.address),
    )


def identity(values: Any) -> str:
    """Returns the resource's ARN, id or name in AWS; "" if none is known."""
    if not isinstance(values, dict):
        return ""
    for attribute in IDENTITIES:
        value = values.get(attribute)
        if isinstance(value, Secret):
            return SENSITIVE
        name = name_of(value)
        if name is not None:
            return printable(name)
    return ""


def _destroy(change: Change) -> Destroy:
    causes = tuple(
        Cause(path_text(path), at(change.before, path), at(change.after, path))
        for path in change.replace_paths
    )
    also = []
    if change.action == "replace":
        also = [
            each
            for each in differences(change.before, change.after)
            if not isinstance(each.after, Unknown)
            and not any(is_within(each.path, cause.path) for cause in causes)
        ]
    return Destroy(
        change=change,
        identity=identity(change.before),
        why=None if causes else why(change),
        causes=causes,
        lost=lost(change),
        also=tuple(also),
    )


def _updates(changes: Sequence[Change], permissions: Sequence[PolicyChange]) -> list[Update]:
    elsewhere: dict[str, set[str]] = {}
    for policy in permissions:
        elsewhere.setdefault(policy.label, set()).add(policy.attribute)
    updates = [
        update
        for change in _of(changes, "update")
        if (update := _update(change, elsewhere.get(change.label, ()), keep=True)) is not None
    ]
    return _grouped(updates)


def _update(change: Change, elsewhere: Iterable[str], *, keep: bool = False) -> Update | None:
    """Returns the update of a resource; None if nothing differs, unless `keep`. `elsewhere` are
    attributes with policies, which are compared statement by statement instead."""
    if change.after is None:
        # Drift: the resource was deleted outside Terraform.
        return Update((change,), (), (), ())
    described = tuple(sorted(elsewhere))
    found, unknown = [], []
    tags = _tag_differences(change)
    for each in differences(change.before, change.after):
        if each.path.startswith("tags_all") and tags:
            # tags_all repeats every change of tags.
            continue
        if any(is_within(each.path, path) for path in described):
            continue
        if isinstance(each.after, Unknown) and each.path.count(".") == 0:
            unknown.append(each.path)
        else:
            found.append(each)
    if not (found or unknown or described or keep):
        return None
    return Update((change,), tuple(found), tuple(unknown), described)


def _tag_differences(change: Change) -> bool:
    if not (isinstance(change.before, dict) and isinstance(change.after, dict)):
        return False
    return meaning(change.before.get("tags")) != meaning(change.after.get("tags"))


def _grouped(updates: Iterable[Update]) -> list[Update]:
    """Merges equal updates of one type, which differ only in their addresses."""
    groups: dict[Any, list[Update]] = {}
    for update in updates:
        if update.policies:
            key: Any = update.changes[0].address
        else:
            key = (
                update.changes[0].type,
                tuple(
                    (each.path, meaning(each.before), meaning(each.after), each.kind)
                    for each in update.differences
                ),
                update.unknown,
            )
        groups.setdefault(key, []).append(update)
    return [
        Update(
            tuple(change for update in group for change in update.changes),
            group[0].differences,
            group[0].unknown,
            group[0].policies,
        )
        for group in groups.values()
    ]


def settings(values: Any) -> list[tuple[str, Any]]:
    """Returns the settings of a new resource that are known and not empty. Policies are left out,
    because the permissions section shows them."""
    found = []
    given = values if isinstance(values, dict) else {}
    for each in differences({}, given):
        if each.path.startswith("tags_all"):
            continue
        value = pruned(each.after)
        if isinstance(value, Unknown) or is_nothing(value) or value is False:
            continue
        if isinstance(each.after, Json) and policies.is_policy(each.after.value):
            continue
        found.append((each.path, value))
    return found
