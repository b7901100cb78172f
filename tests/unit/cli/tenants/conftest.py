"""The platform that every test of `event-pipelines tenants` starts from."""

from collections.abc import Iterator

import pytest

from support.tenant_platform import Calls, Cloud, platform, recorded, run


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account with the platform and without groups."""
    with platform(monkeypatch) as built:
        yield built


@pytest.fixture
def calls(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:  # noqa: ARG001
    """What is asked of AWS from here on."""
    with recorded(monkeypatch) as calls:
        yield calls


@pytest.fixture
def gold(cloud: Cloud) -> Cloud:
    """An account with the group gold, whose tenants have queues of their own."""

    def build() -> None:
        run("create-group", "gold")
        cloud.acknowledge_test_events()

    cloud.once("gold", build)
    return cloud


@pytest.fixture
def acme(gold: Cloud) -> Cloud:
    """An account with the group gold and its tenant acme."""
    gold.once("acme", lambda: run("create", "acme", "--group", "gold"))
    return gold
