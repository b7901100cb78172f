"""Runs facts against the local engine or a real account, and removes what they made."""

import base64
import contextlib
import io
import json
import re
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import jmespath
from botocore.config import Config
from botocore.exceptions import ClientError

from conformance import removal
from conformance.facts import Fact, Step, Text, substitute
from event_pipelines.local.engine import Engine

REGION = "eu-west-1"
_POLL_SECONDS = 0.05


class Difference(Exception):
    """What was answered is not what the fact states."""


class Unusable(Exception):
    """What the fact is given could not be made, so nothing is known of the fact."""


class _Functions(jmespath.functions.Functions):  # type: ignore[misc]
    @jmespath.functions.signature({"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_from_json(self, text: str) -> Any:
        return json.loads(text)


_OPTIONS = jmespath.Options(custom_functions=_Functions())


@dataclass(frozen=True)
class Target:
    """Where facts are run: `options` are boto3's for every client, `runtime` is of functions."""

    account: str
    runtime: str
    options: Mapping[str, Any]
    credentials: Mapping[str, str]
    is_aws: bool = False

    @classmethod
    def engine(cls, engine: Engine) -> "Target":
        root = engine.credentials
        return cls(
            engine.account_id,
            engine.lambda_runtime,
            {"endpoint_url": engine.endpoint, "verify": str(engine.ca_bundle)},
            {"aws_access_key_id": root.access_key, "aws_secret_access_key": root.secret_key},
        )

    @classmethod
    def aws(cls) -> "Target":
        """The account of boto3's own credentials. Raises what STS raises."""
        account = boto3.client("sts", region_name=REGION).get_caller_identity()["Account"]
        return cls(account, "python3.13", {}, {}, is_aws=True)


@dataclass
class Run:
    """One run: what is shared by its facts, and what is left to remove. A context manager.

    Whatever it makes is written to the `journal` first, from which the next run with it removes
    what one that was killed has left.
    """

    target: Target
    journal: Path | None = None
    name: str = field(default_factory=lambda: f"epc-{secrets.token_hex(5)}")
    _shared: dict[str, dict[str, Any]] = field(default_factory=dict)
    _made: list[tuple[str, Mapping[str, Any], dict[str, Any]]] = field(default_factory=list)
    _clients: dict[Any, Any] = field(default_factory=dict)
    _number: int = 0

    def __enter__(self) -> "Run":
        if self.journal and self.journal.exists():
            lines = self.journal.read_text().splitlines()
            self._made = [(*json.loads(line), {}) for line in lines]
            self._remove(0)
        return self

    def __exit__(self, *failure: object) -> None:
        self._remove(0)
        if self.journal:
            self.journal.unlink(missing_ok=True)

    def difference(self, fact: Fact, *, patience_seconds: float | None = None) -> str:
        """How the answers differ from the fact; empty if they agree. Raises Unusable.

        `patience_seconds` shortens what the fact waits for.
        """
        variables = dict(fact.variables)
        for name, steps in fact.shared.items():
            if name not in self._shared:
                # Later ones may use what earlier ones saved.
                shared = variables | self._identity()
                self._give(steps, shared)
                saved = {key for step in steps for key in step.save}
                self._shared[name] = {key: shared[key] for key in saved}
            variables |= self._shared[name]
        variables |= self._identity()
        first = len(self._made)
        try:
            self._give(fact.given, variables)
            for step in fact.steps:
                self._take(step, variables, patience_seconds)
        except Difference as difference:
            return str(difference)
        finally:
            self._remove(first)
        return ""

    def _identity(self) -> dict[str, Any]:
        self._number += 1
        return {
            "id": f"{self.name}-{self._number}",
            "account": self.target.account,
            "region": REGION,
            "runtime": self.target.runtime,
        }

    def _give(self, steps: tuple[Step, ...], variables: dict[str, Any]) -> None:
        for step in steps:
            try:
                self._take(step, variables, None)
            except Difference as difference:
                raise Unusable(str(difference)) from difference

    def _take(self, step: Step, variables: dict[str, Any], patience_seconds: float | None) -> None:
        seconds = step.eventually
        if patience_seconds is not None:
            seconds = min(seconds, patience_seconds)
        deadline = time.monotonic() + seconds
        collected: list[Any] = []
        while True:
            answer = self._call(step, variables)
            if step.collect:
                collected += jmespath.search(step.collect, answer) or []
                answer[step.collect] = collected
            try:
                check(step, answer, variables)
            except Difference:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                break
        for name, path in step.save.items():
            variables[name] = search(path, answer)

    def _call(self, step: Step, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, of which "Error" is a part if it is a refusal."""
        asked = as_text(substitute(step.parameters, variables))
        client = self._client(step.service, substitute(step.user, variables))
        operation = boto3_name(step.operation)
        answer: dict[str, Any] = {}
        made = (step.operation, asked, answer)
        if step.operation in removal.REMOVERS:
            # Before the call: its answer may be lost.
            self._made.append(made)
            if self.journal:
                with self.journal.open("a") as file:
                    file.write(f"{json.dumps([step.operation, asked], default=str)}\n")
        try:
            answer |= plain(getattr(client, operation)(**asked))
        except ClientError as error:
            is_refusal = error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
            if is_refusal and step.operation in removal.REMOVERS:
                self._made.remove(made)
            return dict(plain(error.response))
        return dict(answer)

    def _client(self, service: str, user: Mapping[str, str] | None = None) -> Any:
        credentials = self.target.credentials
        if user:
            credentials = {
                "aws_access_key_id": user["AccessKeyId"],
                "aws_secret_access_key": user["SecretAccessKey"],
            }
        key = (service, credentials.get("aws_access_key_id"))
        if key not in self._clients:
            make: Any = boto3.client
            # What facts ask for is checked when they are loaded; some ask for what is refused.
            config = Config(
                parameter_validation=False,
                retries={"total_max_attempts": 3 if self.target.is_aws else 1},
                read_timeout=40,
                s3={"addressing_style": "auto"},
            )
            self._clients[key] = make(
                service, region_name=REGION, config=config, **self.target.options, **credentials
            )
        return self._clients[key]

    def _remove(self, first: int) -> None:
        """Removes what was made since, last first; raises what failed after all was tried."""
        failures: list[Exception] = []
        while len(self._made) > first:
            try:
                removal.remove(self._client, *self._made.pop())
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise ExceptionGroup(f"Not all that {self.name} made could be removed.", failures)


def boto3_name(operation: str) -> str:
    """As boto3 spells operations: SendMessage is send_message."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", operation)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()


def as_text(value: Any) -> Any:
    """The value, with text instead of each Text in it."""
    if isinstance(value, Mapping):
        return {key: as_text(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_text(part) for part in value]
    if not isinstance(value, Text):
        return value
    content = as_text(value.content)
    if value.kind == "json":
        return json.dumps(content)
    if value.kind == "repeat":
        return content[0] * content[1]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", content)
    return package.getvalue()


def plain(value: Any) -> Any:
    """An answer as JSON could have it: streams are read, times and bytes are text."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else value


def search(path: str, answer: Any) -> Any:
    """What is at the path. Raises Difference if the answer cannot be asked for it."""
    try:
        return jmespath.search(path, answer, options=_OPTIONS)
    except (jmespath.exceptions.JMESPathError, ValueError) as error:
        raise Difference(f"{path} cannot be asked: {error}") from error


def check(step: Step, answer: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    """Raises Difference unless the answer is what the step expects."""
    refusal = answer.get("Error")
    code, said = (refusal or {}).get("Code"), (refusal or {}).get("Message") or ""
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    for problem in (
        not re.fullmatch(step.error or "None", str(code))
        and f"error {code!r} ({said}) instead of {step.error!r}",
        step.status not in (None, status) and f"status {status} instead of {step.status}",
        step.message is not None
        and not re.search(step.message, said)
        and f"message {said!r} instead of {step.message!r}",
        *_unmet(step, answer, variables),
    ):
        if problem:
            raise Difference(f"{step.where} {step.operation}: {problem}")


def _unmet(
    step: Step, answer: Mapping[str, Any], variables: Mapping[str, Any]
) -> Iterator[str | bool]:
    fits: Mapping[str, Callable[[Any, Any], bool]] = {
        "expect": lambda wanted, found: wanted == found and type(wanted) is type(found),
        "contains": is_part,
        "matches": lambda wanted, found: re.fullmatch(wanted, str(found or "")) is not None,
    }
    for kind, fit in fits.items():
        for path, written in getattr(step, kind).items():
            wanted = as_text(substitute(written, variables))
            found = search(substitute(path, variables), answer)
            yield not fit(wanted, found) and f"{path} is {found!r}, {kind} {wanted!r}"
    for path in step.absent:
        found = search(path, answer)
        yield found is not None and f"{path} is {found!r} instead of nothing"


def is_part(wanted: Any, found: Any) -> bool:
    """Whether all that is wanted is there: of mappings by key, of lists in any order."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and is_part(part, found[key]) for key, part in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(
            any(is_part(part, each) for each in found) for part in wanted
        )
    return bool(wanted == found)
