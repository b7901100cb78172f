"""Shows long work: a live line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from event_pipelines.console import cell

# How often a log without a terminal hears that work goes on.
QUIET_SECONDS = 15


@contextmanager
def counting(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yields `show(done, total, detail)`; closes with one line that says how long it took."""
    started = time.monotonic()
    title = cell(title)
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task(title, total=None, detail="")
            yield lambda done, total, detail: progress.update(
                task, completed=done, total=total or None, detail=cell(detail)
            )
    else:
        console.print(f"{title} ...")
        last = started

        def show(done: int, total: int, detail: str) -> None:
            nonlocal last
            if time.monotonic() - last >= QUIET_SECONDS:
                last = time.monotonic()
                console.print(
                    f"  {done}/{total or '?'} after {last - started:.0f} s  {cell(detail)}",
                    highlight=False,
                )

        yield show
    console.print(f"{title}: {time.monotonic() - started:.0f} s", highlight=False)


@contextmanager
def uploading(console: Console, size: int) -> Iterator[Callable[[int], None]]:
    """Yields `advance(sent)`, which hears of the bytes of a file of `size` bytes as they go."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Uploading", total=size)
        yield lambda sent: progress.advance(task, sent)
