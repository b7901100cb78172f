"""An account that answers as botocore's service models say AWS does, and holds what a test says."""

from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

REGION = "eu-west-1"
Answer = Mapping[str, Any] | Callable[[Mapping[str, Any]], Any]


def refused(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")  # type: ignore[arg-type]


class Client:
    """Answers from ``answers``, by method; a request or an answer that AWS does not know fails."""

    def __init__(self, service: str, answers: Mapping[str, Answer]) -> None:
        self._client = boto3.client(service, REGION)  # type: ignore[call-overload]
        self._answers = answers

    def __getattr__(self, method: str) -> Callable[..., Any]:
        model = self._client.meta.service_model
        operation = model.operation_model(self._client.meta.method_to_api_mapping[method])

        def call(**parameters: Any) -> Any:
            _check(parameters, operation.input_shape)
            answer = self._answers[method]
            found = answer(parameters) if callable(answer) else answer
            _check(found, operation.output_shape)
            return found

        return call


def _check(value: Any, shape: Any) -> None:
    if shape is None:
        assert value == {}
        return
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()
    assert set(value) <= set(shape.members), value
