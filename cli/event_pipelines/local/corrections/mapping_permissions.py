"""Managing an event source mapping needs permission for it.

AWS: a mapping is read with lambda:GetEventSourceMapping, changed with UpdateEventSourceMapping and
removed with DeleteEventSourceMapping. These and CreateEventSourceMapping have the condition key
lambda:FunctionArn, the mapping's function.
MiniStack: lets everybody change and remove mappings, and lets those who may list all read one; it
lacks the key, so permission to map queues cannot be limited to certain functions.
Correction: the actions and the key are those of AWS.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from event_pipelines.local.corrections._ministack import around

_COLLECTION = "event-source-mappings"
_ACTIONS = {
    "GET": "lambda:GetEventSourceMapping",
    "PUT": "lambda:UpdateEventSourceMapping",
    "DELETE": "lambda:DeleteEventSourceMapping",
}
_ACTIONS_WITH_FUNCTION = {"lambda:CreateEventSourceMapping", *_ACTIONS.values()}


def apply() -> None:
    around(
        iam_actions, "extract_iam_action", "service method path headers body query_params", _action
    )
    around(
        iam_actions, "request_tag_context", "service iam_action body params", _requested_function
    )
    around(
        iam_evaluator,
        "enforce",
        "access_key_id iam_action service region resource_arn service_context",
        _enforce,
    )


def _action(
    original: Callable[..., str | None], service: str, method: str, path: str, *args: Any
) -> str | None:
    parts = [part for part in path.split("/") if part]
    is_mapping = service == "lambda" and parts[1:2] == [_COLLECTION] and len(parts) > 2
    if is_mapping and method in _ACTIONS:
        return _ACTIONS[method]
    return original(service, method, path, *args)


def _requested_function(
    original: Callable[..., dict[str, Any]], service: str, iam_action: str, body: bytes, params: Any
) -> dict[str, Any]:
    """Adds the function in the request's body; MiniStack itself only adds the keys of tags."""
    keys = original(service, iam_action, body, params)
    if iam_action not in _ACTIONS_WITH_FUNCTION:
        return keys
    try:
        wanted = json.loads(body or b"{}").get("FunctionName", "")
    except ValueError:
        return keys
    return keys | _function_key(*lambda_svc._resolve_request_scoped_name_and_qualifier(wanted))


def _enforce(
    original: Callable[..., Any],
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    if iam_action in _ACTIONS_WITH_FUNCTION:
        mapping = lambda_svc._esms.get(resource_arn.rpartition(":")[2])
        if mapping is not None:
            has = _function_key(mapping["FunctionName"], mapping.get("Qualifier"))
            service_context = has | (service_context or {})
    return original(access_key_id, iam_action, service, region, resource_arn, service_context)


def _function_key(name: str | None, qualifier: str | None) -> dict[str, str]:
    if not name:
        return {}
    arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
    return {"lambda:FunctionArn": f"{arn}:{qualifier}" if qualifier else arn}
