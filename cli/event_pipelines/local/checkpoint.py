"""What an engine remembers, in a file from which others start.

MiniStack's own persistence goes through JSON, which has no tuples, sets or numbers as keys; it logs
what it could not write instead of failing, and keeps objects of buckets in a folder of their own.
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
    """Matches the port in whatever names an engine by its address, such as a queue's URL."""
    return re.compile(rf"(?:(?<=\blocalhost:)|(?<=\b127\.0\.0\.1:)){port}(?!\d)")


def save(path: Path) -> None:
    """Writes what this process's MiniStack remembers; raises when that changes meanwhile.

    The port is left out of it: the URLs of queues have it, and with them functions' environments.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.port = addressed(os.environ["GATEWAY_PORT"])
    pickler.dump({name: store._data for name, store in _stores()})
    draft = path.with_suffix(".new")
    draft.write_bytes(buffer.getvalue())
    draft.replace(path)


def load(path: Path) -> None:
    """Puts back what `save` has written; trusts the file as it trusts this program."""
    for name, content in _Unpickler(io.BytesIO(path.read_bytes())).load().items():
        module, _, attribute = name.rpartition(".")
        getattr(importlib.import_module(module), attribute)._data.update(content)
    # What polls for mappings starts with the first that is made.
    lambda_service = importlib.import_module("ministack.services.lambda_svc")
    if lambda_service._esms.has_any():
        lambda_service._ensure_poller()


def _stores() -> Iterator[tuple[str, Any]]:
    """Every service keeps what it has by account, or by account and region, in module variables."""
    from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

    for name, module in sorted(sys.modules.items()):
        if name.startswith("ministack.services."):
            for attribute, value in vars(module).items():
                if isinstance(value, (AccountScopedDict, AccountRegionScopedDict)):
                    yield f"{name}.{attribute}", value


class _Pickler(pickle.Pickler):
    port: re.Pattern[str]

    def persistent_id(self, value: Any) -> list[str] | None:
        # Asked about every object, so strings need no walk of their own.
        if isinstance(value, str) and self.port.search(value):
            return self.port.split(value)
        return None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, parts: list[str]) -> str:
        return os.environ["GATEWAY_PORT"].join(parts)
