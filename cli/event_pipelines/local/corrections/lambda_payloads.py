"""What functions are given, and what they leave, has the fields that Lambda gives it.

AWS: a record of a message with attributes has their MD5, and each of them its lists, empty as they
are. What a function could not do after all attempts is sent to the queue of its DeadLetterConfig as
the event itself, with RequestID, ErrorCode and ErrorMessage as attributes. A payload is JSON.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
MiniStack: leaves the MD5 and the lists out, sends what an on-failure destination gets, and takes
what is no JSON for an empty object.
Correction: the fields are added, the dead letter is the event, and such a payload is refused. For
queues, not for topics.
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
    # Against pollers, that nobody gets the message as it is put there.
    with sqs._queues_lock:
        original(target, function, event, result)
        message = queue["messages"][-1]
        message["body"] = json.dumps(event)
        message["md5_body"] = hashlib.md5(message["body"].encode()).hexdigest()  # noqa: S324
        message["message_attributes"] = attributes
        message["md5_attrs"] = sqs._md5_msg_attrs(attributes)
