"""The ledger's table in memory, for tests that need it thousands of times.

It reads the expressions that the ledger writes, and refuses any other. Some of the tests that use
it run on moto as well, which keeps it honest.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unit.load_csv_rows.fake_table import client_error, client_exceptions

Item = dict[str, dict[str, Any]]

TERM = re.compile(r"(\S+) (=|IN) (\S+|\(.+\))")


class UnknownExpression(AssertionError):
    """The ledger has learnt something that this table has not."""


@dataclass
class FakeLedgerTable:
    """Stands in for the DynamoDB client of a table with the keys ``import_id`` and ``part``."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    exceptions: Any = field(default_factory=client_exceptions)

    def get_item(self, *, Key: Item, ConsistentRead: bool, **_: Any) -> Any:  # noqa: N803
        assert ConsistentRead
        found = self.items.get(_key(Key))
        return {"Item": found} if found else {}

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        ((table, request),) = RequestItems.items()
        assert request["ConsistentRead"]
        found = [{"part": key["part"]} for key in request["Keys"] if _key(key) in self.items]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def put_item(self, **request: Any) -> Any:
        self._write("PutItem", [(self._put, request)])

    def update_item(self, **request: Any) -> Any:
        self._write("UpdateItem", [(self._update, request)])
        return {"Attributes": self.items[_key(request["Key"])]}

    def transact_write_items(self, *, TransactItems: Any) -> Any:  # noqa: N803
        writes: Mapping[str, Any] = {"Put": self._put, "Update": self._update}
        requests = [next(iter(item.items())) for item in TransactItems]
        met = [self._met(request) for _, request in requests]
        if not all(met):
            codes = [{"Code": "None" if fine else "ConditionalCheckFailed"} for fine in met]
            refusal = client_error("TransactionCanceledException", "TransactWriteItems").response
            raise self.exceptions.TransactionCanceledException(
                {**refusal, "CancellationReasons": codes}, "TransactWriteItems"
            )
        self._write("TransactWriteItems", [(writes[kind], request) for kind, request in requests])

    def _write(self, operation: str, writes: list[tuple[Callable[..., None], Any]]) -> None:
        for write, request in writes:
            if not self._met(request):
                raise self.exceptions.ConditionalCheckFailedException(
                    client_error("ConditionalCheckFailedException", operation).response, operation
                )
            write(request)

    def _put(self, request: Any) -> None:
        self.items[_key(request["Item"])] = request["Item"]

    def _update(self, request: Any) -> None:
        item = dict(self.items.get(_key(request["Key"]), request["Key"]))
        expression = request["UpdateExpression"]
        for action, body in re.findall(r"(SET|ADD) (.+?)(?= SET | ADD |$)", expression):
            for change in body.split(", "):
                name, _, value = change.replace(" = ", " ").partition(" ")
                name = _resolved(name, request)
                given = request["ExpressionAttributeValues"][value]
                if action == "ADD":
                    there = item.get(name, {"N": "0"})
                    given = {"N": str(int(there["N"]) + int(given["N"]))}
                item[name] = given
        self.items[_key(request["Key"])] = item

    def _met(self, request: Any) -> bool:
        item = self.items.get(_key(request.get("Key") or request["Item"]), {})
        terms = request["ConditionExpression"].split(" AND ")
        return all(_holds(term, item, request) for term in terms)


def _holds(term: str, item: Item, request: Any) -> bool:
    if term in ("attribute_exists(part)", "attribute_not_exists(part)"):
        return ("part" in item) is (term == "attribute_exists(part)")
    match = TERM.fullmatch(term)
    if match is None:
        raise UnknownExpression(term)
    name, relation, operands = match.groups()
    names = operands.strip("()").split(", ") if relation == "IN" else [operands]
    values = request["ExpressionAttributeValues"]
    wanted = [values[n] if n.startswith(":") else item.get(_resolved(n, request)) for n in names]
    return bool(item) and item.get(_resolved(name, request)) in wanted


def _resolved(name: str, request: Any) -> str:
    return str(request["ExpressionAttributeNames"][name]) if name.startswith("#") else name


def _key(item: Item) -> tuple[str, str]:
    return item["import_id"]["S"], item["part"]["S"]
