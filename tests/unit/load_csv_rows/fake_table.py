"""A table in memory that refuses on cue, and what DynamoDB forbids always.

moto neither throttles nor notices a key that is twice in a batch.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

Attributes = Mapping[str, Mapping[str, Any]]

HASH_KEY = "id"
STAMP = "import_stamp"
NOT_THERE = "attribute_not_exists(#key)"
NOT_NEWER = "attribute_not_exists(#stamp) OR #stamp < :stamp"


def client_error(code: str, operation: str, message: str = "", status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


def size_of(item: Attributes) -> int:
    """As the documentation counts: names and texts in UTF-8, numbers by their digits."""
    size = 0
    for name, value in item.items():
        ((kind, content),) = value.items()
        size += len(name.encode())
        size += len(content.encode()) if kind == "S" else 1 if kind == "BOOL" else 21
    return size


class BrokenRule(Exception):
    """A request that DynamoDB would refuse as a whole. Kept, because callers may hide it."""


@cache
def client_exceptions() -> Any:
    """The exceptions of a DynamoDB client; they come with no less than a client."""
    return boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ).exceptions


@dataclass
class FakeTable:
    """Stands in for the DynamoDB client of one table.

    ``fault`` is asked before each call, with the name of the operation and the keys; it returns
    the keys that are left unprocessed, or raises. ``indexed`` names an attribute that is the key
    of an index: items with an empty one are refused.
    """

    fault: Callable[[str, Sequence[str]], Sequence[str]] = lambda *_: ()
    indexed: str = "email"
    items: dict[str, Attributes] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    written: list[list[str]] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)
    exceptions: Any = field(default_factory=client_exceptions)

    def batch_write_item(self, *, RequestItems: Any, ReturnConsumedCapacity: str) -> Any:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        items = [request["PutRequest"]["Item"] for request in requests]
        keys = [self._key(item) for item in items]
        self._rule(0 < len(items) <= 25, "1 to 25 items a call")
        self._rule(len(set(keys)) == len(keys), "a key once a call")
        self._rule(ReturnConsumedCapacity == "TOTAL", "consumed capacity is asked for")
        left = set(self._begin("BatchWriteItem", keys))
        self._refuse_unindexable(items, "BatchWriteItem")
        done = [item for item in items if self._key(item) not in left]
        for item in done:
            self.items[self._key(item)] = item
        self.written.append([self._key(item) for item in done])
        unprocessed = [r for r in requests if self._key(r["PutRequest"]["Item"]) in left]
        return {
            "UnprocessedItems": {table: unprocessed} if unprocessed else {},
            "ConsumedCapacity": [{"TableName": table, "CapacityUnits": sum(map(units, done))}],
        }

    def put_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Item: Attributes,  # noqa: N803
        ConditionExpression: str,  # noqa: N803
        ReturnConsumedCapacity: str,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str,  # noqa: N803
        ExpressionAttributeNames: Mapping[str, str],  # noqa: N803
        ExpressionAttributeValues: Attributes | None = None,  # noqa: N803
    ) -> Any:
        key = self._key(Item)
        assert (ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure) == ("TOTAL", "ALL_OLD")
        self._begin("PutItem", [key])
        self._refuse_unindexable([Item], "PutItem")
        there = self.items.get(key)
        if ConditionExpression == NOT_THERE:
            assert (ExpressionAttributeNames, ExpressionAttributeValues) == (
                {"#key": HASH_KEY},
                None,
            )
            refused = there is not None
        else:
            assert ConditionExpression == NOT_NEWER
            assert ExpressionAttributeNames == {"#stamp": STAMP}
            assert ExpressionAttributeValues
            stamp = ExpressionAttributeValues[":stamp"]["S"]
            refused = there is not None and STAMP in there and there[STAMP]["S"] >= stamp
        if refused:
            refusal = client_error("ConditionalCheckFailedException", "PutItem")
            response = {**refusal.response, "Item": there}
            raise self.exceptions.ConditionalCheckFailedException(response, "PutItem")
        self.items[key] = Item
        self.written.append([key])
        return {"ConsumedCapacity": {"TableName": TableName, "CapacityUnits": units(Item)}}

    def _begin(self, operation: str, keys: Sequence[str]) -> Sequence[str]:
        self.calls[operation] += 1
        return self.fault(operation, keys)

    def _key(self, item: Attributes) -> str:
        key = next(iter(item[HASH_KEY].values()))
        self._rule(0 < len(key.encode()) <= 2048, "keys of 1 to 2048 bytes")
        self._rule(size_of(item) <= 400 * 1024, "items of 400 KB")
        return str(key)

    def _refuse_unindexable(self, items: Sequence[Attributes], operation: str) -> None:
        if any(item.get(self.indexed) == {"S": ""} for item in items):
            raise client_error("ValidationException", operation, f"IndexKey: {self.indexed}")

    def _rule(self, kept: bool, rule: str) -> None:
        if not kept:
            self.broken_rules.append(rule)
            raise BrokenRule(rule)


def units(item: Attributes) -> int:
    return math.ceil(size_of(item) / 1024)
