"""What tests of several commands share."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def _told_of_ctrl_c() -> Iterator[None]:
    """As a shell starts a command; one in the background is not told of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
