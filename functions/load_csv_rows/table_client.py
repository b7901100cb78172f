"""The client for the table that rows are loaded into."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from shared.aws import client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

USER_AGENT = "event-pipelines-load-csv-rows"
_PROTOCOL = "DynamoDB_20120810"
# Items are new trees without circular references.
_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class _Puts:
    """Replacement of botocore's API call for the operations that put items.

    botocore checks every value against the service model and every call against the rules of
    endpoints and plugins, which takes longer than all other work of the loader on a row. Requests
    of plain JSON need neither. botocore's own parts sign and send the request, and parse the
    response and errors.
    """

    OPERATIONS = ("BatchWriteItem", "PutItem")

    def __init__(self, made: Any) -> None:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        self._client = made
        self._usual = made._make_api_call
        self._new_request = AWSRequest
        self._signer = SigV4Auth
        self._credentials = made._request_signer._credentials
        self._session = made._endpoint.http_session
        self._parser = made._response_parser

    def __call__(self, operation: str, parameters: dict[str, Any]) -> Any:
        """Make a call. Raises the same exceptions as botocore."""
        if operation not in self.OPERATIONS:
            return self._usual(operation, parameters)
        meta = self._client.meta
        request = self._new_request(
            "POST",
            f"{meta.endpoint_url}/",
            {
                "Content-Type": "application/x-amz-json-1.0",
                "User-Agent": USER_AGENT,
                "X-Amz-Target": f"{_PROTOCOL}.{operation}",
            },
            _ENCODER.encode(parameters).encode(),
        )
        frozen = self._credentials.get_frozen_credentials()
        self._signer(frozen, "dynamodb", meta.region_name).add_auth(request)
        prepared = request.prepare()
        event = f"before-send.dynamodb.{operation}"
        answer = meta.events.emit_until_response(event, request=prepared)[1]
        if answer is None:
            answer = self._session.send(prepared)
        response = {
            "headers": answer.headers,
            "status_code": answer.status_code,
            "body": answer.content,
            "context": {"operation_name": operation},
        }
        model = meta.service_model
        found = self._parser.parse(response, model.operation_model(operation).output_shape)
        if answer.status_code < 300:
            return found
        code = found["Error"]["Code"]
        # Members of the error, such as the existing item after a failed condition.
        if shape := model.shape_for_error_code(code):
            found |= self._parser.parse(response, shape)
        raise self._client.exceptions.from_code(code)(found, operation)


@cache
def table_client() -> "DynamoDBClient":
    """Return the client of the writer, which paces and repeats its calls itself.

    boto3's own retries would wait without telling the pace. A call that hangs must not take the
    time that is reserved for the work after writing.
    """
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=2,
        read_timeout=5,
        user_agent=USER_AGENT,
    )
    made = client("dynamodb", config)
    made._make_api_call = _Puts(made)
    return cast("DynamoDBClient", made)
