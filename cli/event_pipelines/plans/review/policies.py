"""IAM policies: compares statements by meaning and flags those that allow too much."""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from event_pipelines.console import printable
from event_pipelines.plans.review.plan import Change
from event_pipelines.plans.review.plan_values import Json, Secret, Unknown, meaning, shown

# Condition keys that restrict who may use a statement, so that a principal of * is not public.
# (Those that Amazon S3 counts as making a bucket policy non-public, and the organisation keys.)
LIMITING_KEYS = frozenset({
    "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
    "aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourceowner",
    "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "kms:calleraccount",
    "lambda:functionurlauthtype", "s3:dataaccesspointaccount", "sns:endpoint",
})  # fmt: skip
LIMITING_OPERATORS = ("stringequals", "stringlike", "arnequals", "arnlike", "ipaddress")
SOURCE_KEYS = frozenset(
    {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceowner"}
)
WIDTH = 90
ATTACHMENTS = ("role", "user", "group", "roles", "users", "groups")


@dataclass(frozen=True)
class Statement:
    """One statement, each part a sorted tuple of strings. `key` is equal for statements of equal
    meaning: it ignores `sid`, and `hidden` tells different secrets apart, which are shown alike."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...]
    conditions: tuple[str, ...]
    flags: tuple[str, ...]
    sid: str = ""
    hidden: tuple[int, ...] = ()

    @property
    def key(self) -> Hashable:
        # IAM ignores the case of actions and the order of elements.
        lowered = frozenset(action.lower() for action in self.actions)
        return (self.effect, lowered, self.resources, self.principals, self.conditions, self.hidden)

    def lines(self, *, wrapped: bool = True) -> tuple[str, ...]:
        """Returns lines to show; without `wrapped`, each value has a line of its own."""
        name = f" ({self.sid})" if self.sid else ""
        parts = (
            ("", self.actions),
            ("on ", self.resources),
            ("by ", self.principals),
            ("when ", self.conditions),
        )
        listed = [f"  {word}{each}" for word, values in parts for each in _rows(values, wrapped)]
        return (f"{self.effect}{name}", *listed)


@dataclass(frozen=True)
class PolicyChange:
    """The change of one policy. `unreadable`: why its statements cannot be compared; `fresh`: it
    belongs to a resource that is new itself."""

    label: str
    type: str
    attribute: str
    action: str
    removed: tuple[Statement, ...] = ()
    added: tuple[Statement, ...] = ()
    kept: int = 0
    notes: tuple[str, ...] = ()
    unreadable: str | None = None
    fresh: bool = False

    @property
    def flags(self) -> tuple[tuple[str, Statement], ...]:
        return tuple((flag, statement) for statement in self.added for flag in statement.flags)


def _rows(values: Iterable[str], wrapped: bool) -> list[str]:
    """Joins values into as few lines as possible if `wrapped`, else one line each."""
    rows: list[str] = []
    for value in values:
        if wrapped and rows and len(rows[-1]) + len(value) < WIDTH:
            rows[-1] += f", {value}"
        else:
            rows.append(value)
    return rows


def is_policy(value: Any) -> bool:
    """Whether a JSON value is an IAM policy."""
    if not isinstance(value, dict):
        return False
    statements = _statements(value)
    return bool(statements) and all(
        isinstance(statement, dict) and "Effect" in statement for statement in statements
    )


def same(before: Any, after: Any) -> bool:
    """Whether two policies have the same version and statements of equal meaning."""
    return before.get("Version") == after.get("Version") and {
        statement.key for statement in statements_of(before)
    } == {statement.key for statement in statements_of(after)}


def statements_of(policy: Any, *, about_itself: bool = True) -> list[Statement]:
    """Parses a policy. `about_itself`: a resource policy, where Resource * means the resource."""
    return [_statement(raw, about_itself) for raw in _statements(policy)]


def _statements(policy: Any) -> list[Any]:
    found = policy.get("Statement") if isinstance(policy, dict) else None
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []


def _statement(raw: Mapping[str, Any], about_itself: bool) -> Statement:
    actions = _parts(raw, "Action")
    resources = _parts(raw, "Resource")
    principals = _principals(raw)
    conditions, keys = _conditions(raw.get("Condition"))
    effect = printable(str(raw.get("Effect", "?")))
    flags: tuple[str, ...] = ()
    if effect != "Deny":
        flags = (
            *_wide_actions(raw),
            *([] if about_itself else _wide_resources(raw)),
            *_wide_principals(raw, keys, trusts="Resource" not in raw),
        )
    sid = raw.get("Sid")
    return Statement(
        effect,
        actions,
        resources,
        principals,
        conditions,
        flags,
        printable(sid) if isinstance(sid, str) else "",
        tuple(sorted(_secrets(raw))),
    )


def _secrets(value: Any) -> Iterator[int]:
    match value:
        case Secret():
            yield value.identity
        case Json():
            yield from _secrets(value.value)
        case dict():
            for inner in value.values():
                yield from _secrets(inner)
        case list():
            for inner in value:
                yield from _secrets(inner)


def _listed(value: Any) -> list[str]:
    elements = value if isinstance(value, list) else [] if value is None else [value]
    # IAM treats JSON's true and the string "true" alike.
    return sorted(
        {printable(element) if isinstance(element, str) else shown(element) for element in elements}
    )


def _parts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return (
        *_listed(raw.get(name)),
        *(f"all but {each}" for each in _listed(raw.get(f"Not{name}"))),
    )


def _principals(raw: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for name, word in (("Principal", ""), ("NotPrincipal", "all but ")):
        value = raw.get(name)
        pairs = value.items() if isinstance(value, dict) else [("AWS", value)] if value else []
        for kind, members in pairs:
            found += [word + _principal(kind, member) for member in _listed(members)]
    return tuple(sorted(set(found)))


def _principal(kind: str, member: str) -> str:
    if kind != "AWS":
        return f"{printable(kind)} {member}"
    if member == "*":
        return "anyone"
    account = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):root|(\d{12})", member)
    return f"account {account[1] or account[2]}" if account else member


def _conditions(raw: Any) -> tuple[tuple[str, ...], frozenset[str]]:
    """Returns the conditions as text, and the keys that restrict the caller."""
    if not isinstance(raw, dict):
        return ((shown(raw),) if raw else ()), frozenset()
    listed, limiting = [], set()
    for operator, tests in raw.items():
        if not isinstance(tests, dict):
            listed.append(f"{printable(operator)} {shown(tests)}")
            continue
        for key, wanted in tests.items():
            values = _listed(wanted)
            listed.append(f"{printable(operator)} {printable(key)} = {' or '.join(values)}")
            closed = not any(re.fullmatch(r"[*:]*|0\.0\.0\.0/0|::/0", value) for value in values)
            if operator.lower().split(":")[-1] in LIMITING_OPERATORS and closed:
                limiting.add(key.lower())
    return tuple(sorted(listed)), frozenset(limiting)


def _wide_actions(raw: Mapping[str, Any]) -> Iterator[str]:
    if raw.get("NotAction"):
        yield "wildcard: every action but some"
    for action in _listed(raw.get("Action")):
        service, _, rest = action.rpartition(":")
        if rest and set(rest) == {"*"}:
            yield f"wildcard: every action of {service}" if service else "wildcard: every action"


def _wide_resources(raw: Mapping[str, Any]) -> Iterator[str]:
    if raw.get("NotResource"):
        yield "wildcard: every resource but some"
    if "*" in _listed(raw.get("Resource")):
        yield "wildcard: every resource"


def _wide_principals(
    raw: Mapping[str, Any], limiting: frozenset[str], trusts: bool
) -> Iterator[str]:
    if raw.get("NotPrincipal"):
        yield "public: everyone but some"
    principal = raw.get("Principal")
    members = principal if isinstance(principal, dict) else {"AWS": principal}
    if "*" in _listed(members.get("AWS")) and not limiting & LIMITING_KEYS:
        yield "public: anyone"
    # A service acts for every account that requests it. Trust policies have no resource; what
    # assumes their role is code that the account itself has given the service.
    services = [] if trusts else _listed(members.get("Service"))
    if services and not limiting & (SOURCE_KEYS | {"aws:principalorgid"}):
        yield f"any account through {', '.join(services)}"


# --- Policies in a plan


def policy_changes(change: Change) -> list[PolicyChange]:
    """Returns the changes of a resource's policies: those in its JSON attributes at any depth, or
    those that Terraform models as a resource of another shape."""
    special = _SPECIAL.get(change.type)
    if special is not None:
        return special(change)
    found = []
    guess = change.type.startswith("aws_")
    before = dict(_policies(change.before, guess))
    after = dict(_policies(change.after, guess))
    for path in {**before, **after}:
        old, new = before.get(path), after.get(path)
        compared = _compared(change, path, old, new)
        if compared is not None:
            found.append(compared)
    return found


def _policies(value: Any, guess: bool, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (path, policy): its JSON or, with `guess`, the Secret or Unknown of an attribute that
    is named like a policy."""
    if isinstance(value, dict):
        for key, inner in value.items():
            below = f"{path}.{key}" if path else key
            if isinstance(inner, Json):
                if is_policy(inner.value):
                    yield below, inner.value
            elif isinstance(inner, Secret | Unknown):
                if guess and key in ("policy", "assume_role_policy", "policy_document"):
                    yield below, inner
            else:
                yield from _policies(inner, guess, below)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _policies(inner, guess, f"{path}[{position}]")


def _compared(change: Change, path: str, old: Any, new: Any) -> PolicyChange | None:
    opaque = next((each for each in (old, new) if isinstance(each, Secret | Unknown)), None)
    if opaque is not None:
        if meaning(old) == meaning(new):
            return None
        readable = [each for each in (old, new) if isinstance(each, dict)]
        if not readable and isinstance(opaque, Unknown) and not _is_certain(change, path):
            return None
        why = "is known only after apply" if isinstance(opaque, Unknown) else "is sensitive"
        return PolicyChange(
            change.label,
            change.type,
            path,
            change.action,
            # A policy that becomes unknown may keep any of its statements.
            removed=tuple(_read(change, old)) if new is None else (),
            added=tuple(_read(change, new)),
            unreadable=f"{'what it was or becomes' if old and new else 'the policy'} {why}",
        )
    one, other = list(_read(change, old)), list(_read(change, new))
    kept = {statement.key for statement in one} & {statement.key for statement in other}
    removed = tuple(statement for statement in one if statement.key not in kept)
    added = tuple(statement for statement in other if statement.key not in kept)
    notes = []
    if old and new and old.get("Version") != new.get("Version"):
        notes.append(f"Version {shown(old.get('Version'))} becomes {shown(new.get('Version'))}")
    if not (removed or added or notes):
        return None
    return PolicyChange(
        change.label, change.type, path, change.action, removed, added, len(kept), tuple(notes)
    )


def _is_certain(change: Change, path: str) -> bool:
    """Whether an unknown attribute is certainly a policy: AWS leaves others of that name empty,
    such as a queue's."""
    return change.type.endswith("_policy") or path == "assume_role_policy"


def _read(change: Change, policy: Any) -> list[Statement]:
    if not isinstance(policy, dict):
        return []
    return statements_of(policy, about_itself=not change.type.startswith("aws_iam_"))


def _lambda_permission(change: Change) -> list[PolicyChange]:
    compared = _compared(
        change, "permission", _permission(change.before), _permission(change.after)
    )
    return [compared] if compared else []


def _permission(values: Any) -> dict[str, Any] | None:
    if not isinstance(values, dict):
        return None
    principal = values.get("principal")
    service = isinstance(principal, str) and principal.endswith(".amazonaws.com")
    equal = {
        "aws:SourceAccount": values.get("source_account"),
        "aws:PrincipalOrgID": values.get("principal_org_id"),
    }
    if values.get("function_url_auth_type") != "NONE":
        equal["lambda:FunctionUrlAuthType"] = values.get("function_url_auth_type")
    function, qualifier = values.get("function_name"), values.get("qualifier")
    known_qualifier = isinstance(function, str) and isinstance(qualifier, str) and qualifier
    return {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service" if service else "AWS": principal},
            "Action": values.get("action"),
            "Resource": f"{function}:{qualifier}" if known_qualifier else function,
            "Condition": {
                "ArnLike": _given({"aws:SourceArn": values.get("source_arn")}),
                "StringEquals": _given(equal),
            },
        }
    }


def _given(tests: Mapping[str, Any]) -> dict[str, Any]:
    return {key: wanted for key, wanted in tests.items() if wanted}


def _attachment(change: Change) -> list[PolicyChange]:
    def statement(values: Any) -> Statement | None:
        if not isinstance(values, dict):
            return None
        to = [
            f"{attribute.rstrip('s')} {name}"
            for attribute in ATTACHMENTS
            for name in _listed(values.get(attribute))
        ]
        policy = values.get("policy_arn")
        wide = isinstance(policy, str) and policy.endswith(
            ("/AdministratorAccess", "/PowerUserAccess", "/IAMFullAccess")
        )
        return Statement(
            "Attach",
            tuple(_listed(policy)),
            (),
            tuple(to),
            (),
            ("wildcard: every action",) if wide else (),
        )

    return _single(change, "policy_arn", statement)


def _function_url(change: Change) -> list[PolicyChange]:
    def statement(values: Any) -> Statement | None:
        if not isinstance(values, dict) or "authorization_type" not in values:
            return None
        open_to_all = values["authorization_type"] == "NONE"
        return Statement(
            "Allow",
            ("lambda:InvokeFunctionUrl",),
            tuple(_listed(values.get("function_name"))),
            ("anyone" if open_to_all else "whoever IAM allows",),
            (),
            ("public: anyone",) if open_to_all else (),
        )

    return _single(change, "authorization_type", statement)


def _single(
    change: Change, attribute: str, statement: Callable[[Any], Statement | None]
) -> list[PolicyChange]:
    """Returns the change of a resource that is a single statement."""
    old, new = statement(change.before), statement(change.after)
    if (old and old.key) == (new and new.key):
        return []
    removed, added = (old,) if old else (), (new,) if new else ()
    return [PolicyChange(change.label, change.type, attribute, change.action, removed, added)]


def _public_access_block(change: Change) -> list[PolicyChange]:
    """Reports only protections that are removed or switched off, because others open nothing."""
    guards = ("block_public_acls", "block_public_policy", "ignore_public_acls",
              "restrict_public_buckets")  # fmt: skip
    before = change.before if isinstance(change.before, dict) else {}
    after = change.after if isinstance(change.after, dict) else {}
    lost = [guard for guard in guards if before.get(guard) is True and after.get(guard) is not True]
    missing = [guard for guard in guards if not before and after.get(guard) is False]
    if not (lost or missing):
        return []
    opened = Statement(
        "Stop blocking", tuple(lost or missing), tuple(_listed(before.get("bucket"))), (), (),
        ("public: the bucket may become so",),
    )  # fmt: skip
    return [
        PolicyChange(change.label, change.type, "public access", change.action, added=(opened,))
    ]


_SPECIAL: Mapping[str, Callable[[Change], list[PolicyChange]]] = {
    "aws_lambda_permission": _lambda_permission,
    "aws_lambda_function_url": _function_url,
    "aws_iam_policy_attachment": _attachment,
    "aws_iam_role_policy_attachment": _attachment,
    "aws_iam_user_policy_attachment": _attachment,
    "aws_iam_group_policy_attachment": _attachment,
    "aws_s3_bucket_public_access_block": _public_access_block,
}
