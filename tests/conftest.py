"""What all tests share: how they are spread over workers."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of one file in one worker, because they share engines and made pictures.

    A test that names its own group (`pytest.mark.xdist_group`) is spread by that instead.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
