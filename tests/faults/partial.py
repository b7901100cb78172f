"""Batches of which the service takes only a part, and really does only that."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from faults.exchange import Answer, Request, json_answer

Forward = Callable[[Request], Answer]
Document = dict[str, Any]


def partly(request: Request, draw: random.Random, forward: Forward) -> Answer:
    """Forward some entries of a batch, perhaps none, and never all; answer for all of them."""
    document: Document = json.loads(request.body)
    act = {
        "sqs SendMessageBatch": _send_messages,
        "dynamodb BatchWriteItem": _write_items,
        "dynamodb BatchGetItem": _get_items,
    }[request.operation]

    def ask(changed: Mapping[str, Any]) -> Document:
        return _ask(request, {**document, **changed}, forward)

    try:
        return json_answer(act(document, draw, ask))
    except _Refused as refused:
        return refused.answer


def resigned(request: Request, document: Document) -> Request:
    """The request with another body, signed by the account's root, at whom boto3 points here."""
    body = json.dumps(document).encode()
    kept = ("content-type", "x-amz-target")
    headers = {name: value for name, value in request.headers if name.lower() in kept}
    url = f"https://{request.header('Host')}{request.path}"
    signed = AWSRequest("POST", url, headers, body)
    root = botocore.session.Session().get_credentials()
    assert root is not None
    SigV4Auth(root, request.service, request.region).add_auth(signed)
    signed.headers["Host"] = request.header("Host")
    signed.headers["Content-Length"] = str(len(body))
    return Request("POST", request.path, tuple(signed.headers.items()), body)


class _Refused(Exception):
    """The service took nothing of what was left of a batch, and says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def _ask(request: Request, document: Document, forward: Forward) -> Document:
    answer = forward(resigned(request, document))
    if answer.status != 200:
        raise _Refused(answer)
    found: Document = json.loads(answer.body)
    return found


def _some(number: int, draw: random.Random) -> frozenset[int]:
    return frozenset(draw.sample(range(number), draw.randrange(number)))


def _send_messages(
    document: Document, draw: random.Random, ask: Callable[[Document], Document]
) -> Document:
    entries = document["Entries"]
    taken = _some(len(entries), draw)
    chosen = [entry for number, entry in enumerate(entries) if number in taken]
    answer = ask({"Entries": chosen}) if chosen else {"Successful": []}
    failed = [
        {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "Injected."}
        for number, entry in enumerate(entries)
        if number not in taken
    ]
    return {**answer, "Failed": [*answer.get("Failed", []), *failed]}


def _write_items(
    document: Document, draw: random.Random, ask: Callable[[Document], Document]
) -> Document:
    pairs = [(table, one) for table, many in document["RequestItems"].items() for one in many]
    taken = _some(len(pairs), draw)
    chosen = _by_table(pair for number, pair in enumerate(pairs) if number in taken)
    left = _by_table(pair for number, pair in enumerate(pairs) if number not in taken)
    answer = ask({"RequestItems": chosen}) if chosen else {}
    _add(left, answer.get("UnprocessedItems", {}))
    return {**answer, "UnprocessedItems": left}


def _get_items(
    document: Document, draw: random.Random, ask: Callable[[Document], Document]
) -> Document:
    requests = document["RequestItems"]
    pairs = [(table, key) for table, request in requests.items() for key in request["Keys"]]
    taken = _some(len(pairs), draw)

    def asking(keys: Mapping[str, list[Any]]) -> Document:
        return {table: {**requests[table], "Keys": found} for table, found in keys.items()}

    chosen = _by_table(pair for number, pair in enumerate(pairs) if number in taken)
    left = _by_table(pair for number, pair in enumerate(pairs) if number not in taken)
    answer = (
        ask({"RequestItems": asking(chosen)})
        if chosen
        else {"Responses": {table: [] for table in requests}}
    )
    unread = {table: found["Keys"] for table, found in answer.get("UnprocessedKeys", {}).items()}
    _add(left, unread)
    return {**answer, "UnprocessedKeys": asking(left)}


def _by_table(pairs: Any) -> dict[str, list[Any]]:
    tables: dict[str, list[Any]] = {}
    for table, thing in pairs:
        tables.setdefault(table, []).append(thing)
    return tables


def _add(tables: dict[str, list[Any]], more: Mapping[str, list[Any]]) -> None:
    for table, things in more.items():
        tables.setdefault(table, []).extend(things)
