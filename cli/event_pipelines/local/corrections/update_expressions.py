"""Invalid update expressions are refused, as by DynamoDB.

AWS: each clause occurs once, an assignment has an equals sign, ADD and DELETE have values, and no
two paths overlap.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
MiniStack: ignores what it cannot parse, and applies the last of overlapping paths.
Correction: the same expressions are refused. Items, which MiniStack copies four times for each
update, are copied in less time.
"""

import copy
import marshal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ministack.services import dynamodb

from event_pipelines.local.corrections._ministack import around

_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


class _Targets(set[tuple[Any, ...]]):
    """The paths of an update. `add` raises ValueError if a path overlaps with another."""

    def add(self, path: tuple[Any, ...]) -> None:
        for other in self:
            shorter = min(len(path), len(other))
            if path[:shorter] == other[:shorter]:
                raise ValueError(
                    "Invalid UpdateExpression: Two document paths overlap with each other; must "
                    f"remove or rewrite one of these paths; path one: {_shown(other)}, path two: "
                    f"{_shown(path)}"
                )
        super().add(path)


def apply() -> None:
    dynamodb.copy = SimpleNamespace(deepcopy=_copied)
    around(
        dynamodb,
        "_apply_update_expression",
        "item expr attr_values attr_names updated_attrs",
        _apply_expression,
    )


def _copied(value: Any) -> Any:
    """Returns a deep copy, as `copy.deepcopy` does."""
    try:
        return marshal.loads(marshal.dumps(value))  # noqa: S302
    except ValueError:
        return copy.deepcopy(value)


def _apply_expression(
    original: Callable[..., Any],
    item: Any,
    expr: str,
    attr_values: Any,
    attr_names: Any,
    updated_attrs: set[Any] | None = None,
) -> Any:
    clause, parts = "", []
    seen: set[str] = set()
    for token in [*dynamodb._tokenize(expr), ("IDENT", "SET")]:
        if token[0] != "IDENT" or token[1].upper() not in _CLAUSES:
            parts.append(token)
            continue
        _check(clause, parts)
        if clause in seen:
            raise ValueError(
                f'Invalid UpdateExpression: The "{clause}" section can only be used once in an '
                "update expression;"
            )
        seen.add(clause)
        clause, parts = token[1].upper(), []
    targets = _Targets()
    try:
        return original(item, expr, attr_values, attr_names, targets)
    finally:
        # The caller reads the paths of the update even if it failed.
        if updated_attrs is not None:
            updated_attrs |= targets


def _check(clause: str, tokens: list[Any]) -> None:
    needed = {"SET": "EQ", "ADD": "VALUE_REF", "DELETE": "VALUE_REF"}.get(clause)
    for part in dynamodb._split_by_comma(tokens) if needed else ():
        if all(kind != needed for kind, _ in part):
            token = part[min(1, len(part) - 1)][1]
            near = "".join(text for _, text in part)
            raise ValueError(
                f'Invalid UpdateExpression: Syntax error; token: "{token}", near: "{near}"'
            )


def _shown(path: tuple[Any, ...]) -> str:
    return f"[{', '.join(f'[{part}]' if isinstance(part, int) else part for part in path)}]"
