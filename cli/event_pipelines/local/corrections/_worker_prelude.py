# Runs in a Lambda function's process before MiniStack's worker script, which is appended to it;
# standard library only. Its names start with an underscore, because the script shares them.
# See log_output.py.
import json as _json
import logging as _logging
import os as _os
import sys as _sys
import time as _time
import traceback as _traceback
from typing import Any as _Any


class _Requests:
    """The engine's messages, one per line; stores the id of the current request."""

    request_id = ""

    def __init__(self, stream: _Any) -> None:
        self._stream = stream

    def readline(self) -> str:
        line: str = self._stream.readline()
        if line:
            self.request_id = _json.loads(line).get("ctx", {}).get("request_id", "")
        return line


class _Responses:
    """The worker's responses. A mark in the log before each ends its output for the engine."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = ""

    def write(self, text: str) -> None:
        error = _sys.exc_info()[1]
        # The worker reports an exception of the handler while handling it. Before the first
        # request, it is a failed import.
        is_raised = error is not None and _requests.request_id
        self._pending += _raised(error) if is_raised else text

    def flush(self) -> None:
        _sys.stderr.flush()
        _write(2, b"\n__END_OF_LOG_MARK__\n")
        _write(self._descriptor, self._pending.encode())
        self._pending = ""


def _raised(error: _Any) -> str:
    """Logs an exception of the handler, and returns the response, a line of JSON."""
    stack = _traceback.format_tb(error.__traceback__)[1:]
    said = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": _requests.request_id,
        "stackTrace": stack,
    }
    if _os.environ["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        logged = _json.dumps({"level": "ERROR", **said})
    else:
        head = f"[ERROR] {said['errorType']}: {error}\nTraceback (most recent call last):\n"
        logged = head + "".join(stack)
    _sys.stderr.write(f"{logged}\n")
    return _json.dumps({"status": "ok", "result": {"__RAISED__": said}}) + "\n"


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[_os.write(descriptor, content) :]


class _TextFormatter(_logging.Formatter):
    converter = _time.gmtime  # type: ignore[assignment]
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: _logging.LogRecord) -> str:
        record.aws_request_id = _requests.request_id
        return super().format(record)


class _JsonFormatter(_logging.Formatter):
    def format(self, record: _logging.LogRecord) -> str:
        fields = {
            "timestamp": _time.strftime("%Y-%m-%dT%H:%M:%SZ", _time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": _requests.request_id,
        }
        if record.exc_info and record.exc_info[0]:
            fields["errorType"] = record.exc_info[0].__name__
            fields["errorMessage"] = str(record.exc_info[1])
            fields["stackTrace"] = self.formatException(record.exc_info)
        return _json.dumps(fields)


_requests = _Requests(_sys.stdin)
_sys.stdin = _requests
# Output to descriptor 1, such as that of programs the function starts, goes to the log and cannot
# garble the responses.
_sys.stdout = _Responses(_os.dup(1))
_os.dup2(2, 1)
_handler = _logging.StreamHandler(_sys.stderr)
if _os.environ["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
    _handler.setFormatter(_JsonFormatter())
    # AWS has a level below Python's lowest.
    _logging.getLogger().setLevel(_os.environ["AWS_LAMBDA_LOG_LEVEL"].replace("TRACE", "NOTSET"))
else:
    _handler.setFormatter(
        _TextFormatter("[%(levelname)s]\t%(asctime)s\t%(aws_request_id)s\t%(message)s")
    )
_logging.getLogger().addHandler(_handler)
