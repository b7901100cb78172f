"""Cold-start helpers."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Later collections skip frozen objects. Once is enough: the first client loads most of them, and
# frozen garbage is never freed. Python would count the frozen objects one by one, to say if any.
_freeze_once = cache(gc.freeze)


@contextmanager
def collector_off() -> Iterator[None]:
    """Disables the garbage collector while a client is loaded.

    A client has a few hundred thousand permanent objects: scanning them takes a sixth of a start.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _freeze_once()
        if was_on:
            gc.enable()
