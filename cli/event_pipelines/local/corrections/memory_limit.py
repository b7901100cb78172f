"""A Lambda function may not use more memory than it is configured with.

AWS: ends the function's environment (`signal: killed`) when it needs more than MemorySize, and
reports the maximum it has used.
MiniStack: does not check, and reports the largest process that the engine has ever ended.
Correction: each function's process is monitored; over its limit it is killed and the invocation
fails as on AWS. The report has the peak of the process that served the invocation.
"""

import contextvars
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from event_pipelines.local.corrections._ministack import around

_LINUX_INTERVAL_SECONDS = 0.02
# Without /proc, each measurement starts a program.
_OTHER_INTERVAL_SECONDS = 0.25
_DEFAULT_LIMIT_MB = 128
_HAS_PROC = Path("/proc/self/status").exists()

# Peak memory in MB of the process whose invocation this thread is about to report.
_reported: contextvars.ContextVar[int | None] = contextvars.ContextVar("_reported", default=None)
# Workers whose invocation is under way; set when one is added.
_invoked: set[Any] = set()
_begun = threading.Event()


def apply() -> None:
    worker = lambda_runtime.Worker
    around(worker, "_spawn", "self", _spawn)
    around(
        worker,
        "invoke",
        "self event request_id trace_id depth durable invoked_function_arn",
        _invoke,
    )
    around(lambda_svc, "_probe_peak_memory_mb", "func", _report)
    threading.Thread(target=_follow, name="memory", daemon=True).start()


class Watch:
    """Monitors one process's memory (resident, in MB) and kills the process over the limit."""

    def __init__(self, process: subprocess.Popen[Any], limit_mb: int) -> None:
        self.peak_mb = 0
        self._process = process
        self._limit_mb = limit_mb
        self.look()

    @property
    def exceeded(self) -> bool:
        return self.peak_mb > self._limit_mb

    def look(self) -> None:
        """Updates the peak, and kills the process if it is over the limit."""
        self.peak_mb = max(self.peak_mb, _resident_mb(self._process.pid))
        if self.exceeded:
            self._process.kill()
            # Otherwise MiniStack gives the next invocation to a process that it has not seen end.
            self._process.wait()


def _resident_mb(pid: int) -> int:
    """Returns the process's peak resident memory in MB where recorded, else the current."""
    if _HAS_PROC:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        # A process that has ended but is not collected yet has no VmHWM line.
        peak = status.partition("VmHWM:")[2].partition("kB")[0]
        return int(peak or 0) // 1024
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(answer.stdout.strip() or 0) // 1024


def _spawn(original: Callable[..., None], worker: Any) -> None:
    original(worker)
    limit = int(worker.config.get("MemorySize", _DEFAULT_LIMIT_MB))
    worker.memory_watch = Watch(worker._proc, limit)


def _invoke(
    original: Callable[..., dict[str, Any]], worker: Any, event: Any, request_id: str, **rest: Any
) -> dict[str, Any]:
    _invoked.add(worker)
    _begun.set()
    try:
        response = original(worker, event, request_id, **rest)
    finally:
        _invoked.discard(worker)
    watch: Watch = worker.memory_watch
    # A peak since the last measurement counts as well, if the system records it.
    watch.look()
    _reported.set(min(watch.peak_mb, watch._limit_mb))
    if not watch.exceeded:
        return response
    return response | {
        "status": "error",
        "error": f"RequestId: {request_id} Error: Runtime exited with error: signal: killed",
    }


def _follow() -> None:
    """Measures processes during an invocation only: on AWS, an idle environment is frozen."""
    while True:
        _begun.wait()
        _begun.clear()
        while _invoked:
            time.sleep(_LINUX_INTERVAL_SECONDS if _HAS_PROC else _OTHER_INTERVAL_SECONDS)
            for worker in list(_invoked):
                # Not set before the first process has started.
                if watch := getattr(worker, "memory_watch", None):
                    watch.look()


def _report(original: Callable[..., int], func: Any) -> int:
    peak = _reported.get()
    return original(func) if peak is None else peak
