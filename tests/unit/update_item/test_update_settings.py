"""What the environment may say, and what it is told when it says something else."""

import pytest

from shared.configuration import ConfigurationError, Environment
from update_item.settings import Settings


def read(environment: dict[str, str], **changes: str) -> Settings:
    return Settings.from_environment(Environment({**environment, **changes}))


def test_all_update_settings_are_read(environment: dict[str, str]) -> None:
    assert read(environment) == Settings(
        table="example-items",
        next_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/example-finished.fifo",
        files_bucket="example-relay",
        files_prefix="files/",
        rejections_bucket="example-relay",
        rejections_prefix="rejections/",
    )


@pytest.mark.parametrize(
    "name",
    [
        "TABLE_NAME",
        "NEXT_QUEUE_URL",
        "FILES_BUCKET",
        "FILES_PREFIX",
        "REJECTIONS_BUCKET",
        "REJECTIONS_PREFIX",
    ],
)
def test_missing_update_setting_is_named(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read(environment, **{name: ""})


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("NEXT_QUEUE_URL", "https://sqs.example/1/finished", "set it to a FIFO queue"),
        ("FILES_PREFIX", "files", "ends with a slash"),
        ("REJECTIONS_PREFIX", "/rejections/", "ends with a slash"),
    ],
)
def test_what_cannot_be_is_refused_with_its_remedy(
    environment: dict[str, str], name: str, value: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=remedy) as refused:
        read(environment, **{name: value})
    assert name in str(refused.value)
