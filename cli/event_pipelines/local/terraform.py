"""Runs Terraform on the repository's root module and reports its progress."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from event_pipelines.errors import Unanswered

MINIMUM_VERSION = (1, 9)
# The provider waits a fixed 25 s for each queue, so all queues are created in parallel.
PARALLELISM = 60
# umask: states and plans contain secrets.
_PRIVATE = 0o077


@dataclass
class Activity:
    """Progress of an apply or destroy: counts of resources, and seconds of those in progress.

    `planned` and `finished` count resources by module of the root, "" for those outside modules.
    """

    total: int = 0
    done: int = 0
    under_way: dict[str, float] = field(default_factory=dict)
    planned: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)

    def has_finished(self, module: str) -> bool:
        """Whether all planned changes of a module are done."""
        planned = self.planned[module]
        return bool(self.total and planned and self.finished[module] >= planned)


def following(show: Callable[[int, int, str], None]) -> Callable[[Activity], None]:
    """Returns a callback that calls `show` with the resource that has been in progress longest."""

    def on_activity(activity: Activity) -> None:
        detail = ""
        if activity.under_way:
            address, seconds = max(activity.under_way.items(), key=lambda item: item[1])
            detail = f"{address} ({seconds:.0f} s)"
        show(activity.done, activity.total, detail)

    return on_activity


class TerraformFailed(Unanswered):
    """Terraform failed; the message contains its diagnostics."""


@dataclass(frozen=True)
class Terraform:
    """One root module with its own data directory, state file and variables file below `home`.

    `environment` is the complete environment of Terraform's processes.
    """

    root: Path
    home: Path
    environment: Mapping[str, str]

    @property
    def state(self) -> Path:
        return self.home / "terraform.tfstate"

    @property
    def variables(self) -> Path:
        return self.home / "local.tfvars.json"

    @property
    def planned(self) -> Path:
        return self.home / "plan"

    def init(self) -> None:
        """Initialises the root; raises Unanswered if Terraform or its AWS provider is missing."""
        require_terraform()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        finished = subprocess.run(
            ["sh", str(self.root / "tools" / "terraform_init.sh"), str(self.root)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if finished.returncode != 0:
            raise Unanswered(finished.stderr.strip() or finished.stdout.strip())

    def apply(self, on_activity: Callable[[Activity], None]) -> None:
        self._follow(["apply", "-auto-approve", *self._settings()], on_activity)

    def apply_plan(self, on_activity: Callable[[Activity], None]) -> None:
        """Applies the last result of `plan`."""
        self._follow(["apply", *self._where(), str(self.planned)], on_activity)

    def destroy(self, on_activity: Callable[[Activity], None], targets: Sequence[str] = ()) -> None:
        """Destroys everything, or `targets` (addresses in the state) with dependents."""
        part = [f"-target={address}" for address in targets]
        # No refresh: the state lists everything that was created here.
        arguments = ["destroy", "-auto-approve", "-refresh=false", *part, *self._settings()]
        self._follow(arguments, on_activity)

    def has_changes(self) -> bool:
        """Whether an apply would change anything. Raises TerraformFailed."""
        finished = self._run(["plan", "-detailed-exitcode", "-no-color", *self._settings()])
        if finished.returncode not in (0, 2):
            raise TerraformFailed(finished.stderr.strip())
        return finished.returncode == 2

    def plan(self) -> dict[str, Any]:
        """Returns the plan of an apply in Terraform's JSON."""
        self._said(["plan", "-no-color", f"-out={self.planned}", *self._settings()])
        plan: dict[str, Any] = json.loads(self._said(["show", "-json", str(self.planned)]))
        return plan

    def outputs(self) -> dict[str, Any]:
        """Returns the outputs in the state, none without a state.

        Raises TerraformFailed if the state is incomplete, as while Terraform writes it.
        """
        return {name: output["value"] for name, output in self._recorded("outputs", {}).items()}

    def resources(self) -> list[str]:
        """Returns the addresses of all resources in the state, without data sources.

        Raises TerraformFailed like `outputs`.
        """
        return [
            f"{prefix}{resource['type']}.{resource['name']}{index}"
            for resource in self._recorded("resources", [])
            if resource["mode"] == "managed"
            for prefix in [f"{resource['module']}." if "module" in resource else ""]
            for index in map(_index, resource["instances"])
        ]

    def _recorded(self, part: str, none: Any) -> Any:
        # Read here, because a command of Terraform takes half a second of processor time.
        try:
            return json.loads(self.state.read_text(encoding="utf-8"))[part]
        except FileNotFoundError:
            return none
        except ValueError as error:
            raise TerraformFailed(f"{self.state} is no Terraform state: {error}.") from None

    def _settings(self) -> list[str]:
        return [*self._where(), f"-var-file={self.variables}"]

    def _where(self) -> list[str]:
        return ["-input=false", f"-parallelism={PARALLELISM}", f"-state={self.state}"]

    def _environment(self) -> dict[str, str]:
        # Variables exported for a deployment to an account must have no effect here.
        inherited = {k: v for k, v in self.environment.items() if not k.startswith("TF_VAR_")}
        # If the settings file does not exist, Terraform prints a warning for every command.
        if not Path(inherited.get("TF_CLI_CONFIG_FILE", "")).is_file():
            inherited.pop("TF_CLI_CONFIG_FILE", None)
        return {
            **inherited,
            "TF_DATA_DIR": str(self.home / "data"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            # Terraform and its provider collect garbage a quarter as often, which saves a tenth of
            # their processor time.
            "GOGC": "400",
        }

    def _said(self, arguments: list[str]) -> str:
        finished = self._run(arguments)
        if finished.returncode != 0:
            raise TerraformFailed(finished.stderr.strip())
        return finished.stdout

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", f"-chdir={self.root}", *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=_PRIVATE,
        )

    def _follow(self, arguments: list[str], on_activity: Callable[[Activity], None]) -> None:
        process = subprocess.Popen(
            ["terraform", f"-chdir={self.root}", arguments[0], "-json", *arguments[1:]],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            umask=_PRIVATE,
        )
        activity = Activity()
        complaints: list[str] = []
        try:
            for message in _messages(iter(process.stdout or ())):
                complaint = _note(activity, message)
                if complaint:
                    complaints.append(complaint)
                on_activity(activity)
            code = process.wait()
        except BaseException:
            # Interrupted, not killed, so that Terraform records what it has created.
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        if code != 0:
            raise TerraformFailed("Terraform failed: " + ("\n".join(complaints) or f"exit {code}"))


def require_terraform() -> None:
    """Raises Unanswered if Terraform is missing or older than MINIMUM_VERSION."""
    wanted = ".".join(map(str, MINIMUM_VERSION))
    remedy = f"install Terraform {wanted} or later from https://developer.hashicorp.com/terraform/install"
    if shutil.which("terraform") is None:
        raise Unanswered(f"Terraform is not on PATH: {remedy}.")
    finished = subprocess.run(
        ["terraform", "version", "-json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "CHECKPOINT_DISABLE": "1"},
    )
    found = re.search(r'"terraform_version":\s*"((\d+)\.(\d+)(?:[^"0-9][^"]*)?)"', finished.stdout)
    if found is None:
        raise Unanswered(f"`terraform version` did not answer with a version: {remedy}.")
    if (int(found[2]), int(found[3])) < MINIMUM_VERSION:
        raise Unanswered(f"Terraform {found[1]} is too old: {remedy}.")


def _index(instance: Mapping[str, Any]) -> str:
    return f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""


def _module(address: str) -> str:
    found = re.match(r"module\.(\w+)", address)
    return found[1] if found else ""


def _messages(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            # Crashes and wrapper scripts print plain text, which is kept as a diagnostic.
            message = {"type": "diagnostic", "@level": "error", "@message": line.rstrip()}
        yield message


def _note(activity: Activity, message: dict[str, Any]) -> str | None:
    """Updates `activity`; returns the text of an error diagnostic, else None."""
    kind = message.get("type")
    address = message.get("hook", {}).get("resource", {}).get("addr", "")
    if kind == "planned_change" and message["change"]["action"] not in ("noop", "read"):
        activity.planned[_module(message["change"]["resource"]["addr"])] += 1
    if kind == "change_summary":
        changes = message["changes"]
        activity.total = changes["add"] + changes["change"] + changes["remove"]
    elif kind in ("apply_start", "apply_progress"):
        activity.under_way[address] = message["hook"].get("elapsed_seconds", 0)
    elif kind in ("apply_complete", "apply_errored"):
        activity.under_way.pop(address, None)
        # Deferred reads of data sources are reported as actions but not counted in the summary.
        read = message["hook"].get("action") == "read"
        activity.done += kind == "apply_complete" and not read
        activity.finished[_module(address)] += kind == "apply_complete" and not read
    elif kind == "diagnostic" and message.get("@level") == "error":
        diagnostic = message.get("diagnostic", {})
        parts = (diagnostic.get("address"), diagnostic.get("summary"), diagnostic.get("detail"))
        return ": ".join(part for part in parts if part) or str(message.get("@message", ""))
    return None
