"""Which names groups and tenants may have, and what is said to the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.errors import UserError
from event_pipelines.pipelines.tenant_names import Names, check, raw_key
from shared.contracts.tenant_keys import InvalidKey, TenantKey

NAMES = Names("event-pipelines", "123456789012", "eu-west-1", "aws", "https://sqs/123456789012", 40)


@pytest.mark.parametrize("name", ["abc", "a-1", "0-0", "a" * 40, "xn--a", "raw", "acme-ingest-dlq"])
def test_names_that_can_be_used(name: str) -> None:
    assert check("tenant", name) == name


@pytest.mark.parametrize(
    ("name", "objection"),
    [
        ("", "is empty"),
        ("ab", "has 2 characters"),
        ("a" * 41, "has 41 characters"),
        ("Acme", "holds 'A'"),
        ("acme_eu", "holds '_'"),
        ("../acme", "holds '.', '/'"),
        ("acme/raw", "holds '/'"),
        ("acme%2fraw", "holds '%'"),
        ("acme\n", "holds '\\n'"),
        ("äcme", "holds 'ä'"),
        ("acme٣", "holds '٣'"),
        ("-acme", "begins with a hyphen"),
        ("acme-", "ends with a hyphen"),
    ],
)
def test_names_that_cannot_and_why(name: str, objection: str) -> None:
    with pytest.raises(UserError) as refused:
        check("group", name)

    assert str(refused.value).startswith(f"The group name {name!r} {objection}: ")


def test_a_groups_name_must_leave_its_bucket_within_what_s3_takes() -> None:
    longest = "a" * 21

    assert len(NAMES.bucket(NAMES.check_group(longest))) == 63
    with pytest.raises(UserError, match=r"has 22 characters and .* leaves room for 21"):
        NAMES.check_group(longest + "a")


def test_a_tenants_name_must_leave_its_queue_within_what_sqs_takes() -> None:
    long = Names("p" * 30, "123456789012", "eu-west-1", "aws", "https://sqs/123456789012", 5)

    assert long.check_tenant("a" * 34)
    with pytest.raises(UserError, match=r"has 35 characters and .* leaves room for 34"):
        long.check_tenant("a" * 35)


@pytest.mark.parametrize("path", ["orders.csv", "2026/11/ü orders.csv", "a%20b", "...", "raw/x"])
def test_paths_of_raw_files(path: str) -> None:
    assert raw_key("acme", path) == f"acme/raw/{path}"


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("", "empty part"),
        ("/orders.csv", "empty part"),
        ("a//b.csv", "empty part"),
        ("a/", "empty part"),
        ("../beta/raw/x", "part . or .."),
        ("a/./b", "part . or .."),
        ("a\x00b", "control character"),
        ("a\x7fb", "control character"),
        ("%2e%2e/x", "encoded dot, slash or backslash"),
        ("a%2Fb", "encoded dot, slash or backslash"),
        ("a%5cb", "encoded dot, slash or backslash"),
        ("ü" * 508, "more than 1024 bytes"),
    ],
)
def test_paths_that_the_router_would_refuse(path: str, fault: str) -> None:
    with pytest.raises(UserError, match="--as") as refused:
        raw_key("acme", path)

    assert fault in str(refused.value)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from("a.%2e5cF\\/ é\x00\x85"), min_size=1, max_size=12).map("".join))
def test_paths_are_refused_here_and_by_the_router_alike(path: str) -> None:
    """The router has the last word; a file that it would quarantine is not to be uploaded."""
    try:
        TenantKey.parse(f"acme/raw/{path}")
        routed = True
    except InvalidKey:
        routed = False

    try:
        accepted = raw_key("acme", path) == f"acme/raw/{path}"
    except UserError:
        accepted = False

    assert accepted is routed
