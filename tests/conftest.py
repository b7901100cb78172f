"""What all tests share: how they are spread over workers, and what only a full run runs."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from support import browser

# A deadline is a limit of wall-clock time, which a busy machine exceeds.
settings.register_profile("event-pipelines", parent=settings.default, deadline=None)
settings.load_profile("event-pipelines")

# Without cached bytecode each worker compiles every test, and each of the hundreds of processes
# that tests start compiles all it imports: more than half of what collecting costs.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Collecting tests makes garbage of little and keeps nearly all, and what it keeps would be looked
# through again and again while tests run: an eighth of their processor time.
gc.disable()

# Groups by what they wait and work, the longest first, so that no worker ends long before another;
# all others come behind, and are short. A worker takes its next group when two tests of the last
# are left, which are those of one test at once.
LONGEST_FIRST = (
    # Makes the stack that others are copies of, which they would wait for.
    "security",
    "fault drills",
    "local/test_customer_key.py",
    "local/pipelines/test_another_region.py",
    "local/test_migration.py",
    "mocked plans",
    # Short, because it waits behind the drills.
    "local/corrections/test_permissions.py",
    # Behind the other region.
    "local/pipelines/test_item_relay.py",
    "local/test_documented_commands.py",
    "operate",
    "local/pipelines/test_source_bucket.py",
    "local/test_web_console.py",
    "local/pipelines/test_tenant_routing.py",
    "local/pipelines/test_csv_import.py",
    "local/test_queues_command.py",
    "local/corrections/test_messages.py",
    "local/corrections/test_event_sources.py",
    "local/pipelines/test_image_derivatives.py",
    "local/pipelines/test_event_audit.py",
    "conformance/test_facts.py",
    "unit/lint/test_checkov.py",
)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest-xdist, which reads the groups then
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Keeps the tests of one file in one worker, because they share engines and made pictures.

    A test that names its own group (`pytest.mark.xdist_group`) is spread by that instead. Raises
    UsageError when pytest-xdist does not see the groups: every worker would have its own stacks.
    """
    if not config.getoption("--full"):
        longest = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=longest)
        items[:] = [item for item in items if item not in longest]
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    if hasattr(config, "workerinput"):  # of pytest-xdist
        items.sort(key=_place)
    yield
    # Tests are collected before moto is imported, and it stands in the way of later sessions only.
    if getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None) is not None:
        raise pytest.UsageError(
            "A test module makes a client of boto3's default session when it is imported, which"
            " moto would never see: give it a session of its own."
        )
    if getattr(config.option, "loadgroup", False) and not all("@" in item.nodeid for item in items):
        raise pytest.UsageError(
            "This pytest-xdist does not group tests under this pytest: install the versions of"
            " requirements/test.txt."
        )


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and not browser.installed():
        pytest.skip(f"not run: {browser.INSTALL}")


def _place(item: pytest.Item) -> int:
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    group = str(marker.args[0])
    places = [place for place, name in enumerate(LONGEST_FIRST) if group.endswith(name)]
    return places[0] if places else len(LONGEST_FIRST)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="the fault drills in full instead of their short form, and tests marked as full",
    )
