"""Reads plans written by `terraform show -json`; explains what is wrong with other input."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from event_pipelines.console import printable
from event_pipelines.errors import UserError
from event_pipelines.plans.review.masking import Masker, marked_values, united
from event_pipelines.plans.review.plan_values import TooDeep
from event_pipelines.plans.review.secret_texts import Secrets

SUPPORTED_MAJOR = "1"
REMEDY = "run `terraform plan -out=tfplan`, then `terraform show -json tfplan > plan.json`"
# Help on an argument that is read by `read` or `load`.
SOURCE_HELP = "what `terraform show -json` wrote, or - for standard input"


class NotAPlan(UserError):
    """The input is not a plan from `terraform show -json`; the message says what to do."""


@dataclass(frozen=True)
class Change:
    """A resource instance and the change planned for it.

    `action` is no-op, create, read, update, delete, replace, forget, or another action of
    Terraform. `before` and `after` contain neither secrets nor guesses (see `masking`); they are
    None if absent. `deferred` is the reason why a later plan will make the change.
    """

    address: str
    module: str
    type: str
    name: str
    index: str | int | None
    mode: str
    action: str
    before: Any
    after: Any
    create_first: bool = False
    reason: str | None = None
    replace_paths: tuple[tuple[str | int, ...], ...] = ()
    previous_address: str | None = None
    imported_id: str | None = None
    deposed: str | None = None
    deferred: str | None = None

    @property
    def label(self) -> str:
        """The address in printable form, because index keys may hold any text."""
        known = printable(self.address)
        return f"{known} (deposed {printable(self.deposed)})" if self.deposed else known


@dataclass(frozen=True)
class Output:
    """An output and its change."""

    name: str
    action: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Check:
    """A condition in the configuration that failed or could not be evaluated."""

    address: str
    status: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A plan without secrets. `resting` are resources of the prior state without a change;
    `relevant` are addresses, without index, whose drift affects the changes. All output must pass
    `secrets.hidden`."""

    terraform_version: str
    changes: tuple[Change, ...]
    drift: tuple[Change, ...]
    resting: tuple[Change, ...]
    outputs: tuple[Output, ...]
    checks: tuple[Check, ...]
    invocations: tuple[str, ...]
    relevant: frozenset[str] | None
    configuration: Mapping[str, Any]
    secrets: Secrets = field(repr=False)
    errored: bool
    complete: bool


def read(source: str) -> Plan:
    """Reads the plan in the file `source`, or on standard input for `-`. Raises NotAPlan."""
    return plan_of(load(source), _named(source))


def load(source: str) -> dict[str, Any]:
    """Returns the plan's JSON, including secrets. Raises NotAPlan like `document`."""
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise NotAPlan(f"{_named(source)} cannot be read: {error.strerror or error}.") from error
    return document(_named(source), content)


def _named(source: str) -> str:
    return "standard input" if source == "-" else source


def document(name: str, content: bytes) -> dict[str, Any]:
    """Parses `content` as a plan's JSON. Raises NotAPlan that says what it is, and the remedy."""
    if content[:4] == b"PK\x03\x04":
        raise NotAPlan(
            f"{name} is a saved plan itself, not its JSON:"
            f" run `terraform show -json {name} > plan.json` and review that."
        )
    text = _decoded(name, content)
    if not text.strip():
        raise NotAPlan(f"{name} is empty: {REMEDY}.")
    if text.lstrip().startswith("[command]"):
        raise NotAPlan(
            f"{name} begins with the line of a wrapper around Terraform: set"
            " `terraform_wrapper: false` for hashicorp/setup-terraform, and write it again."
        )
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise NotAPlan(f"{name} nests deeper than any plan: {REMEDY}.") from error
    except json.JSONDecodeError as error:
        raise NotAPlan(_malformed(name, text, error)) from error
    return _recognised(name, found)


def _decoded(name: str, content: bytes) -> str:
    # Windows PowerShell redirects output as UTF-16, with a byte order mark.
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotAPlan(f"{name} is no text: {REMEDY}.") from error


def _malformed(name: str, text: str, error: json.JSONDecodeError) -> str:
    first_line = text.lstrip().split("\n", 1)[0]
    if '"@level"' in first_line or '"@message"' in first_line:
        return (
            f"{name} is the log of `terraform plan -json`, which has no values in it: add"
            f" `-out=tfplan` to that command, then `terraform show -json tfplan > plan.json`."
        )
    if not first_line.startswith(("{", "[")):
        return f"{name} is not JSON but text, perhaps what `terraform plan` printed: {REMEDY}."
    if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated"):
        return f"{name} is cut off at line {error.lineno}: write it again, {REMEDY}."
    return f"{name} is broken JSON at line {error.lineno}, column {error.colno}: {REMEDY}."


def _recognised(name: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise NotAPlan(f"{name} is JSON but no plan: {REMEDY}.")
    if "@level" in found:
        raise NotAPlan(_malformed(name, '"@level"', json.JSONDecodeError("", "", 0)))
    if "serial" in found and "lineage" in found:
        raise NotAPlan(f"{name} is a state file, not a plan: {REMEDY}.")
    if "encrypted_data" in found:
        raise NotAPlan(f"{name} is encrypted by OpenTofu: decrypt it with `tofu show -json`.")
    version = found.get("format_version")
    if not isinstance(version, str):
        raise NotAPlan(f"{name} is JSON but no plan: {REMEDY}.")
    if version.split(".")[0] != SUPPORTED_MAJOR:
        raise NotAPlan(
            f"{name} has plan format {printable(version)}, and this command knows"
            f" {SUPPORTED_MAJOR}.x, written by Terraform since 1.1 and by OpenTofu: use one of"
            " them, or a newer event-pipelines."
        )
    if not found.keys() & {"planned_values", "resource_changes", "output_changes", "errored"}:
        what = "a state" if "values" in found else "JSON of Terraform"
        raise NotAPlan(f"{name} is {what} but no plan: {REMEDY}.")
    return found


def plan_of(found: Mapping[str, Any], name: str = "plan.json") -> Plan:
    """Converts a JSON object from `document`. Raises NotAPlan if its shape is not that of a
    plan."""
    try:
        return _plan(found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotAPlan(
            f"{name} says it is a plan and does not have the shape of one"
            f" ({type(error).__name__}): {REMEDY}."
        ) from error
    except (TooDeep, RecursionError) as error:
        raise NotAPlan(f"{name} nests deeper than any plan: {REMEDY}.") from error


def _plan(found: Mapping[str, Any]) -> Plan:
    configuration = found.get("configuration") or {}
    prior = {change["address"]: change for change in _prior_resources(found)}
    secrets = _secrets(found, prior)
    masker = Masker(secrets)
    entries = found.get("resource_changes") or []
    changes = [_change(entry, masker, prior) for entry in entries]
    changes += (
        _change(entry["resource_change"], masker, prior, entry.get("reason") or "unknown")
        for entry in found.get("deferred_changes") or []
    )
    planned = {change.address for change in changes}
    left_alone = [entry for address, entry in prior.items() if address not in planned]
    relevant = found.get("relevant_attributes")
    return Plan(
        terraform_version=str(found.get("terraform_version") or "unknown"),
        changes=tuple(changes),
        drift=tuple(_change(entry, masker, prior) for entry in found.get("resource_drift") or []),
        resting=tuple(_change(entry, masker, prior) for entry in left_alone),
        outputs=tuple(_outputs(found, masker)),
        checks=tuple(_failing(found.get("checks") or [], masker)),
        invocations=tuple(entry["address"] for entry in found.get("action_invocations") or []),
        relevant=None if relevant is None else frozenset(entry["resource"] for entry in relevant),
        configuration=configuration,
        secrets=secrets,
        errored=found.get("errored") is True,
        complete=found.get("complete") is not False,
    )


def _change(
    entry: Mapping[str, Any],
    masker: Masker,
    prior: Mapping[str, Mapping[str, Any]],
    deferred: str | None = None,
) -> Change:
    change = entry["change"]
    before, after = change.get("before"), change.get("after")
    marks = _marks(entry, prior)
    near = masker.near([(before, marks), (after, marks)])
    index = entry.get("index")
    importing = change.get("importing") or {}
    actions = tuple(change["actions"])
    return Change(
        address=str(entry["address"]),
        module=entry.get("module_address") or "",
        type=str(entry["type"]),
        name=str(entry["name"]),
        index=index if isinstance(index, str | int) else None,
        mode=entry.get("mode") or "managed",
        action=_action(actions),
        before=near.mask(before, marks),
        after=near.mask(after, marks, change.get("after_unknown")),
        create_first=actions[:1] == ("create",),
        reason=entry.get("action_reason"),
        replace_paths=tuple(
            dict.fromkeys(near.path(path, marks) for path in change.get("replace_paths") or [])
        ),
        previous_address=_moved_from(entry),
        imported_id=_imported(importing, near) if importing else None,
        deposed=entry.get("deposed") or None,
        deferred=deferred,
    )


def _marks(entry: Mapping[str, Any], prior: Mapping[str, Mapping[str, Any]]) -> Any:
    """Returns the united marks before and after the change and in the prior state."""
    change = entry["change"]
    marks = united(change.get("before_sensitive"), change.get("after_sensitive"))
    for address in (entry["address"], str(entry.get("previous_address"))):
        if address in prior:
            marks = united(marks, prior[address]["change"]["before_sensitive"])
    return marks


def _action(actions: Sequence[str]) -> str:
    """Reduces Terraform's list of actions to one word. A list with "delete" is always a deletion
    or replacement, also in combinations that Terraform does not write today."""
    if "delete" in actions:
        return "replace" if len(actions) > 1 else "delete"
    return actions[0] if len(actions) == 1 else " and ".join(actions) or "no-op"


def _moved_from(entry: Mapping[str, Any]) -> str | None:
    previous = entry.get("previous_address")
    return previous if previous and previous != entry["address"] else None


def _imported(importing: Mapping[str, Any], masker: Masker) -> str:
    said = importing.get("id") or importing.get("identity")
    if not said:
        return "an id known after apply"
    return masker.text(said if isinstance(said, str) else json.dumps(said, sort_keys=True))


def _prior_resources(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the managed resources of the prior state as no-op changes."""
    values = (found.get("prior_state") or {}).get("values") or {}
    for module, resource in resources_of(values.get("root_module") or {}):
        if resource.get("mode") != "managed" or resource.get("deposed_key"):
            continue
        held, marks = resource.get("values"), resource.get("sensitive_values")
        yield {
            **resource,
            "module_address": module,
            "change": {
                "actions": ["no-op"],
                "before": held,
                "after": held,
                "before_sensitive": marks,
                "after_sensitive": marks,
            },
        }


def resources_of(module: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields module address and resource, of a module of a state or planned values and below it."""
    for resource in module.get("resources") or []:
        yield module.get("address") or "", resource
    for child in module.get("child_modules") or []:
        yield from resources_of(child)


def _outputs(found: Mapping[str, Any], masker: Masker) -> Iterator[Output]:
    for name, change, marks in _marked_outputs(found):
        before, after = change.get("before"), change.get("after")
        near = masker.near([(before, marks), (after, marks)])
        yield Output(
            name=masker.text(name),
            action=_action(tuple(change["actions"])),
            before=near.mask(before, marks),
            after=near.mask(after, marks, change.get("after_unknown")),
        )


def _failing(checks: Sequence[Mapping[str, Any]], masker: Masker) -> Iterator[Check]:
    for check in checks:
        instances = check.get("instances") or [check]
        for instance in instances:
            status = instance.get("status") or check.get("status")
            if status not in ("fail", "error"):
                continue
            yield Check(
                address=(instance.get("address") or check["address"])["to_display"],
                status=status,
                problems=tuple(
                    masker.text(problem["message"]) for problem in instance.get("problems") or []
                ),
            )


def _marked_outputs(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yields each output in the plan with its change and marks."""
    configured = ((found.get("configuration") or {}).get("root_module") or {}).get("outputs") or {}
    states = [
        (found.get("planned_values") or {}).get("outputs") or {},
        ((found.get("prior_state") or {}).get("values") or {}).get("outputs") or {},
        configured,
    ]
    for name, change in (found.get("output_changes") or {}).items():
        marks = united(change.get("before_sensitive"), change.get("after_sensitive"))
        if any((state.get(name) or {}).get("sensitive") is True for state in states):
            marks = True
        yield name, change, marks


def _secrets(found: Mapping[str, Any], prior: Mapping[str, Mapping[str, Any]]) -> Secrets:
    """Collects every sensitive value of the plan."""
    entries = [
        *(found.get("resource_changes") or []),
        *(entry["resource_change"] for entry in found.get("deferred_changes") or []),
        *(found.get("resource_drift") or []),
        *prior.values(),
    ]
    changes = [(entry["change"], _marks(entry, prior)) for entry in entries]
    changes += [(change, marks) for _, change, marks in _marked_outputs(found)]
    sides = [(change.get(side), marks) for change, marks in changes for side in ("before", "after")]
    secrets = Secrets()
    secrets.public(name for value, _ in sides if isinstance(value, dict) for name in value)
    for value in _sensitive_variables(found):
        secrets.add(value)
    for value, marks in sides:
        for inner in marked_values(value, marks):
            secrets.add(inner)
    secrets.keep(
        str(address)
        for entry in entries
        for address in (entry["address"], entry.get("previous_address"))
        if address
    )
    return secrets


def _sensitive_variables(found: Mapping[str, Any]) -> Iterator[Any]:
    """Yields values of variables declared as sensitive, in the root and its modules."""
    root = (found.get("configuration") or {}).get("root_module") or {}
    given = found.get("variables") or {}
    for name, variable in (root.get("variables") or {}).items():
        if variable.get("sensitive") is True:
            yield (given.get(name) or {}).get("value")
    yield from _sensitive_inputs(root)


def _sensitive_inputs(module: Mapping[str, Any]) -> Iterator[Any]:
    """Yields defaults of sensitive variables, and constants that module calls pass to them."""
    for variable in (module.get("variables") or {}).values():
        if variable.get("sensitive") is True:
            yield variable.get("default")
    for call in (module.get("module_calls") or {}).values():
        child = call.get("module") or {}
        given = call.get("expressions") or {}
        for name, variable in (child.get("variables") or {}).items():
            if variable.get("sensitive") is True:
                yield (given.get(name) or {}).get("constant_value")
        yield from _sensitive_inputs(child)
