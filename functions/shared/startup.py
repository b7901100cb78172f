"""Cold-start helpers."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Disables the garbage collector while a client is loaded.

    A client is a few hundred thousand objects that stay: scanning them takes a sixth of a start.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Nor afterwards, for which it is enough to do this once: most of it is loaded with the
        # first client, and what is garbage by then is never freed.
        if not gc.get_freeze_count():
            gc.freeze()
        if was_on:
            gc.enable()
