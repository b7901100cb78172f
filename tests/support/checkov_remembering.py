"""Checkov's command, which evaluates an expression of HCL once; run by checkov's interpreter.

Checkov starts an interpreter of Python expressions for every evaluation, and evaluates one
expression for every call of the module that contains it, and several times on the way to its value:
51,000 evaluations of 8,000 expressions here, two fifths of the run's processor time. An expression
contains the values that it needs, so that its result is always the same.
"""

import pickle
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from checkov.main import Checkov
from checkov.terraform.graph_builder.foreach import abstract_handler
from checkov.terraform.graph_builder.variable_rendering import evaluate_terraform


def remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called once for equal arguments; every call returns a copy of its own."""
    results: dict[bytes, bytes] = {}

    def remembered(*arguments: Any, **named: Any) -> Any:
        # Pickled, because True equals 1, and because callers change the lists that they get.
        key = pickle.dumps((arguments, named))
        if key in results:
            return pickle.loads(results[key])  # noqa: S301 - pickled by the lines below
        result = function(*arguments, **named)
        # A result that contains a function cannot be pickled.
        with suppress(pickle.PicklingError, AttributeError, TypeError):
            results[key] = pickle.dumps(result)
        return result

    return remembered


# A version of checkov without these names fails here. The handler of for_each imports the function.
evaluate_terraform.evaluate_terraform = remembering(evaluate_terraform.evaluate_terraform)
abstract_handler.evaluate_terraform = evaluate_terraform.evaluate_terraform

if __name__ == "__main__":
    # As checkov's own command does.
    warnings.simplefilter("ignore", category=SyntaxWarning)
    sys.exit(Checkov().run())
