import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_object_event.settings import Route, Settings
from shared.configuration import ConfigurationError, Environment

NAMES = ["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete", "LifecycleTransition"]


def settings_from(environment: dict[str, str], **changes: str) -> Settings:
    return Settings.from_environment(Environment({**environment, **changes}))


def test_a_route_knows_its_events(environment: dict[str, str]) -> None:
    assert settings_from(environment) == Settings(
        route=Route(
            "upload",
            frozenset(
                {
                    "ObjectCreated:Put",
                    "ObjectCreated:Post",
                    "ObjectCreated:CompleteMultipartUpload",
                }
            ),
            catch_all=False,
        ),
        rejections_bucket="example-rejections",
        rejections_prefix="upload/",
        trail_table=None,
        trail_retention_days=90,
        records_bucket=None,
    )


def test_the_catch_all_knows_what_it_leaves_to_others(environment: dict[str, str]) -> None:
    settings = settings_from(
        environment,
        ROUTE="other",
        ROUTE_EVENTS="",
        ROUTE_EXCEPT="ObjectCreated:Put, LifecycleTransition",
        TRAIL_TABLE="example-trail",
        TRAIL_RETENTION_DAYS="7",
    )

    events = frozenset({"ObjectCreated:Put", "LifecycleTransition"})
    assert settings.route == Route("other", events, catch_all=True)
    assert (settings.trail_table, settings.trail_retention_days) == ("example-trail", 7)


@given(st.sets(st.sampled_from(NAMES)), st.sampled_from([*NAMES, "ObjectPolished:Twice"]))
def test_a_route_and_its_catch_all_share_every_event_out(events: set[str], name: str) -> None:
    route = Route("some", frozenset(events), catch_all=False)
    other = Route("other", frozenset(events), catch_all=True)

    assert route.takes(name) is (name in events)
    assert other.takes(name) is not route.takes(name)


@pytest.mark.parametrize("name", ["ROUTE", "REJECTIONS_BUCKET", "REJECTIONS_PREFIX"])
def test_missing_audit_setting_is_named(environment: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is not set"):
        settings_from(environment, **{name: ""})


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("ROUTE_EVENTS", "s3:ObjectCreated:Put", "without s3:"),
        ("ROUTE_EVENTS", "ObjectCreated:*", "names such as ObjectCreated:Put"),
        ("ROUTE_EVENTS", "ObjectCreated:Put,,", "names such as"),
        ("ROUTE_EVENTS", "ObjectCreated:Put ObjectCreated:Post", "names such as"),
        ("REJECTIONS_PREFIX", "upload", "ends with a slash"),
        ("TRAIL_RETENTION_DAYS", "0", "from 1 to 3650"),
        ("TRAIL_RETENTION_DAYS", "3651", "from 1 to 3650"),
        ("TRAIL_RETENTION_DAYS", "a month", "from 1 to 3650"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    environment: dict[str, str], name: str, value: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is .*{remedy}"):
        settings_from(environment, **{name: value})


@pytest.mark.parametrize(("events", "but"), [("", ""), ("ObjectCreated:Put", "ObjectCreated:Copy")])
def test_a_route_is_either_a_list_or_a_catch_all(
    environment: dict[str, str], events: str, but: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"exactly one of .* ROUTE_EVENTS .* ROUTE_EXCEPT"):
        settings_from(environment, ROUTE_EVENTS=events, ROUTE_EXCEPT=but)
