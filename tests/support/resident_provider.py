"""One process of the provider for many commands of Terraform, or for many runs of its tests.

Terraform starts the provider for every run of a test file to read its schema. That takes five
sixths of the run's processor time, though a mocked provider gets no other request. For an apply it
starts the provider four times.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Ends when the process at the other end of its standard input ends, in whatever way.
START = '"$0" -debug & exec >&-; read -r _; kill $!; wait'

# Debug logging would write 40 MB of requests.
QUIET = {f"TF_LOG_SDK{part}": "OFF" for part in ("", "_FRAMEWORK", "_PROTO")}


class ProviderNotStarted(Exception):
    """The provider ended before Terraform could attach to it; the message has its output."""


@contextmanager
def resident_provider(
    binary: Path, root: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """Yields the value of TF_REATTACH_PROVIDERS with which Terraform uses this process.

    The process has one configuration, `root` is where its relative paths begin, and what is not
    configured comes from `environment`: it serves one root on one engine, or mocked plans. Raises
    ProviderNotStarted.
    """
    # The log is no pipe: without a reader the provider would block when the pipe is full.
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            ["sh", "-c", START, binary],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**environment, **QUIET},
            cwd=root,
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
