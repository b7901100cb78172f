import pytest

from shared.configuration import ConfigurationError, Environment
from shared.csv_files.expected_columns import ExpectedColumns
from shared.csv_files.opening import WantedDialect
from shared.csv_files.records import Dialect
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


def test_the_dialect_can_be_set(environment: dict[str, str]) -> None:
    settings = settings_from(
        environment,
        DELIMITER="\t",
        QUOTE="none",
        ESCAPE="\\",
        COMMENT="#",
        SKIP_LINES="3",
        HEADER='["id", "name"]',
        ENCODING="windows-1252",
        TRIM="none",
        KEY_COLUMNS="id",
        COLUMNS='{"name": "string"}',
        DEFAULTS='{"note": "x"}',
        LARGE_ROWS_PREFIX="large/",
    )

    assert settings.dialect == WantedDialect(
        Dialect("\t", "", "\\", "#"), "windows-1252", ("id", "name"), 3, trim_names=False
    )
    assert settings.expected == ExpectedColumns("id", ("id",), ("name",), ("note",))
    assert settings.large_rows_prefix == "large/"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DELIMITER", "x", "auto or one character"),
        ("DELIMITER", ";;", "auto or one character"),
        ("DELIMITER", '"', "auto or one character"),
        ("DELIMITER", "\n", "auto or one character"),
        ("DELIMITER", "§", "auto or one character"),
        ("QUOTE", "q", "one ASCII character"),
        ("ESCAPE", "\r", "one ASCII character"),
        ("COMMENT", "//", "one ASCII character"),
        ("ESCAPE", '"', "must differ"),
        ("SKIP_LINES", "1001", "0 to 1000"),
        ("HEADER", "id,name", "a JSON list"),
        ("HEADER", '["id", " "]', "a JSON list"),
        ("HEADER", '["id", "id"]', "a JSON list"),
        ("ENCODING", "latin-1", "one of auto, utf-8"),
        ("TRIM", "left", "one of all, names, none"),
        ("KEY_COLUMNS", "a,,b", "names of columns"),
        ("COLUMNS", "[]", "a JSON object"),
        ("DEFAULTS", "7", "a JSON object"),
        ("LARGE_ROWS_PREFIX", "import/", "overlap"),
    ],
)
def test_what_no_file_can_be_is_refused_with_its_remedy(
    environment: dict[str, str], name: str, value: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_from(environment, **{name: value})
    assert name in str(refused.value)
    assert remedy in str(refused.value)
