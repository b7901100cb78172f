"""What is loaded with the collector off, and that it is on again."""

import gc
import subprocess
import sys

import pytest

from shared.startup import collector_off
from support.fresh_process import FUNCTIONS


def test_the_collector_is_off_for_as_long_as_something_is_loaded() -> None:
    with collector_off():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_the_collector_is_on_again_when_loading_fails() -> None:
    with pytest.raises(ImportError), collector_off():
        raise ImportError

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_so() -> None:
    gc.disable()
    try:
        with collector_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_loaded_first_is_left_alone_for_good_and_nothing_after_it() -> None:
    """Or clients that are made again and again would leave behind what is never freed."""
    program = """
import gc
from shared.startup import collector_off
with collector_off():
    loaded = [[] for _ in range(1000)]
first = gc.get_freeze_count()
with collector_off():
    more = [[] for _ in range(1000)]
print(first >= 1000, gc.get_freeze_count() == first)
"""

    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.split() == ["True", "True"]
