import pytest

from shared.configuration import ConfigurationError, Environment
from split_csv.settings import Settings


@pytest.fixture
def environment() -> dict[str, str]:
    """What has to be there."""
    return {
        "ROWS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/rows",
        "IMPORTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/imports",
        "LEDGER_TABLE": "example-ledger",
        "IMPORT_PREFIX": "import/",
        "REJECTIONS_PREFIX": "rejections/",
    }


def settings_from(environment: dict[str, str], **changes: str) -> Settings:
    return Settings.from_environment(Environment({**environment, **changes}))


def test_what_is_not_set_has_a_default(environment: dict[str, str]) -> None:
    assert settings_from(environment) == Settings(
        rows_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/rows",
        imports_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/imports",
        ledger_table="example-ledger",
        ledger_retention_days=90,
        rows_per_message=400,
        import_prefix="import/",
        rejections_prefix="rejections/",
        rejections_bucket=None,
        max_rejected_percent=100,
        max_hops=200,
        stop_at_remaining_ms=60_000,
        notices_topic=None,
    )


def test_every_split_setting_can_be_set(environment: dict[str, str]) -> None:
    settings = settings_from(
        environment,
        LEDGER_RETENTION_DAYS="7",
        ROWS_PER_MESSAGE="1",
        REJECTIONS_BUCKET="example-rejections",
        MAX_REJECTED_PERCENT="0",
        MAX_HOPS="3",
        STOP_AT_REMAINING_MS="5000",
        NOTICES_TOPIC_ARN="arn:aws:sns:eu-west-1:123456789012:notices",
    )

    assert settings.ledger_retention_days == 7
    assert settings.rows_per_message == 1
    assert settings.rejections_bucket == "example-rejections"
    assert settings.max_rejected_percent == 0
    assert settings.max_hops == 3
    assert settings.stop_at_remaining_ms == 5_000
    assert settings.notices_topic == "arn:aws:sns:eu-west-1:123456789012:notices"


@pytest.mark.parametrize(
    "name",
    ["ROWS_QUEUE_URL", "IMPORTS_QUEUE_URL", "LEDGER_TABLE", "IMPORT_PREFIX", "REJECTIONS_PREFIX"],
)
def test_missing_split_setting_is_named(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings_from(environment, **{name: ""})


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("ROWS_PER_MESSAGE", 1, 10_000),
        ("LEDGER_RETENTION_DAYS", 1, 3_650),
        ("MAX_REJECTED_PERCENT", 0, 100),
        ("MAX_HOPS", 1, 10_000),
        ("STOP_AT_REMAINING_MS", 1, 900_000),
    ],
)
def test_split_setting_outside_its_limits_is_refused(
    environment: dict[str, str], name: str, lowest: int, highest: int
) -> None:
    for fine in (lowest, highest):
        settings_from(environment, **{name: str(fine)})
    for wrong in (lowest - 1, highest + 1, "many", 1.5):
        with pytest.raises(ConfigurationError, match=f"{name} is .* set it to a whole number"):
            settings_from(environment, **{name: str(wrong)})


@pytest.mark.parametrize(
    ("uploads", "rejections"),
    [("import/", "import/"), ("import/", "import/bad/"), ("files/import/", "files/")],
)
def test_what_is_rejected_must_not_be_an_upload(
    environment: dict[str, str], uploads: str, rejections: str
) -> None:
    with pytest.raises(ConfigurationError, match="overlap"):
        settings_from(environment, IMPORT_PREFIX=uploads, REJECTIONS_PREFIX=rejections)


@pytest.mark.parametrize("name", ["IMPORT_PREFIX", "REJECTIONS_PREFIX"])
def test_prefix_without_a_trailing_slash_is_refused(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match="ends with a slash"):
        settings_from(environment, **{name: "folder"})
