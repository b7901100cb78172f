"""Replaces functions of MiniStack; fails with the correction's name if they are not as expected."""

import functools
import importlib.metadata
import inspect
from collections.abc import Callable
from typing import Any

PINNED_VERSION = "1.5.33"


class CorrectionMismatch(Exception):
    """A correction does not fit the installed version of MiniStack."""


def around(owner: Any, name: str, parameters: str, wrapper: Callable[..., Any]) -> None:
    """Replaces `owner.name` by `wrapper`, which receives the original before its arguments.

    `parameters` are the original's, separated by spaces. The correction is named after the module
    that defines `wrapper`. Raises CorrectionMismatch if the original is missing or differs.
    """
    original = getattr(owner, name, None)
    found = " ".join(inspect.signature(original).parameters) if callable(original) else "nothing"
    if not callable(original) or found != parameters:
        correction = wrapper.__module__.rpartition(".")[2]
        raise CorrectionMismatch(
            f"Correction {correction} is written for MiniStack {PINNED_VERSION}, where "
            f"{owner.__name__}.{name} takes ({parameters}); MiniStack "
            f"{importlib.metadata.version('ministack')} has ({found}) there. Install the pinned "
            f"version, or adapt the correction to this one."
        )

    replacement: Callable[..., Any] = functools.partial(wrapper, original)
    if inspect.isclass(owner):
        # Only a function becomes a method, but corrections are called a dozen times a request.
        called = replacement
        replacement = lambda *args, **kwargs: called(*args, **kwargs)  # noqa: E731
    setattr(owner, name, functools.update_wrapper(replacement, original))
