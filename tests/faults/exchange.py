"""Requests and answers as they travel, and what AWS's services answer when they are unwell."""

import json
import random
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs, urlsplit

JSON = "application/x-amz-json-1.0"
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_S3_METHODS = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}


@dataclass(frozen=True)
class Request:
    """`body` is what the connection carried, also where that was in chunks."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @cached_property
    def service(self) -> str:
        return self._scope["service"]

    @cached_property
    def region(self) -> str:
        return self._scope["region"]

    @cached_property
    def operation(self) -> str:
        """Service and action, as "dynamodb PutItem"; without an action, method and path."""
        if target := self.header("X-Amz-Target"):
            return f"{self.service} {target.rpartition('.')[2]}"
        if self.header("Content-Type").startswith("application/x-www-form-urlencoded"):
            return f"{self.service} {parse_qs(self.body.decode())['Action'][0]}"
        if self.service != "s3":
            return f"{self.service} {self.method} {urlsplit(self.path).path}"
        has_key = "/" in urlsplit(self.path).path.strip("/")
        action = _S3_METHODS.get(self.method) if has_key else None
        return f"s3 {action or f'{self.method} bucket'}"

    @cached_property
    def _scope(self) -> "re.Match[str]":
        found = _SCOPE.search(self.header("Authorization"))
        if found is None:
            raise ValueError(f"{self.method} {self.path} is not signed")
        return found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_answer(document: object, status: int = 200) -> Answer:
    return Answer(status, (("Content-Type", JSON),), json.dumps(document).encode())


def throttled(request: Request, draw: random.Random) -> Answer:
    """What the service answers to more than it takes."""
    match request.service:
        case "dynamodb":
            codes = ("ProvisionedThroughputExceededException", "ThrottlingException")
            return _json_error(400, "com.amazonaws.dynamodb.v20120810", draw.choice(codes))
        case "sqs":
            return _json_error(400, "com.amazonaws.sqs", "RequestThrottled")
        case "s3":
            return _s3_error(request, 503, "SlowDown")
        case "ssm":
            return _json_error(400, "com.amazonaws.ssm", "ThrottlingException")
    return _query_error(400, "Throttling", "Sender")


def broken(request: Request) -> Answer:
    """What the service answers when something is wrong with itself."""
    match request.service:
        case "dynamodb":
            return _json_error(500, "com.amazonaws.dynamodb.v20120810", "InternalServerError")
        case "sqs":
            return _json_error(500, "com.amazonaws.sqs", "InternalError")
        case "s3":
            return _s3_error(request, 500, "InternalError")
        case "ssm":
            return _json_error(500, "com.amazonaws.ssm", "InternalServerError")
    return _query_error(500, "InternalFailure", "Receiver")


def _json_error(status: int, namespace: str, code: str) -> Answer:
    return json_answer({"__type": f"{namespace}#{code}", "message": "Injected."}, status)


def _s3_error(request: Request, status: int, code: str) -> Answer:
    body = "" if request.method == "HEAD" else f"<Error><Code>{code}</Code></Error>"
    return Answer(status, (("Content-Type", "application/xml"),), body.encode())


def _query_error(status: int, code: str, fault: str) -> Answer:
    body = f"<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code></Error></ErrorResponse>"
    return Answer(status, (("Content-Type", "text/xml"),), body.encode())
