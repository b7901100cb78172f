"""Execution environments of a function share its unpacked package.

AWS: every environment has the same read-only folder.
MiniStack: unpacks the package again for every environment. For the image function that is half a
second of processor time each, and the bytecode of its modules is compiled again; after an apply,
when each mapping starts environments, the engine answered nothing else for ten seconds.
Correction: a package is unpacked once, below the engine's temporary folder, and every environment
has a link to it. A function that writes into it, which AWS refuses, changes that of its others.
"""

import hashlib
import tempfile
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from event_pipelines.local.corrections._ministack import CorrectionMismatch

_unpacking = threading.Lock()


def apply() -> None:
    if getattr(lambda_runtime, "zipfile", None) is not zipfile:
        raise CorrectionMismatch("Correction shared_package: MiniStack does not use zipfile.")
    # The only place to intervene: one function of MiniStack unpacks and starts the process.
    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": _Package})


class _Package(zipfile.ZipFile):
    def extractall(self, path: Any = None, *others: Any, **options: Any) -> None:
        target = Path(path)
        # Of MiniStack's archives, layers are merged into other folders.
        if target.name != "code" or self.filename is None:
            return super().extractall(path, *others, **options)
        with Path(self.filename).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir()) / f"package-{digest}"
        with _unpacking:
            if not shared.exists():
                # Renamed when it is whole, because a package may fail to unpack.
                folder = Path(tempfile.mkdtemp(prefix="package-"))
                super().extractall(folder)
                folder.rename(shared)
        target.rmdir()
        target.symlink_to(shared)
        return None
