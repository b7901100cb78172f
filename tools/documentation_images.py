"""Makes the pictures of docs/images from a running stack: a terminal session and the pages.

Usage: make demo KEEP=1, then make documentation-images. Needs a Chromium. The reviewed plan removes
a pipeline and keeps logs for longer.
"""

import io
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.text import Text

REPOSITORY = Path(__file__).parents[1]
IMAGES = REPOSITORY / "docs/images"
COLUMNS = 100
PAGE_WIDTH, PAGE_HEIGHT = 1000, 900
CHANGED = {
    "pipelines": ["csv-import", "image-derivatives", "item-relay", "tenant-routing"],
    "log_retention_days": 30,
}
# Path and height (in pixels) of each view, by the name of its picture.
VIEWS = {
    "console": ("/", 1330),
    "console-object": ("/object?key=ingest/portrait.jpg", 760),
    "console-letters": ("/letters?queue=image-card-dlq", 655),
}
# Waits until the console has its data, and then for all pictures of the page.
READY = """
new Promise(done => {
  const asking = () => document.body.innerText.includes('Asking AWS');
  const wait = () => asking() ? setTimeout(wait, 100) : done();
  wait();
}).then(() => Promise.all([...document.images].map(one => {
  one.loading = 'eager';
  return one.decode().catch(() => 0);
}))).then(() => 1)
"""
# Commands about one of the demo's files: a web page with the name of a picture.
SESSION = (("status",), ("trace", "ingest/page.jpg"), ("queues", "peek", "image-card-dlq"))


def recorded(command: Path, session: tuple[tuple[str, ...], ...]) -> Text:
    """Returns the output of these runs of ``command`` on a terminal of ``COLUMNS`` columns."""
    shown = Text()
    for arguments in session:
        shown.append("$ ", style="bold").append(f"{' '.join((command.name, *arguments))}\n")
        shown.append_text(Text.from_ansi(_in_a_terminal([str(command), *arguments]))).append("\n")
    return shown


def _in_a_terminal(command: list[str]) -> str:
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        parts = []
        # On Linux, reading a terminal without writers raises an error.
        try:
            while part := os.read(ours, 1 << 16):
                parts.append(part)
        except OSError:
            pass
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


def drawn(session: Text) -> str:
    """Returns the session as an SVG that fetches no font."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(session, soft_wrap=False)
    svg = console.export_svg(title="event-pipelines", unique_id="session")
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def show_console(browser: Any, address: str) -> None:
    """Saves the views of the running console, with their data loaded."""
    browser.open(address, PAGE_WIDTH)
    here = address.partition("/?")[0]
    for name, (path, height) in VIEWS.items():
        browser.open(f"{here}{path}", PAGE_WIDTH)
        browser.evaluate(READY)
        browser.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        # A palette takes a quarter of the bytes, and is enough for text and a few photographs.
        shot = Image.open(io.BytesIO(browser.screenshot(height))).convert("RGB").quantize(128)
        shot.save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Write the images of the running stack. Exits with a message when no stack runs."""
    sys.path.append(str(REPOSITORY / "tests"))
    from event_pipelines.local import stack as local_stack
    from event_pipelines.local.home import Home
    from support.browser import Browser

    stack = local_stack.current(Home())
    if stack is None:
        sys.exit("documentation_images.py: no stack runs: run `make demo KEEP=1` first.")
    IMAGES.mkdir(exist_ok=True)
    command = Path(sys.executable).with_name("event-pipelines")
    with Browser() as browser:
        said = json.loads((stack.home.path / "console.json").read_text())
        show_console(browser, said["address"])
    with stack.environment():
        (IMAGES / "session.svg").write_text(drawn(recorded(command, SESSION)))
    planned, _ = local_stack.planned(
        stack.home, stack.engine, region=stack.region, variables=CHANGED
    )
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        plan, review = Path(folder) / "plan.json", Path(folder) / "review.html"
        plan.write_text(json.dumps(planned))
        arguments = [str(command), "plan-review", str(plan), "--format", "html"]
        review.write_bytes(subprocess.run(arguments, capture_output=True, check=True).stdout)
        for name, page in (("report", stack.home.report), ("plan-review", review)):
            browser.open(page, PAGE_WIDTH)
            (IMAGES / f"{name}.png").write_bytes(browser.screenshot(PAGE_HEIGHT))


if __name__ == "__main__":
    main()
