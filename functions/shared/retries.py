"""Retries with pauses, and batch reads that need them."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Limit of BatchGetItem.
KEYS_PER_CALL = 100


class ReadIncomplete(Exception):
    """DynamoDB kept leaving some of the keys unread."""


def attempts(
    count: int, first_pause: float, longest_pause: float, sleep: Callable[[float], None]
) -> Iterator[int]:
    """Yields 1 to ``count``, with random pauses between them (full jitter), in seconds.

    The bound of the first pause is ``first_pause``; it doubles up to ``longest_pause``.
    """
    longest = first_pause
    for attempt in range(1, count + 1):
        yield attempt
        if attempt < count:
            sleep(random.uniform(0, longest))  # noqa: S311 - spreads load, hides nothing
            longest = min(2 * longest, longest_pause)


def batch_get(
    dynamodb: "DynamoDBClient", request: Any, pauses: Iterator[int]
) -> Iterator[Mapping[str, Any]]:
    """Yields every response to BatchGetItem, and requests the keys that it left unread again.

    Raises ReadIncomplete when ``pauses`` end with unread keys, and ClientError or BotoCoreError.
    """
    for _ in pauses:
        response = dynamodb.batch_get_item(RequestItems=request)
        yield response
        request = response.get("UnprocessedKeys")
        if not request:
            return
    unread = sum(len(table["Keys"]) for table in request.values())
    raise ReadIncomplete(f"DynamoDB returned no answer for {unread} keys (UnprocessedKeys)")
