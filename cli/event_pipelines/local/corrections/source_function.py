"""Calls of a function's code can be distinguished from Lambda's calls for the function.

AWS: requests with the credentials of an execution environment have lambda:SourceFunctionArn, the
function's ARN without a version. Lambda's own calls in the same role, such as polling a queue, do
not have it, nor do sessions opened with AssumeRole. Resource policies do not see the key.
MiniStack: has no such key, so a role cannot allow polling of its queue and deny it to the code.
Correction: the credentials that a function's worker gets carry the key.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc

from event_pipelines.local.corrections._ministack import around

_KEY = "lambda:sourcefunctionarn"
# Function ARNs by access key. Credentials depend on function and role, which bounds the size.
_functions: dict[str, str] = {}


def apply() -> None:
    # Both modules have imported the function by name, so both are patched.
    for module in (lambda_runtime, lambda_svc):
        around(module, "execution_credentials", "config", _credentials)
    # The copy in STS stays unchanged, because only trust policies use it.
    around(iam_evaluator, "_principal_keys", "credential", _principal_keys)
    around(
        iam_evaluator,
        "evaluate_resource_policy",
        "doc ctx service named_only direct_only",
        _evaluate_resource_policy,
    )


def _credentials(original: Callable[..., dict[str, str]], config: dict[str, Any]) -> dict[str, str]:
    credentials = original(config)
    unqualified = ":".join(config["FunctionArn"].split(":")[:7])
    _functions[credentials["AWS_ACCESS_KEY_ID"]] = unqualified
    return credentials


def _principal_keys(original: Callable[..., dict[str, Any]], credential: Any) -> dict[str, Any]:
    keys = original(credential)
    function = _functions.get(credential.access_key_id)
    return keys if function is None else keys | {_KEY: function}


def _evaluate_resource_policy(
    original: Callable[..., Any], doc: Any, ctx: Any, *args: Any, **kwargs: Any
) -> Any:
    visible = {key: value for key, value in ctx.principal_keys.items() if key != _KEY}
    return original(doc, dataclasses.replace(ctx, principal_keys=visible), *args, **kwargs)
