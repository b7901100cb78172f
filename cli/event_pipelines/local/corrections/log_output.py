"""Everything a Lambda function writes reaches its log, with the invocation that wrote it.

AWS: the runtime's handler on the root logger writes records as text or JSON, from the level in the
function's logging configuration on; standard output and error are logged to the last line, and so
is the reason why a function could not be imported or was ended. An exception of the handler is
logged, the response has its type, and the environment is reused.
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
MiniStack: has no root handler and ignores format and level, waits a few milliseconds for output and
assigns later lines to the next invocation, loses output while a function is ended, fails if a
program writes to descriptor 1, and logs nothing if an import fails. It ends the process after an
exception of the handler, and answers Runtime.HandlerError.
Correction: a handler as on AWS, a mark in the output that ends each invocation's part, descriptor 1
redirected to the log, and a log line for every failure to start. An exception is passed to
MiniStack as a normal response. Lambda's own lines (START, END, REPORT) stay text, where AWS writes
JSON for a function whose format is JSON.
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
# The prelude returns this key instead of a result.
_RAISED = "__RAISED__"
# How long a reader may lag behind a response that follows the mark, or behind a process's end.
_TIMEOUT_SECONDS = 5.0
_PRELUDE = Path(__file__).with_name("_worker_prelude.py").read_text()

# Logging variables of the function whose process the current thread starts.
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
    """Returns the variables in which the runtime gives a function its logging configuration."""
    logging = config.get("LoggingConfig") or {}
    group = logging.get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    variables = {"AWS_LAMBDA_LOG_GROUP_NAME": group}
    variables["AWS_LAMBDA_LOG_FORMAT"] = logging.get("LogFormat", "Text")
    if variables["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    return variables


def _read(original: Callable[..., None], worker: Any) -> None:
    # Invalid UTF-8 would end the reading, and a full pipe would then stall the function.
    worker._proc.stderr.reconfigure(errors="backslashreplace")
    original(worker)


def _drain_ended(_: Callable[..., str], worker: Any) -> str:
    return _rest(worker)


def _drain_answered(_: Callable[..., str], worker: Any) -> str:
    """Returns the output up to the mark of the response just read, or to the end of the process."""
    return _take(worker, until_mark=True)


def _rest(worker: Any) -> str:
    """Returns the remaining output of a process that is being ended, until its output closes."""
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
    # The mark begins with a line break, which leaves an empty line if the output ended with one.
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
    # Output of the import belongs to the invocation that caused it, but the mark after it does not.
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
