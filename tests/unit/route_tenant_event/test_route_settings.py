import pytest

from route_tenant_event.settings import Settings
from shared.configuration import ConfigurationError, Environment

ENVIRONMENT = {
    "TENANTS_TABLE": "example-Tenants",
    "GROUPS_TABLE": "example-TenantGroups",
    "QUARANTINE_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/quarantine",
}


def settings_from(**changes: str) -> Settings:
    return Settings.from_environment(Environment({**ENVIRONMENT, **changes}))


def test_what_is_not_set_has_a_default() -> None:
    assert settings_from() == Settings(
        tenants_table="example-Tenants",
        groups_table="example-TenantGroups",
        quarantine_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/quarantine",
        cache_seconds=60,
        negative_cache_seconds=5,
        stale_seconds=600,
    )


def test_every_route_setting_can_be_set() -> None:
    settings = settings_from(CACHE_SECONDS="30", NEGATIVE_CACHE_SECONDS="2", STALE_SECONDS="0")

    assert settings.cache_seconds == 30
    assert settings.negative_cache_seconds == 2
    assert settings.stale_seconds == 0


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_missing_route_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings_from(**{name: ""})


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("CACHE_SECONDS", 1, 3_600),
        ("NEGATIVE_CACHE_SECONDS", 1, 3_600),
        ("STALE_SECONDS", 0, 86_400),
    ],
)
def test_route_setting_outside_its_limits_is_refused(name: str, lowest: int, highest: int) -> None:
    for fine in (lowest, highest):
        settings_from(**{name: str(fine)})
    for wrong in (lowest - 1, highest + 1, "many"):
        with pytest.raises(ConfigurationError, match=f"{name} is .* set it to a whole number"):
            settings_from(**{name: str(wrong)})
