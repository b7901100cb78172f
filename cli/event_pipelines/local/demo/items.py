"""Sends ten items through the relay, with the service as a separate process."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event_pipelines.console import counting
from event_pipelines.items import documents, put, samples
from event_pipelines.items.put import NewItem
from event_pipelines.local.demo.report import Chapter, Demo
from event_pipelines.stack import Stack

ITEMS = 10
TIMEOUT_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True)
class Account:
    """The documents that the service wrote, by item id, and its exit code after SIGTERM."""

    shown: dict[str, dict[str, Any]]
    exit_code: int

    @property
    def faults(self) -> list[str]:
        found = []
        if len(self.shown) != ITEMS:
            found.append(f"The service showed {len(self.shown)} items, not {ITEMS}.")
        for item_id, document in self.shown.items():
            if not document["unchanged"]:
                found.append(f"The file of {item_id} is not the one that was put.")
            if changes(document) != ["processed_at", "processed_sha256", "revision"]:
                found.append(f"The item {item_id} has changed in {changes(document)}.")
        if self.exit_code != 0:
            found.append(f"The service ended with {self.exit_code}.")
        return found


def changes(document: dict[str, Any]) -> list[str]:
    """Returns the names of attributes that differ between the initial and the final item."""
    kinds = document["difference"].values()
    return sorted({place.lstrip("/") for kind in kinds for place in kind})


def run(name_prefix: str, show: Callable[[int, int, str], None]) -> Account:
    """Starts the service, puts the items, waits for their documents and stops the service."""
    script = put.connect(Stack(name_prefix))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "event_pipelines", "items", "serve"]
        # A short drain time makes for short polls, so that the service stops soon.
        command += ["--prefix", name_prefix, "--output", str(folder), "--drain", "3"]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as service:
            try:
                for number in range(1, ITEMS + 1):
                    item_id = f"laptop-{number:02}"
                    content = samples.sample(item_id)
                    script.put(NewItem(item_id, content, documents.read(content)))
                deadline = time.monotonic() + TIMEOUT_SECONDS
                while len(done := list(folder.glob("[!.]*.json"))) < ITEMS:
                    show(len(done), ITEMS, "shown by the service")
                    if time.monotonic() > deadline or service.poll() is not None:
                        break
                    time.sleep(0.1)
                service.terminate()
                exit_code = service.wait(STOP_SECONDS)
            finally:
                service.kill()
        found = [json.loads(path.read_text()) for path in sorted(folder.glob("[!.]*.json"))]
    return Account({document["item_id"]: document for document in found}, exit_code)


def chapter(account: Account) -> Chapter:
    """Returns a table of the items before and after, with unchanged files."""
    rows = []
    for item_id, document in sorted(account.shown.items()):
        kept = "unchanged" if document["unchanged"] else "changed"
        before, after = (str(document[side]["revision"]) for side in ("initial", "final"))
        rows.append((item_id, kept, before, after, ", ".join(changes(document))))
    return Chapter(
        "Item relay",
        ("items put", "queue", "update_item", "FIFO queue", "items serve"),
        f"{len(rows)} items, each with its file, through two queues to the service, which has"
        " stopped; see also `event-pipelines items`",
        ("item", "file", "revision before", "after", "added and changed"),
        rows,
        account.faults,
    )


def demonstrate(demo: Demo) -> Chapter:
    """Puts items and runs the service; returns each item before and after its update."""
    with counting(f"Relaying {ITEMS} items", demo.console) as progress:
        return chapter(run(demo.name_prefix, progress))
