"""The provider that the mocked plans share does not outlive them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.mocked_plans import REPOSITORY, provider_binary
from support.resident_provider import ProviderNotStarted, resident_provider
from support.stacks import eventually

pytestmark = pytest.mark.xdist_group("mocked plans")

HOLD = """
import sys
from pathlib import Path
from support.resident_provider import resident_provider
with resident_provider(Path(sys.argv[1])) as attachment:
    print(attachment, flush=True)
    sys.stdin.read()
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_of(attachment: str) -> int:
    [provider] = json.loads(attachment).values()
    return int(provider["Pid"])


def test_resident_provider_ends_with_the_block(tree: Path) -> None:
    with resident_provider(provider_binary(tree)) as attachment:
        assert alive(pid_of(attachment))
    assert not alive(pid_of(attachment))


def test_ends_when_its_holder_is_killed(tree: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, provider_binary(tree)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    pid = pid_of(holder.stdout.readline())
    assert alive(pid)

    holder.kill()
    holder.communicate()

    eventually(lambda: not alive(pid), "the provider to end")


def test_resident_provider_that_fails_to_start_says_why(tmp_path: Path) -> None:
    wrong = tmp_path / "provider"
    wrong.write_text("#!/bin/sh\necho 'no such protocol' >&2\nexit 1\n")
    wrong.chmod(0o755)
    with pytest.raises(ProviderNotStarted, match="no such protocol"), resident_provider(wrong):
        pass
