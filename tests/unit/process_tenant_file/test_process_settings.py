import pytest

from process_tenant_file.settings import Settings
from shared.configuration import ConfigurationError, Environment
from shared.contracts.tenant_registry import Tenant

ENVIRONMENT = {
    "TENANTS_TABLE": "example-Tenants",
    "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/example-tenants-files",
    "QUEUE_PREFIX": "example",
}


def settings_from(**changes: str) -> Settings:
    return Settings.from_environment(Environment({**ENVIRONMENT, **changes}))


def test_what_is_not_set_has_a_default() -> None:
    assert settings_from() == Settings(
        tenants_table="example-Tenants",
        tenant_role="arn:aws:iam::123456789012:role/example-tenants-files",
        queue_prefix="example",
        max_file_bytes=50_000_000,
    )


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_missing_processing_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings_from(**{name: ""})


def test_the_size_of_files_has_limits() -> None:
    assert settings_from(MAX_FILE_MB="1").max_file_bytes == 1_000_000
    assert settings_from(MAX_FILE_MB="1000").max_file_bytes == 1_000_000_000
    for wrong in ("0", "1001", "much"):
        with pytest.raises(ConfigurationError, match=r"MAX_FILE_MB is .* set it to a whole number"):
            settings_from(MAX_FILE_MB=wrong)


@pytest.mark.parametrize(
    ("mode", "queue"),
    [
        ("per_tenant", "example-tenant-acme-raw"),
        ("shared_fair", "example-tg-retail-raw"),
        ("", None),
        ("something", None),
    ],
)
def test_a_tenant_has_one_queue(mode: str, queue: str | None) -> None:
    tenant = Tenant(name="acme", group="retail", queue_mode=mode, queue_url="https://elsewhere/q")

    assert settings_from().queue_of(tenant) == queue
