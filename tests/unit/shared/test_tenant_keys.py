"""Whose object a key names, and which keys name nobody's."""

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contracts.tenant_keys import (
    RAW,
    REJECTED,
    SILVER,
    InvalidKey,
    TenantKey,
    is_tenant_name,
)


@pytest.mark.parametrize(
    "name", ["abc", "a1b", "123", "a-b", "a--b", "tenant-1", "x" * 40, "0" + "-" * 38 + "0"]
)
def test_what_a_tenant_may_be_called(name: str) -> None:
    assert is_tenant_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "ab",
        "x" * 41,
        "-ab",
        "ab-",
        "Acme",
        "a_b",
        "a.b",
        "a b",
        "ab\n",
        "größe",
        "a/b",
        "..",
    ],
)
def test_what_no_tenant_is_called(name: str) -> None:
    assert not is_tenant_name(name)


@pytest.mark.parametrize(
    ("key", "area", "path"),
    [
        ("acme/raw/orders.csv", RAW, "orders.csv"),
        ("acme/raw/2026/03/größe & more+%.csv", RAW, "2026/03/größe & more+%.csv"),
        ("acme/raw/raw/globex/raw/a", RAW, "raw/globex/raw/a"),
        ("acme/raw/...", RAW, "..."),
        ("acme/raw/.hidden", RAW, ".hidden"),
        ("acme/raw/100%25", RAW, "100%25"),
        ("acme/silver/orders.csv.jsonl", SILVER, "orders.csv.jsonl"),
        ("acme/silver/", SILVER, ""),
        ("acme/rejected/a/b.json", REJECTED, "a/b.json"),
    ],
)
def test_a_key_names_a_tenant_and_what_is_its(key: str, area: str, path: str) -> None:
    assert TenantKey.parse(key) == TenantKey("acme", area, path)


@pytest.mark.parametrize(
    ("key", "trouble"),
    [
        ("", "does not begin with the name of a tenant"),
        ("/acme/raw/a", "does not begin with the name of a tenant"),
        ("../acme/raw/a", "does not begin with the name of a tenant"),
        ("Acme/raw/a", "does not begin with the name of a tenant"),
        ("acme\n/raw/a", "does not begin with the name of a tenant"),
        ("ac%6de/raw/a", "does not begin with the name of a tenant"),
        ("ac/raw/a", "does not begin with the name of a tenant"),
        ("acme", "not below acme/raw/"),
        ("acme/", "not below acme/raw/"),
        ("acme/silver", "not below acme/raw/"),
        ("acme/rejected", "not below acme/raw/"),
        ("acme/RAW/a", "not below acme/raw/"),
        ("acme//raw/a", "not below acme/raw/"),
        ("acme/../globex/raw/a", "not below acme/raw/"),
        ("acme/raw%2fa", "not below acme/raw/"),
        ("acme/rawa", "not below acme/raw/"),
        ("acme/raw", "an empty part"),
        ("acme/raw/", "an empty part"),
        ("acme/raw//a", "an empty part"),
        ("acme/raw/a//b", "an empty part"),
        ("acme/raw/a/", "an empty part"),
        ("acme/raw/..", "a part . or .."),
        ("acme/raw/../../globex/raw/a", "a part . or .."),
        ("acme/raw/a/./b", "a part . or .."),
        ("acme/raw/..\\..\\globex\\raw\\a", "a backslash"),
        ("acme/raw/%2e%2e/globex", "encoded dot, slash or backslash"),
        ("acme/raw/a%2Fb", "encoded dot, slash or backslash"),
        ("acme/raw/a%5Cb", "encoded dot, slash or backslash"),
        ("acme/raw/a%252fb", "encoded dot, slash or backslash"),
        ("acme/raw/a%25252Eb", "encoded dot, slash or backslash"),
        ("acme/raw/%%32%65%%32e/globex", "encoded dot, slash or backslash"),
        ("acme/raw/a\x00b", "a control character"),
        ("acme/raw/a\nb", "a control character"),
        ("acme/raw/a\x7fb", "a control character"),
        ("acme/raw/a\x85b", "a control character"),
    ],
)
def test_a_key_that_names_nobodys_object_is_refused(key: str, trouble: str) -> None:
    with pytest.raises(InvalidKey, match=trouble):
        TenantKey.parse(key)


NAMES = ["acme", "globex", "raw", "silver", "a.csv", "é", "+", " ", ""]
HOSTILE = ["..", ".", "/", "\\", "\x00", "\n", "%2e%2e", "%2F", "%5c", "%252e"]
REMAINS = ["%", "25", "2e", "32", "65"]
pieces = st.sampled_from([*NAMES, *HOSTILE, *REMAINS])


@settings(derandomize=True, deadline=None, max_examples=1_000)
@given(st.lists(pieces, max_size=8), st.sampled_from(["", "/"]))
@example(["acme", "raw", "..", "..", "globex", "raw", "a.csv"], "/")
def test_a_raw_key_stays_with_its_tenant_however_it_is_read(parts: list[str], join: str) -> None:
    key = "acme/raw/" + join.join(parts)
    try:
        parsed = TenantKey.parse(key)
    except InvalidKey:
        return

    assert (parsed.tenant, parsed.area) == ("acme", RAW)
    assert f"acme/raw/{parsed.path}" == key
    for reading in (key, unquote(key), unquote(unquote(key)), unquote(unquote(unquote(key)))):
        assert posixpath.normpath(reading.replace("\\", "/")).startswith("acme/raw/")
        assert reading.count("/") == key.count("/")
