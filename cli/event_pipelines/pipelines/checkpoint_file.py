"""Intermediate results of a long run, so that a later run can resume after an interruption."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from event_pipelines.errors import UserError


class CheckpointFile:
    """A file of JSON values, one per line; a temporary file if `path` is None.

    The first line holds `about`, which identifies the run, and `kept` of the first run. An
    incomplete last line is dropped. Raises UserError if the file is unusable or of another run.
    """

    def __init__(
        self, path: Path | None, about: Mapping[str, Any], kept: Mapping[str, str] | None = None
    ) -> None:
        self._path = path
        self.kept = dict(kept or {})
        try:
            self._file = (
                path.open("a+", encoding="utf-8")
                if path
                else tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
            )
            self._begin(dict(about))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"--checkpoint {path} cannot be used ({error}): name another file, or remove it."
            ) from error

    def _begin(self, about: dict[str, Any]) -> None:
        self._file.seek(0)
        line, end = self._file.readline(), 0
        if line.endswith("\n"):
            begun = json.loads(line)
            self.kept = {name: begun.pop(name) for name in self.kept}
            if begun != about:
                raise ValueError(f"it is about {begun}")
        elif line and not json.dumps({**about, **self.kept}).startswith(line[:1]):
            raise ValueError("it is no checkpoint")
        while line.endswith("\n"):
            end = self._file.tell()
            line = self._file.readline()
        self._file.truncate(end)
        if not end:
            self.add({**about, **self.kept})

    def __iter__(self) -> Iterator[Any]:
        self._file.seek(0)
        self._file.readline()
        while line := self._file.readline():
            yield json.loads(line)

    def add(self, value: Any) -> None:
        self._file.seek(0, 2)
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def remove(self) -> None:
        """Deletes the file, once its contents have been reported."""
        if self._path:
            self._path.unlink(missing_ok=True)
