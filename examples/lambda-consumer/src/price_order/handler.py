"""Adds up orders from a queue and files the totals."""

import json
import logging
import os
from decimal import Decimal
from typing import Any

import boto3

logger = logging.getLogger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Returns the messages that failed: only they come back, and at last become dead letters."""
    failed = []
    for message in event["Records"]:
        try:
            order = json.loads(message["body"], parse_float=Decimal)
            total = total_of(order)
            # The same message may come twice; the same item is then written twice.
            table.put_item(Item={"order": str(order["order"]), "total": total})
        except Exception:
            logger.exception("message %s failed", message["messageId"])
            failed.append({"itemIdentifier": message["messageId"]})
        else:
            logger.info("order %s: %s", order["order"], total)
    return {"batchItemFailures": failed}


def total_of(order: dict[str, Any]) -> Decimal:
    """Returns the price of all lines. Raises KeyError, or TypeError, if a line lacks a number."""
    return sum((line["price"] * line["quantity"] for line in order["lines"]), Decimal())
