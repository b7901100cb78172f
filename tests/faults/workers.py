"""Which of the engine's Lambda workers a connection belongs to, and the end of it."""

import os
import re
import signal
import subprocess
from pathlib import Path

PROC = Path("/proc")


def kill_worker(engine_pid: int, port: int) -> bool:
    """Kill the worker whose end of a loopback connection is `port`; False if it is gone already.

    Only ever a process of the engine's own group, and never the engine.
    """
    for pid in _owners(port):
        try:
            is_worker = pid != engine_pid and os.getpgid(pid) == engine_pid
        except ProcessLookupError:
            continue
        if is_worker:
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _owners(port: int) -> list[int]:
    return _owners_by_proc(port) if (PROC / "net/tcp").exists() else owners_by_lsof(port)


def _owners_by_proc(port: int) -> list[int]:
    inode = _inode(port)
    if inode is None:
        return []
    return [int(process.name) for process in PROC.glob("[0-9]*") if _holds(process, inode)]


def _inode(port: int) -> str | None:
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0":
            return fields[9]
    return None


def _holds(process: Path, inode: str) -> bool:
    try:
        return any(
            str(descriptor.readlink()) == f"socket:[{inode}]"
            for descriptor in (process / "fd").iterdir()
        )
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It has ended, or is somebody else's.
        return False


def owners_by_lsof(port: int) -> list[int]:
    """Where there is no /proc. The other end's process is among them."""
    command = ["lsof", "-nP", f"-iTCP@127.0.0.1:{port}", "-sTCP:ESTABLISHED", "-Fp"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(pid) for pid in re.findall(r"^p(\d+)$", found.stdout, re.MULTILINE)]
