"""The web console of a local stack, in a process of its own that ends with the stack's engine.

Run by `start`, not by hand, because it expects the environment prepared there.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from event_pipelines.local import engine as local_engine
from event_pipelines.local.stack import LocalStack

_POLL_SECONDS = 0.2
_STARTED_WITHIN_SECONDS = 20


def start(stack: LocalStack) -> str | None:
    """Starts a console with `--allow-changes`. Returns its address; None if it did not start,
    with the reason in console.log in the stack's home."""
    home = stack.home.path
    file = home / "console.json"
    file.unlink(missing_ok=True)
    # The address in the file grants all that the console may do.
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(home), stack.outputs["name_prefix"]],
        env=stack.engine.process_environment(stack.region),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if (said := file.read_text()).endswith("\n"):
            return str(json.loads(said)["address"])
        time.sleep(_POLL_SECONDS)
    return None


def main(home: Path, prefix: str) -> None:
    """Serves as long as the engine of `home` runs."""
    changes = home.absolute() / "console-changes.jsonl"
    command = ["console", "--json", "--allow-changes", "--prefix", prefix, "--log", str(changes)]
    with (home / "console.json").open("w") as out, (home / "console.log").open("w") as log:
        program = [sys.executable, "-m", "event_pipelines", *command]
        with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=out, stderr=log) as console:
            while console.poll() is None and local_engine.running(home):
                time.sleep(_POLL_SECONDS)
            console.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
