"""DescribeAlarms returns complete alarms in every protocol.

AWS: DescribeAlarms returns the same in each of its protocols.
MiniStack: in the query protocol, which Terraform's provider uses up to 6.49, omits period,
statistic, dimensions, actions and more, so that every plan shows them as changes.
Correction: the query response is made from the complete JSON one.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from event_pipelines.local.corrections._ministack import around

_LISTS = ("AlarmNames", "AlarmTypes")
_SCALARS = ("AlarmNamePrefix", "StateValue", "MaxRecords", "NextToken")
_LARGEST_LIST = 100


def apply() -> None:
    around(cloudwatch, "_describe_alarms", "params cbor_data is_cbor is_json", _describe)


def _describe(
    original: Callable[..., Any], params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False
) -> Any:
    if is_cbor or is_json:
        return original(params, cbor_data, is_cbor, is_json)
    status, _, body = original(params, _as_json_request(params), False, True)
    if status != 200:
        # An error has no fields to lose; the original formats it in the right protocol.
        return original(params, cbor_data, is_cbor, is_json)
    result = _as_xml("DescribeAlarmsResult", json.loads(body))
    return cloudwatch._xml(200, "DescribeAlarmsResponse", result)


def _as_json_request(params: Any) -> dict[str, Any]:
    request: dict[str, Any] = {}
    for name in _LISTS:
        members = (f"{name}.member.{number}" for number in range(1, _LARGEST_LIST + 1))
        request[name] = [cloudwatch._p(params, member) for member in members if member in params]
    for name in _SCALARS:
        if name in params:
            request[name] = cloudwatch._p(params, name)
    return request


def _as_xml(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(_as_xml(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(_as_xml("member", item) for item in value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    elif name.endswith("Timestamp") and isinstance(value, int | float):
        inner = datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"
