"""AWS event patterns, the language of SNS payload filters and event source filters.

A pattern names fields and, for each, a list of rules of which one must match. Fields are also
looked up in arrays: an array matches if one of its elements meets all conditions of the pattern for
that element. Differences between the services' dialects (limits, supported operators) are not
modelled.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class InvalidPattern(ValueError):
    """A pattern that AWS would not accept. The message names the invalid part."""


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether a JSON value matches `pattern`; for an array, whether one of its elements does."""
    if isinstance(event, list):
        return any(matches(pattern, element) for element in event or [{}])
    fields = event if isinstance(event, Mapping) else {}
    return all(_field_matches(name, expected, fields) for name, expected in pattern.items())


def validate(pattern: Any) -> None:
    """Raises InvalidPattern unless `pattern` consists of rules that `matches` supports."""
    if not isinstance(pattern, Mapping):
        raise InvalidPattern(f"a pattern is an object, not {pattern!r}")
    for name, expected in pattern.items():
        if name == "$or" and isinstance(expected, list):
            for alternative in expected:
                validate(alternative)
        elif isinstance(expected, Mapping):
            validate(expected)
        elif not isinstance(expected, list) or not expected:
            raise InvalidPattern(f"{name} needs a list of rules, not {expected!r}")
        else:
            for rule in expected:
                _validate_rule(name, rule)


def _field_matches(name: str, expected: Any, fields: Mapping[str, Any]) -> bool:
    if name == "$or":
        return any(matches(alternative, fields) for alternative in expected)
    if isinstance(expected, Mapping):
        return matches(expected, fields.get(name))
    if name not in fields and "." in name:
        # A dot in the name of a field is equivalent to a level of nesting.
        outer, _, inner = name.partition(".")
        return matches({inner: expected}, fields.get(outer))
    leaves = list(_leaves(fields[name])) if name in fields else []
    return any(_rule_holds(rule, leaves) for rule in expected)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif not isinstance(value, Mapping):
        yield value


def _rule_holds(rule: Any, leaves: list[Any]) -> bool:
    if not isinstance(rule, Mapping):
        return any(_same(leaf, rule) for leaf in leaves)
    [(operator, operand)] = rule.items()
    if operator == "exists":
        return bool(leaves) is operand
    return any(_OPERATORS[operator](leaf, operand) for leaf in leaves)


def _same(left: Any, right: Any) -> bool:
    # JSON distinguishes true from 1; Python's == does not.
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _affix(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def holds(leaf: Any, operand: Any) -> bool:
        if not isinstance(leaf, str):
            return False
        if isinstance(operand, Mapping):
            return test(leaf.casefold(), operand["equals-ignore-case"].casefold())
        return test(leaf, operand)

    return holds


def _equals_ignoring_case(leaf: Any, operand: str) -> bool:
    return isinstance(leaf, str) and leaf.casefold() == operand.casefold()


def _wildcard(leaf: Any, operand: str) -> bool:
    parts = re.findall(r"\\[*\\]|.", operand, re.DOTALL)
    # As a glob, which takes linear time; a regular expression with many stars does not.
    pattern = "".join(
        part if part == "*" else f"[{part[-1]}]" if part[-1] in "*?[" else part[-1]
        for part in parts
    )
    return isinstance(leaf, str) and fnmatchcase(leaf, pattern)


def _cidr(leaf: Any, operand: str) -> bool:
    try:
        return ipaddress.ip_address(leaf) in ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False


def _numeric(leaf: Any, operand: list[Any]) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return False
    conditions = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[comparison](leaf, bound) for comparison, bound in conditions)


def _anything_but(leaf: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping):
        [(operator, inner)] = operand.items()
        excluded = inner if isinstance(inner, list) else [inner]
        return not any(_OPERATORS[operator](leaf, value) for value in excluded)
    return not any(_same(leaf, value) for value in _leaves(operand))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "equals-ignore-case": _equals_ignoring_case,
    "wildcard": _wildcard,
    "cidr": _cidr,
    "numeric": _numeric,
    "anything-but": _anything_but,
}


def _validate_rule(name: str, rule: Any) -> None:
    if not isinstance(rule, Mapping):
        if isinstance(rule, list):
            raise InvalidPattern(f"{name} has a list as a rule: {rule!r}")
        return
    if len(rule) != 1 or not (rule.keys() <= {"exists", *_OPERATORS}):
        raise InvalidPattern(f"{name} has an unknown rule: {rule!r}")
    [(operator, operand)] = rule.items()
    if not _operand_fits(operator, operand):
        raise InvalidPattern(f"{name} has a malformed {operator}: {operand!r}")


def _operand_fits(operator: str, operand: Any) -> bool:
    if operator == "exists":
        return isinstance(operand, bool)
    if operator == "numeric":
        return (
            isinstance(operand, list)
            and len(operand) in (2, 4)
            and all(comparison in _COMPARISONS for comparison in operand[::2])
            and all(
                isinstance(bound, int | float) and not isinstance(bound, bool)
                for bound in operand[1::2]
            )
            # In a range of two comparisons, the lower bound comes first.
            and (len(operand) == 2 or (operand[0][0], operand[2][0]) == (">", "<"))
            and (len(operand) == 2 or operand[1] < operand[3])
        )
    if operator == "anything-but":
        if not isinstance(operand, Mapping):
            return operand not in ([], None)
        values = [value for inner in operand.values() for value in _leaves(inner)]
        return (
            len(operand) == 1
            and operand.keys() <= {"prefix", "suffix", "equals-ignore-case", "wildcard"}
            and all(isinstance(value, str) for value in values)
        )
    if operator in ("prefix", "suffix") and isinstance(operand, Mapping):
        return operand.keys() == {"equals-ignore-case"} and _operand_fits(
            "equals-ignore-case", operand["equals-ignore-case"]
        )
    return isinstance(operand, str)
