"""One process of the provider for all tests with a mocked one.

Terraform starts the provider for every run of a test file, to learn its schema: five sixths of the
processor time of such a run, though a mocked provider is asked for nothing else.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Ends with whoever holds the other end of its standard input, however that one ends.
START = '"$0" -debug & exec >&-; read -r _; kill $!; wait'

# It would write forty megabytes of what it is asked.
QUIET = {f"TF_LOG_SDK{part}": "OFF" for part in ("", "_FRAMEWORK", "_PROTO")}


class ProviderNotStarted(Exception):
    """The provider ended before it could be attached to; the message has what it wrote."""


@contextmanager
def resident_provider(binary: Path) -> Iterator[str]:
    """Yields the TF_REATTACH_PROVIDERS with which Terraform asks this process.

    Nothing may be applied with it: providers of two configurations would share one process. Raises
    ProviderNotStarted.
    """
    # Not a pipe for its log, which nobody would read: it would stand still when that is full.
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            ["sh", "-c", START, binary],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **QUIET},
            text=True,
        )
        try:
            attachment = _attachment(process)
            if attachment is None:
                log.seek(0)
                raise ProviderNotStarted(log.read())
            yield attachment
        finally:
            process.communicate()


def _attachment(process: "subprocess.Popen[str]") -> str | None:
    # A provider that ends at once leaves the shell waiting for its standard input, not its output.
    for line in process.stdout or ():
        found = re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line)
        if found:
            return found[1]
    return None
