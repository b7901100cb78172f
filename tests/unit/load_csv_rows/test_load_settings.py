"""What the environment may say, and what it is told when it says something else."""

import pytest

from load_csv_rows.settings import Settings
from shared.configuration import ConfigurationError, Environment
from shared.contracts.imports import WriteMode
from shared.csv_files.cells import ColumnType
from shared.csv_files.shape import Shape


def read(environment: dict[str, str], **changes: str) -> Settings:
    return Settings.from_environment(Environment({**environment, **changes}))


def test_unset_load_settings_have_defaults(environment: dict[str, str]) -> None:
    settings = read(environment)

    assert settings == Settings(
        table="example-items",
        ledger_table="example-ledger",
        shape=Shape(
            hash_key="id",
            key_columns=(),
            columns={},
            keep_unknown_columns=True,
            defaults={"completed": {"BOOL": False}},
        ),
        write_mode=WriteMode.OVERWRITE,
        rejections_bucket="example-imports",
        rejections_prefix="rejections/",
        units_per_second=None,
        max_rejected_percent=100,
        stop_ms=10_000,
        ledger_retention_days=90,
        notices_topic=None,
    )


def test_every_load_setting_can_be_set(environment: dict[str, str]) -> None:
    settings = read(
        environment,
        HASH_KEY="number",
        KEY_COLUMNS="shop, sku",
        COLUMNS='{"amount": "number", "paid": "bool", "due": "timestamp", "note": "string"}',
        UNKNOWN_COLUMNS="drop",
        WRITE_MODE="last_row_wins",
        DEFAULTS='{"amount": 1.50, "paid": true, "due": "2026-03-01", "kind": "order"}',
        TABLE_WRITE_CAPACITY="50",
        MAXIMUM_CONCURRENCY="4",
        MAX_REJECTED_PERCENT="0",
        NOTICES_TOPIC_ARN="arn:aws:sns:eu-west-1:123456789012:notices",
        STOP_AT_REMAINING_MS="20000",
        LEDGER_RETENTION_DAYS="7",
    )

    assert settings.shape == Shape(
        hash_key="number",
        key_columns=("shop", "sku"),
        columns={
            "amount": ColumnType.NUMBER,
            "paid": ColumnType.BOOL,
            "due": ColumnType.TIMESTAMP,
            "note": ColumnType.STRING,
        },
        keep_unknown_columns=False,
        defaults={
            "amount": {"N": "1.5"},
            "paid": {"BOOL": True},
            "due": {"S": "2026-03-01T00:00:00.000000Z"},
            "kind": {"S": "order"},
        },
    )
    assert settings.write_mode is WriteMode.LAST_ROW_WINS
    assert settings.units_per_second == pytest.approx(50 * 0.8 / 4)
    assert (settings.max_rejected_percent, settings.stop_ms) == (0, 20_000)
    assert settings.ledger_retention_days == 7
    assert settings.notices_topic == "arn:aws:sns:eu-west-1:123456789012:notices"


def test_no_defaults_are_an_empty_object(environment: dict[str, str]) -> None:
    assert read(environment, DEFAULTS="{}").shape.defaults == {}


@pytest.mark.parametrize(
    "name", ["TABLE_NAME", "LEDGER_TABLE", "REJECTIONS_BUCKET", "REJECTIONS_PREFIX"]
)
def test_missing_load_setting_is_named(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read(environment, **{name: ""})


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("TRIM", "left", "one of all, names, none"),
        ("MISSING_CELLS", "null", "one of reject, empty"),
        ("EMPTY_CELLS", "drop", "one of text, omit, null"),
        ("DECIMAL", ";", "a point or a comma"),
        ("EXPIRES_AFTER_DAYS", "36501", "0 to 36500"),
        ("LARGE_ROWS_PREFIX", "rows", "ends with a slash"),
        ("WRITE_MODE", "append", "one of overwrite, insert_only, last_row_wins"),
        ("UNKNOWN_COLUMNS", "ignore", "one of keep, drop"),
        ("KEY_COLUMNS", "a,,b", "names of columns"),
        ("KEY_COLUMNS", "a,b,a", "names of columns"),
        ("COLUMNS", "amount=number", "JSON object"),
        ("COLUMNS", "[]", "JSON object"),
        ("COLUMNS", '{"amount": "decimal"}', "string, number, bool, timestamp"),
        ("COLUMNS", '{"amount": 7}', "string, number, bool, timestamp"),
        ("COLUMNS", '{"": "number"}', "JSON object"),
        ("DEFAULTS", "false", "texts, numbers and booleans"),
        ("DEFAULTS", '{"a": null}', "texts, numbers and booleans"),
        ("DEFAULTS", '{"a": [1]}', "texts, numbers and booleans"),
        ("DEFAULTS", '{"a": 1e200}', "texts, numbers and booleans"),
        ("DEFAULTS", '{"a": NaN}', "texts, numbers and booleans"),
        ("TABLE_WRITE_CAPACITY", "-1", "0 to"),
        ("MAXIMUM_CONCURRENCY", "0", "from 1 to 1000"),
        ("MAX_REJECTED_PERCENT", "101", "from 0 to 100"),
        ("STOP_AT_REMAINING_MS", "10", "from 1000 to 300000"),
        ("REJECTIONS_PREFIX", "rejections", "ends with a slash"),
    ],
)
def test_what_cannot_be_is_refused_with_its_remedy(
    environment: dict[str, str], name: str, value: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(environment, **{name: value})
    assert name in str(refused.value)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "defaults"),
    [
        ('{"a": "number"}', '{"a": "1"}'),
        ('{"a": "number"}', '{"a": true}'),
        ('{"a": "bool"}', '{"a": 1}'),
        ('{"a": "string"}', '{"a": 1}'),
        ('{"a": "timestamp"}', '{"a": "soon"}'),
        ('{"a": "timestamp"}', '{"a": 1}'),
    ],
)
def test_a_default_has_the_type_of_its_column(
    environment: dict[str, str], columns: str, defaults: str
) -> None:
    with pytest.raises(ConfigurationError, match="DEFAULTS gives a a value that is no"):
        read(environment, COLUMNS=columns, DEFAULTS=defaults)


@pytest.mark.parametrize(
    "changes",
    [
        {"HASH_KEY": "import_stamp"},
        {"KEY_COLUMNS": "import_stamp"},
        {"COLUMNS": '{"import_stamp": "string"}'},
        {"DEFAULTS": '{"import_stamp": "x"}'},
        {"DEFAULTS": '{"id": "x"}'},
        {"DEFAULTS": '{"sku": "x"}', "KEY_COLUMNS": "sku"},
    ],
)
def test_what_the_import_makes_cannot_be_said(
    environment: dict[str, str], changes: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError, match="sets the attribute"):
        read(environment, **changes)
