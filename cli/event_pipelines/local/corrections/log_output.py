"""Everything a Lambda function writes reaches its log, with the invocation that wrote it.

AWS: the runtime has a handler on the root logger that writes records as text or JSON and from the
level that the function's logging configuration asks for; standard output and error are both
logged, to the last line, and so is the reason why a function could not be imported or was ended.
What a function raised is logged, and answered with its type, and the environment goes on.
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
MiniStack: has no root handler and ignores format and level, waits a few milliseconds for output
and gives later lines to the next invocation, loses what is written while a function is ended, lets
a program that writes to descriptor 1 break the invocation, and logs nothing if an import fails. It
ends the process of a function that raised, and answers that it was a Runtime.HandlerError.
Correction: a handler as on AWS, a mark in the output that ends each invocation's part, descriptor
1 sent to the log, and a log line for every failure to start. To MiniStack, what was raised is an
answer like any other. The lines that Lambda itself writes
(START, END, REPORT) stay text, where AWS writes JSON for a function whose format is JSON.
"""

import contextvars
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from event_pipelines.local.corrections._ministack import CorrectionMismatch, around

_MARK = "__END_OF_LOG_MARK__"
# What the prelude answers instead of a result.
_RAISED = "__RAISED__"
# How long a reader may lag behind an answer that follows the mark, or behind a process's end.
_TIMEOUT_SECONDS = 5.0
_PRELUDE = Path(__file__).with_name("_worker_prelude.py").read_text()

# The logging variables of the function whose process this thread is starting.
_variables: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("_variables")


def apply() -> None:
    script = getattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "")
    if "_real_stdout = sys.stdout" not in script or "sys.stdin.readline()" not in script:
        raise CorrectionMismatch("Correction log_output does not know this MiniStack's worker.")
    around(lambda_runtime, "_detect_runtime_binary", "runtime", _with_prelude)
    worker = lambda_runtime.Worker
    around(worker, "_read_stderr", "self", _read)
    around(worker, "_drain_stderr", "self", _drain_ended)
    around(
        worker,
        "_drain_stderr_bounded",
        "self first_line_wait idle_confirm hard_cap",
        _drain_answered,
    )
    around(worker, "_spawn", "self", _spawn)
    around(lambda_svc, "_execute_function_warm", "func event request_id", _execute)


def _with_prelude(original: Callable[..., tuple[str, str]], runtime: str) -> tuple[str, str]:
    binary, script = original(runtime)
    if runtime.startswith("python"):
        script = f"import os\nos.environ.update({_variables.get()!r})\n{_PRELUDE}\n{script}"
    return binary, script


def _logging_variables(config: dict[str, Any]) -> dict[str, str]:
    """What the runtime tells a function about its logging configuration."""
    logging = config.get("LoggingConfig") or {}
    group = logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    variables = {"AWS_LAMBDA_LOG_GROUP_NAME": group}
    variables["AWS_LAMBDA_LOG_FORMAT"] = logging.get("LogFormat", "Text")
    if variables["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    return variables


def _read(original: Callable[..., None], worker: Any) -> None:
    # A byte that is not UTF-8 would end the reading, and a full pipe then stalls the function.
    worker._proc.stderr.reconfigure(errors="backslashreplace")
    original(worker)


def _drain_ended(_: Callable[..., str], worker: Any) -> str:
    return _rest(worker)


def _drain_answered(_: Callable[..., str], worker: Any) -> str:
    """What belongs to the answer just read: everything up to the mark, or to the process's end."""
    return _take(worker, until_mark=True)


def _rest(worker: Any) -> str:
    """What a process that is being ended has written: all that comes until its output closes."""
    worker._stderr_thread.join(_TIMEOUT_SECONDS)
    return _take(worker, until_mark=False)


def _take(worker: Any, *, until_mark: bool) -> str:
    lines: list[str] = []
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        ended = not worker._stderr_thread.is_alive()
        try:
            line = worker._stderr_queue.get(timeout=0.0 if ended else 0.01)
        except queue.Empty:
            if ended or not until_mark:
                break
            continue
        if line != _MARK:
            lines.append(line)
        elif until_mark:
            break
    # The mark starts on a line of its own, which leaves an empty line where output ended in one.
    if lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def _spawn(original: Callable[..., None], worker: Any) -> None:
    _variables.set(_logging_variables(worker.config))
    try:
        original(worker)
    except RuntimeError as error:
        if worker._proc is None:
            raise
        worker._proc.wait(_TIMEOUT_SECONDS)
        output = _rest(worker)
        raise RuntimeError("\n".join(filter(None, (output, str(error))))) from error
    # What the import wrote belongs to the invocation that caused it; the mark behind it does not.
    imported = _take(worker, until_mark=True)
    if imported:
        worker._stderr_queue.put(imported)


def _execute(
    original: Callable[..., dict[str, Any]], func: dict[str, Any], event: Any, request_id: str
) -> dict[str, Any]:
    result = original(func, event, request_id)
    body = result.get("body")
    if isinstance(body, dict) and _RAISED in body:
        return result | {"error": True, "body": body[_RAISED]}
    if result.get("error") and not result.get("log"):
        result["log"] = f"[ERROR] {result['body']['errorMessage']}"
    return result
