"""Records and dead letters of functions have the fields that Lambda gives them.

AWS: the record of a message with attributes has the attributes' MD5, and each attribute its (empty)
lists. An event that failed in all attempts is sent as it is to the queue of the DeadLetterConfig,
with RequestID, ErrorCode and ErrorMessage as attributes. A payload must be JSON.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
MiniStack: omits the MD5 and the lists, sends what an on-failure destination gets, and treats a
payload that is not JSON as an empty object.
Correction: the fields are added, the dead letter is the event, and such a payload is refused. Only
for queues, not for topics.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

from event_pipelines.local.corrections._ministack import around

_LONGEST_MESSAGE = 1024


def apply() -> None:
    around(lambda_svc, "_sqs_message_attributes_to_camel_case", "attrs", _attributes)
    around(
        lambda_svc, "_run_sqs_batch", "esm func_rec event batch queue_url queue_name", _run_batch
    )
    around(lambda_svc, "_route_async_failure", "target_arn func_name event result", _dead_letter)
    around(lambda_svc, "handle_request", "method path headers body query_params", _handle)


async def _handle(
    original: Callable[..., Any], method: str, path: str, headers: Any, body: bytes, *args: Any
) -> Any:
    if body and method == "POST" and path.endswith("/invocations"):
        try:
            json.loads(body)
        except ValueError as error:
            reason = f"Could not parse request body into json: {error}"
            return lambda_svc.error_response_json("InvalidRequestContentException", reason, 400)
    return await original(method, path, headers, body, *args)


def _attributes(original: Callable[..., dict[str, Any]], attrs: Any) -> dict[str, Any]:
    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    return {name: lists | value for name, value in original(attrs).items()}


def _run_batch(
    original: Callable[..., None], esm: Any, func_rec: Any, event: Any, batch: Any, *queue: str
) -> None:
    attributes = {message["id"]: message.get("message_attributes") for message in batch}
    for record in event["Records"]:
        if found := sqs._md5_msg_attrs(attributes[record["messageId"]]):
            record["md5OfMessageAttributes"] = found
    original(esm, func_rec, event, batch, *queue)


def _dead_letter(
    original: Callable[..., None], target: str, function: str, event: Any, result: dict[str, Any]
) -> None:
    config = lambda_svc._functions.get(function, {}).get("config", {})
    queue = sqs._queue_by_arn(target)
    if queue is None or (config.get("DeadLetterConfig") or {}).get("TargetArn") != target:
        original(target, function, event, result)
        return
    error = result.get("body")
    said = error.get("errorMessage", "") if isinstance(error, dict) else ""
    values = {
        "RequestID": ("String", sqs.new_uuid()),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", str(said)[:_LONGEST_MESSAGE]),
    }
    attributes = {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in values.items()
        if value
    }
    # Locked, so that no poller receives the message before it is rewritten.
    with sqs._queues_lock:
        original(target, function, event, result)
        message = queue["messages"][-1]
        message["body"] = json.dumps(event)
        message["md5_body"] = hashlib.md5(message["body"].encode()).hexdigest()  # noqa: S324
        message["message_attributes"] = attributes
        message["md5_attrs"] = sqs._md5_msg_attrs(attributes)
