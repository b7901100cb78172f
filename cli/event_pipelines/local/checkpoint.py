"""Saves an engine's state to a file from which other engines can start.

MiniStack's own persistence uses JSON, which has no tuples, sets or numeric keys; it logs failures
instead of raising them, and keeps objects of buckets in a folder of its own.
"""

import importlib
import io
import os
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def addressed(port: int | str) -> re.Pattern[str]:
    """Returns a pattern for the port in addresses of an engine, such as a queue's URL."""
    return re.compile(rf"(?:(?<=\blocalhost:)|(?<=\b127\.0\.0\.1:)){port}(?!\d)")


def save(path: Path) -> None:
    """Writes the state of this process's MiniStack; raises if it changes meanwhile.

    The port in URLs of queues, also in functions' environments, is replaced by a placeholder.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.port = addressed(os.environ["GATEWAY_PORT"])
    pickler.dump({name: store._data for name, store in _stores()})
    draft = path.with_suffix(".new")
    draft.write_bytes(buffer.getvalue())
    draft.replace(path)


def load(path: Path) -> None:
    """Restores what `save` has written. Unpickles the file, so it must be trusted."""
    for name, content in _Unpickler(io.BytesIO(path.read_bytes())).load().items():
        module, _, attribute = name.rpartition(".")
        getattr(importlib.import_module(module), attribute)._data.update(content)
    # MiniStack starts the poller only when a mapping is created.
    lambda_service = importlib.import_module("ministack.services.lambda_svc")
    if lambda_service._esms.has_any():
        lambda_service._ensure_poller()


def _stores() -> Iterator[tuple[str, Any]]:
    """Yields name and content of each service's state: module variables keyed by account."""
    from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

    for name, module in sorted(sys.modules.items()):
        if name.startswith("ministack.services."):
            for attribute, value in vars(module).items():
                if isinstance(value, (AccountScopedDict, AccountRegionScopedDict)):
                    yield f"{name}.{attribute}", value


class _Pickler(pickle.Pickler):
    port: re.Pattern[str]

    def persistent_id(self, value: Any) -> list[str] | None:
        # Pickle calls this for every object, so that strings need no separate traversal.
        if isinstance(value, str) and self.port.search(value):
            return self.port.split(value)
        return None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, parts: list[str]) -> str:
        return os.environ["GATEWAY_PORT"].join(parts)
