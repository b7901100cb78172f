"""Checks whether work grows faster than its input, by processor time measured side by side.

Linear work takes four times as long for a fourfold input, quadratic work sixteen times; the limit
is six times. Other load of the machine only adds time, so the best of several rounds counts.
"""

import gc
import time
from collections.abc import Callable

LIMIT = 6
ROUNDS = 4
# Below this a measurement is noise, and the work takes no noticeable time.
SECONDS_THAT_COUNT = 0.01
# Inputs of up to 512 parts that take longer are exponential; the small one is at least cubic.
SECONDS_FOR_FEW, SECONDS_FOR_SMALL = 0.5, 5


def seconds(work: Callable[[int], object], size: int) -> float:
    """Returns the processor seconds of `work` on an input of this size."""
    started = time.process_time()
    work(size)
    return time.process_time() - started


def grows_too_fast(work: Callable[[int], object], small: int, large: int) -> str:
    """Says by how much, else "". `work` takes the input's size; `large` is four times `small`."""
    for size in (16, 24, 28, 32, 64, 512, small):
        most = SECONDS_FOR_SMALL if size == small else SECONDS_FOR_FEW
        if (spent := seconds(work, size)) > most:
            return f"{spent:.1f} s for a size of {size}"
    gc.disable()
    try:
        ratios = []
        for _ in range(ROUNDS):
            spent = seconds(work, large)
            if spent < SECONDS_THAT_COUNT:
                return ""
            ratios.append(spent / max(seconds(work, small), 1e-4))
            if ratios[-1] <= LIMIT:
                return ""
    finally:
        gc.enable()
    return f"{min(ratios):.1f} times as long for 4 times as much"
