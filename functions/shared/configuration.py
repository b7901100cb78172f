"""Settings from environment variables.

Functions read them at import, which Lambda runs once per environment and at full CPU: an invalid
variable stops a function before it takes a message.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import combinations
from typing import TypeVar

T = TypeVar("T")


# What is stripped of spaces: all values, the names of columns only, or nothing.
TRIMMING = ("all", "names", "none")
# Handling of a row that lacks cells at its end.
MISSING_CELLS = ("reject", "empty")


class ConfigurationError(Exception):
    """A variable is missing or invalid. The message names the variable and what to set it to."""


class Environment:
    """Typed access to environment variables. An empty variable counts as not set."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str | None = None) -> str:
        """Return a variable. Raises ConfigurationError if it is not set and has no default."""
        value = self._variables.get(name) or default
        if value is None:
            raise ConfigurationError(
                f"The environment variable {name} is not set: set it on the function."
            )
        return value

    def optional(self, name: str) -> str | None:
        return self._variables.get(name) or None

    def parsed(
        self, name: str, parse: Callable[[str], T], must_be: str, default: str | None = None
    ) -> T:
        """Convert with ``parse``; its ValueError raises ConfigurationError naming ``must_be``."""
        value = self.text(name, default)
        try:
            return parse(value)
        except ValueError:
            raise ConfigurationError(
                f"The environment variable {name} is {value!r}: set it to {must_be}."
            ) from None

    def integer(self, name: str, minimum: int, maximum: int, default: int | None = None) -> int:
        def parse(value: str) -> int:
            number = int(value)
            if not minimum <= number <= maximum:
                raise ValueError
            return number

        return self.parsed(
            name,
            parse,
            f"a whole number from {minimum} to {maximum}",
            None if default is None else str(default),
        )

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        """Return one of ``choices``. Raises ConfigurationError for any other value."""
        known = {choice: choice for choice in choices}

        def parse(value: str) -> str:
            if value not in known:
                raise ValueError
            return known[value]

        return self.parsed(name, parse, f"one of {', '.join(known)}", default)

    def prefix(self, name: str, default: str | None = None) -> str:
        """A key prefix that names a folder: ends with a slash, does not start with one."""

        def parse(value: str) -> str:
            if value.startswith("/") or not value.endswith("/"):
                raise ValueError
            return value

        return self.parsed(
            name, parse, "a key prefix that ends with a slash, such as folder/", default
        )


def refuse_overlaps(prefixes: Mapping[str, str]) -> None:
    """Raises ConfigurationError if one of ``prefixes``, by their variables, contains another.

    Objects written below one of them would be taken for uploads below the other.
    """
    for (name, prefix), (other_name, other) in combinations(prefixes.items(), 2):
        if prefix.startswith(other) or other.startswith(prefix):
            raise ConfigurationError(
                f"{other_name} ({other}) and {name} ({prefix}) overlap: set them to separate"
                " folders, or the function would process its own output as uploads."
            )


def column_names(value: str) -> tuple[str, ...]:
    """Read names, separated by commas. Raises ValueError for an empty one, or one given twice."""
    names = tuple(name.strip() for name in value.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise ValueError
    return names


def column_values(value: str) -> dict[str, object]:
    """Read a JSON object of columns; numbers keep their digits. Raises ValueError if invalid."""
    members = json.loads(value, parse_float=Decimal, parse_int=Decimal)
    if not isinstance(members, dict) or not all(members):
        raise ValueError
    return members
