"""What tests of several commands share."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_configuration_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a region, nor a profile, nor a server that hands out credentials, nor a language."""
    for variable in ("AWS_REGION", "AWS_PROFILE", "EVENT_PIPELINES_NAME_PREFIX"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    # In any other, each word of each option is looked for in files of translations.
    monkeypatch.setenv("LANGUAGE", "C")


@pytest.fixture
def _told_of_ctrl_c() -> Iterator[None]:
    """As a shell starts a command; one in the background is not told of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
