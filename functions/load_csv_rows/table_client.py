"""The client for the table that rows are loaded into."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from shared.aws import client

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient

# A given one is not assembled for every call.
USER_AGENT = "event-pipelines-load-csv-rows"


class _Writes:
    """Writes requests that put items, which hold what JSON has and nothing else.

    botocore's own serializer looks at every value by the model of the service, which takes longer
    than all that the loader does with a row. Requests of other operations are left to it.
    """

    OPERATIONS = ("BatchWriteItem", "PutItem")

    def __init__(self, usual: Any) -> None:
        self._usual = usual

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)

    def serialize_to_request(
        self, parameters: dict[str, Any], operation_model: "OperationModel"
    ) -> dict[str, Any]:
        if operation_model.name not in self.OPERATIONS:
            request: dict[str, Any] = self._usual.serialize_to_request(parameters, operation_model)
            return request
        request = self._usual.serialize_to_request({}, operation_model)
        request["body"] = json.dumps(parameters, separators=(",", ":")).encode()
        return request


@cache
def table_client() -> "DynamoDBClient":
    """The client of the writer, which paces and repeats its calls itself.

    boto3's own retries would wait without telling the pace, and a call that hangs would take the
    time that is kept for what follows the writing.
    """
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=2,
        read_timeout=5,
        # Items are made by the loader alone, and DynamoDB looks at them anyway.
        parameter_validation=False,
        user_agent=USER_AGENT,
    )
    made = client("dynamodb", config)
    made._serializer = _Writes(made._serializer)
    return cast("DynamoDBClient", made)
