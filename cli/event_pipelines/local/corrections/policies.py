"""Policies are evaluated as in IAM: variables, aws:PrincipalArn, and validation of documents.

AWS: `${key}` in Resource, NotResource or the value of a string or ARN condition is replaced by the
request's value of this condition key, or by 'default' in `${key, 'default'}`; `${*}`, `${?}` and
`${$}` are the characters themselves. Wildcards in values are literal. A statement does not apply if
one of its variables has no value, or several. Policies without "Version": "2012-10-17" have no
variables. While a role is assumed, aws:PrincipalArn is the ARN of the role, with its path, and not
that of the session, which Principal and NotPrincipal may name. A policy of a user or role must not
name principals or unknown versions.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
MiniStack: treats variables as text, so that statements with them never match; gives the session's
ARN, so that a Deny for all but some roles denies those; accepts any document.
Correction: variables are replaced before a statement is compared with the request, the key has the
ARN of the role, and documents are refused as on AWS.
"""

import dataclasses
import fnmatch
import functools
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from event_pipelines.local.corrections._ministack import around

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_KEY_AND_DEFAULT = re.compile(r"([^,]+)(?:,\s*'([^']*)'\s*)?")
_WILDCARD = re.compile(r"(\$\{[*?$]\}|[*?])")
_KNOWS_VARIABLES = re.compile(r'"Version"\s*:\s*"2012-10-17"')
# Substrings of the operators whose values are patterns.
_PATTERN_OPERATORS = ("like", "arn")


class _NoValue(Exception):
    """A variable without a default has no value in this request, or several."""


def apply() -> None:
    around(iam_evaluator, "parse_policy_document", "doc", _parse)
    around(iam_evaluator, "_first_match", "ctx stmts effect", _first_match)
    around(iam_evaluator, "_conditions_met", "conditions ctx", _conditions_met)
    around(iam_evaluator, "_fnmatch_compile", "pattern ignore_case", _compile)
    around(iam_evaluator, "_resolve_condition_key", "key ctx", _condition_key)
    around(iam_evaluator, "validate_policy_document", "doc", _validate)
    # A resource's policy is parsed for each request, and never changed.
    loads = functools.lru_cache(maxsize=1024)(json.loads)
    iam_evaluator.json = SimpleNamespace(**vars(json) | {"loads": loads})


def _validate(original: Callable[..., str | None], doc: Any) -> str | None:
    if problem := original(doc):
        return problem
    document = json.loads(doc) if isinstance(doc, str) else doc
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.keys() & {"Principal", "NotPrincipal"}:
            return "Policy document should not specify a principal."
    if document.get("Version", "2012-10-17") not in ("2008-10-17", "2012-10-17"):
        return "The policy must contain a valid version string"
    return None


def _condition_key(original: Callable[..., Any], key: str, ctx: Any) -> Any:
    found = original(key, ctx)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
        return found
    name = iam_evaluator._role_name_from_assumed_arn(found)
    role = iam._roles.get_scoped(ctx.principal_account, None, name)
    return role["Arn"] if role else found


@functools.lru_cache(maxsize=4096)
def _parse_text(original: Callable[..., Any], doc: str) -> Any:
    if not _KNOWS_VARIABLES.search(doc):
        doc = doc.replace("${", "${$}{")
    return original(doc)


def _parse(original: Callable[..., Any], doc: Any) -> Any:
    # Only the text of a whole policy has a version; MiniStack also parses single statements.
    return _parse_text(original, doc) if isinstance(doc, str) else original(doc)


def _first_match(original: Callable[..., Any], ctx: Any, stmts: list[Any], effect: str) -> Any:
    applicable = []
    for statement in stmts:
        if statement.effect != effect:
            continue
        if not any("${" in each for each in (*statement.resources, *statement.not_resources)):
            applicable.append(statement)
            continue
        try:
            applicable.append(
                dataclasses.replace(
                    statement,
                    resources=[_resolve(each, ctx, _as_pattern) for each in statement.resources],
                    not_resources=[
                        _resolve(each, ctx, _as_pattern) for each in statement.not_resources
                    ],
                )
            )
        except _NoValue:
            continue
    return original(ctx, applicable, effect)


def _conditions_met(original: Callable[..., bool], conditions: dict[str, Any], ctx: Any) -> bool:
    if not conditions:
        return True
    try:
        resolved = {
            operator: _condition_values(operator.lower(), values, ctx)
            for operator, values in conditions.items()
        }
    except _NoValue:
        return False
    return original(resolved, ctx)


def _condition_values(operator: str, values: Any, ctx: Any) -> Any:
    if not isinstance(values, dict) or not ("string" in operator or "arn" in operator):
        return values
    is_pattern = any(name in operator for name in _PATTERN_OPERATORS)
    form = _as_pattern if is_pattern else str
    return {
        key: [
            _resolve(each, ctx, form) if isinstance(each, str) else each
            for each in (expected if isinstance(expected, list) else [expected])
        ]
        for key, expected in values.items()
    }


def _resolve(text: str, ctx: Any, form: Callable[[str], str]) -> str:
    """Returns `text` with its variables replaced by values in this `form`; raises _NoValue."""

    def value(variable: re.Match[str]) -> str:
        if variable[1] in ("*", "?", "$"):
            return form(variable[1])
        match = _KEY_AND_DEFAULT.fullmatch(variable[1])
        if match is None:
            raise _NoValue(variable[0])
        found = iam_evaluator._resolve_condition_key(match[1].strip(), ctx)
        if found is None:
            found = match[2]
        if found is None or isinstance(found, list):
            raise _NoValue(variable[0])
        return form(str(found))

    return _VARIABLE.sub(value, text)


def _as_pattern(text: str) -> str:
    """Returns a pattern that matches only `text`."""
    return re.sub(r"([*?$])", r"${\1}", text)


def _compile(
    original: Callable[..., re.Pattern[str]], pattern: str, ignore_case: bool
) -> re.Pattern[str]:
    return _compiled(pattern, ignore_case) if "${" in pattern else original(pattern, ignore_case)


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    # As a glob, which takes linear time; a regular expression with many stars does not.
    glob = "".join(
        f"[{part[2]}]" if _is_escape(part) else part.replace("[", "[[]")
        for part in _WILDCARD.split(pattern)
    )
    return re.compile(f"^{fnmatch.translate(glob)}", re.IGNORECASE if ignore_case else 0)


def _is_escape(part: str) -> bool:
    return part.startswith("${") and _WILDCARD.fullmatch(part) is not None
