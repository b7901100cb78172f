"""Renders a review as JSON, for programs."""

import json
from collections.abc import Sequence
from typing import Any

from event_pipelines.console import json_printable
from event_pipelines.plans.review.differences import Difference, differences
from event_pipelines.plans.review.event_path import Edge
from event_pipelines.plans.review.plan import Change
from event_pipelines.plans.review.plan_values import plain, shown
from event_pipelines.plans.review.policies import PolicyChange, Statement
from event_pipelines.plans.review.review import Destroy, Review, Update, settings

SCHEMA_VERSION = 1


def rendered(review: Review) -> str:
    """Returns the whole review, with placeholders for sensitive and unknown values."""
    plan = review.plan
    changed = {"-": "removed", "+": "added", " ": "kept"}
    found = {
        "schema_version": SCHEMA_VERSION,
        "terraform_version": plan.terraform_version,
        "errored": plan.errored,
        "complete": plan.complete,
        "failures": list(review.failures),
        "counts": review.counts,
        "checks": [
            {"address": check.address, "status": check.status, "problems": list(check.problems)}
            for check in plan.checks
        ],
        "warnings": [vars(conflict) for conflict in review.conflicts],
        "destroys": [_destroy(destroy) for destroy in review.destroys],
        "permissions": [_policy(policy) for policy in review.permissions],
        "event_path": [
            {"change": changed[step.sign], **_edge(step.edge)} for step in review.path.steps
        ],
        "event_path_cut": [_edge(edge) for edge in review.path.interrupted],
        "updates": [_update(update) for update in review.updates],
        "creates": [
            {"address": change.address, "type": change.type, "settings": _settings(change)}
            for change in review.creates
        ],
        "outputs": [
            {"name": output.name, "action": output.action,
             "differences": _differences(differences(output.before, output.after))}
            for output in review.outputs
        ],
        "moved": [
            {"from": change.previous_address, "to": change.address} for change in review.moved
        ],
        "imported": [
            {"address": change.address, "id": change.imported_id} for change in review.imported
        ],
        "forgotten": [change.address for change in review.forgotten],
        "deferred": [
            {"address": change.address, "action": change.action, "reason": change.deferred}
            for change in review.deferred
        ],
        "other": [
            {"address": change.address, "action": change.action} for change in review.other
        ],
        "invocations": list(plan.invocations),
        "drift": [_update(update) for update in review.drift],
        "drift_without_effect": review.unchanged_drift,
    }  # fmt: skip
    text = plan.secrets.hidden(json.dumps(found, indent=2, ensure_ascii=False), "json")
    return json_printable(text) + "\n"


def _destroy(destroy: Destroy) -> dict[str, Any]:
    change = destroy.change
    return {
        "address": change.address,
        "type": change.type,
        "deposed": change.deposed,
        "deferred": change.deferred,
        "action": change.action,
        "created_first": change.create_first,
        "id": destroy.identity,
        "why": destroy.why,
        "forced_by": [
            {"path": cause.path, "before": plain(cause.before), "after": plain(cause.after)}
            for cause in destroy.causes
        ],
        "lost": destroy.lost,
        "also": _differences(destroy.also),
    }


def _policy(policy: PolicyChange) -> dict[str, Any]:
    return {
        "address": policy.label,
        "attribute": policy.attribute,
        "action": policy.action,
        "removed": [_statement(statement) for statement in policy.removed],
        "added": [_statement(statement) for statement in policy.added],
        "unchanged": policy.kept,
        "notes": list(policy.notes),
        "unreadable": policy.unreadable,
    }


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "sid": statement.sid,
        "effect": statement.effect,
        "actions": list(statement.actions),
        "resources": list(statement.resources),
        "principals": list(statement.principals),
        "conditions": list(statement.conditions),
        "flags": list(statement.flags),
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {"from": str(edge.source), "to": str(edge.target), "how": edge.how, "by": edge.carrier}


def _update(update: Update) -> dict[str, Any]:
    return {
        "addresses": [change.address for change in update.changes],
        "type": update.changes[0].type,
        "formatting_only": update.formatting_only,
        "differences": _differences(update.differences),
        "known_after_apply": list(update.unknown),
        "policies": list(update.policies),
    }


def _differences(found: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "path": each.path,
            "kind": "sensitive"
            if each.kind == "changed" and shown(each.before) == shown(each.after)
            else each.kind,
            "before": plain(each.before),
            "after": plain(each.after),
        }
        for each in found
    ]


def _settings(change: Change) -> dict[str, Any]:
    return {path: plain(value) for path, value in settings(change.after)}
