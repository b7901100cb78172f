"""Changes by the console: only where allowed, confirmed with their count, and logged."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.console import json_text
from event_pipelines.errors import UserError, denied, told
from event_pipelines.stack import error_code
from event_pipelines.times import iso
from event_pipelines.web_console.markup import Html, el, form, note

# Reports the progress of a change.
Say = Callable[[str], None]
Facts = Mapping[str, object]
_READ_ONLY = "This console is read-only: start it with --allow-changes, or copy the command."


def default_log() -> Path:
    """Returns a path below $XDG_STATE_HOME, else below ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "event-pipelines/console.jsonl"


@dataclass
class Job:
    """A change; `said` is its progress, or how it ended."""

    what: str
    said: str = "begun"
    state: str = "goes on"


@dataclass(frozen=True)
class Changes:
    """Changes by the console. `log` gets a line of JSON before and after each, with the `origin`.

    `refused` maps changes that the credentials do not allow to the operation that AWS refused.
    """

    allowed: bool
    log: Path
    origin: Mapping[str, str]
    jobs: dict[str, Job] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def start(self, name: str, what: str, facts: Facts, act: Callable[[Say], str]) -> None:
        """Begins a change that the view of `name` shows; `act` returns how it ended.

        Raises UserError where changes are not allowed, and while one of this name goes on.
        """
        self.check()
        with self._lock:
            if name in self.jobs and self.jobs[name].state == "goes on":
                raise UserError(f"A change of {name} goes on already: wait until it has ended.")
            job = self.jobs[name] = Job(what)
        # Before anything is changed, so that a change that cannot be logged is not made.
        self._write(job, facts)
        # No daemon thread: the process waits for its end.
        Thread(target=self._work, args=(job, facts, act), name=f"change of {name}").start()

    def _work(self, job: Job, facts: Facts, act: Callable[[Say], str]) -> None:
        state = "failed"
        try:
            job.said = act(lambda said: setattr(job, "said", said))
            state = "ended"
        except UserError as error:
            job.said = str(error)
        except (BotoCoreError, ClientError) as error:
            job.said = told(error, job.what)
            if isinstance(error, ClientError) and denied(error_code(error)):
                self.refused[job.what] = error.operation_name
        finally:
            job.state = state
            self._write(job, facts)

    def _write(self, job: Job, facts: Facts) -> None:
        line = {"at": iso(datetime.now(UTC)), **self.origin, **vars(job), **facts}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json_text(json.loads(json.dumps(line, default=str))) + "\n")

    def told(self, name: str) -> Html | None:
        """Returns the progress of the last change of this name; None if there is none."""
        if not (job := self.jobs.get(name)):
            return None
        kind = "grave" if job.state == "failed" else ""
        return note(el("strong", f"{job.what}, {job.state}: "), job.said, kind=kind, role="status")

    def running(self, name: str) -> bool:
        return name in self.jobs and self.jobs[name].state == "goes on"

    def check(self, count: int = 0, confirmed: str = "0") -> None:
        """Raises UserError if changes are not allowed, or if more are found than were confirmed."""
        if not self.allowed:
            raise UserError(_READ_ONLY)
        if not confirmed.isdecimal() or count > int(confirmed[:9]):
            raise UserError(
                f"There are {count:,} by now, and {confirmed} were confirmed: look again."
            )

    def form(self, path: str, button: str, **hidden: object) -> Html:
        """Returns a form that carries out a change, or a sentence if it is not allowed."""
        if operation := self.refused.get(path.rpartition("/")[2]):
            return note(f"The credentials do not allow it: AWS refused {operation}.")
        return form(path, button, method="post", **hidden) if self.allowed else note(_READ_ONLY)
