"""Whatever a key looks like, nobody but the tenant in front of it ever hears of it."""

import itertools
import json
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from hypothesis import example, given, settings
from hypothesis import strategies as st

from route_tenant_event.registry import Source, Standing
from route_tenant_event.router import Router
from route_tenant_event.sending import Parcel
from shared.batch import Message
from shared.contracts.tenant_registry import ACTIVE, Group, Tenant

QUARANTINE = "https://sqs.example/1/example-tenants-quarantine"
BUCKET = "example-retail"


class EverybodyIsKnown:
    """A registry in which every name is a tenant's: only the key keeps them apart."""

    def look_up(self, names: Any, *, confirm: bool = False) -> dict[str, Standing]:
        assert not (confirm and names)
        return {
            name: Standing(
                Tenant(
                    name=name,
                    group="retail",
                    bucket=BUCKET,
                    status=ACTIVE,
                    queue_url=queue_of(name),
                ),
                Group(name="retail", bucket=BUCKET, status=ACTIVE),
                Source.HIT,
            )
            for name in names
        }


@dataclass
class Post:
    parcels: list[Parcel] = field(default_factory=list)

    def send(self, parcels: list[Parcel], _: Callable[[], float]) -> dict[int, Exception]:
        self.parcels = list(parcels)
        return {}


def queue_of(name: str) -> str:
    return f"https://sqs.example/1/example-tenant-{name}-raw"


PIECES = [
    "acme",
    "globex",
    "raw",
    "silver",
    "rejected",
    "Acme",
    "a-b",
    "-ab",
    "a.csv",
    "é",
    " ",
    "+",
]
HOSTILE = [
    "/",
    "//",
    ".",
    "..",
    "\\",
    "\x00",
    "\n",
    "\x7f",
    "%",
    "%2e",
    "%2F",
    "%5c",
    "%252f",
    "\u2028",
]
keys = st.one_of(
    st.lists(st.sampled_from([*PIECES, *HOSTILE, "/", "/", "/raw/"]), min_size=1, max_size=10).map(
        "".join
    ),
    st.lists(st.sampled_from([*PIECES, *HOSTILE]), max_size=6).map(
        lambda parts: "acme/raw/" + "/".join(parts)
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
)


def record(key: str, size: int, encode: Callable[[str], str]) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": encode(key), "size": size}},
    }


def encoded_in_full(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


ENCODINGS: list[Callable[[str], str]] = [quote, lambda text: quote(text, safe=""), encoded_in_full]


@settings(derandomize=True, deadline=None, max_examples=1_500)
@given(st.lists(keys, min_size=1, max_size=4), st.integers(0, 2), st.integers(0, 1))
@example(["acme/raw/../../globex/raw/a.csv"], 0, 1)
@example(["acme/raw/%2e%2e/%2e%2e/globex/raw/a.csv"], 1, 1)
@example(["acme/raw/a.csv", "globex/raw/a.csv"], 2, 1)
def test_no_key_is_routed_to_another_tenant_than_the_one_in_front(
    written: list[str], encoding: int, size: int
) -> None:
    post = Post()
    router = Router(EverybodyIsKnown(), post, QUARANTINE)  # type: ignore[arg-type]
    body = json.dumps({"Records": [record(key, size, ENCODINGS[encoding]) for key in written]})
    message = Message("message-1", body, 1)

    outcomes = list(router.route([message], lambda: 60_000)(message))

    assert len(outcomes) == len(written)
    sent = iter(post.parcels)
    for key, outcome in zip(written, outcomes, strict=True):
        if outcome.name == "ignored":
            tenant, area = key.split("/")[0], key.split("/")[1]
            assert area in ("silver", "rejected") or (key.endswith("/") and size == 0), tenant
            continue
        parcel = next(sent)
        document = json.loads(parcel.body)
        assert document["key"] == key
        if outcome.name == "quarantined":
            assert parcel.queue_url == QUARANTINE
            assert (document["reason"], document["tenant"]) == ("invalid_key", None)
            continue
        assert outcome.name == "routed"
        tenant = key.split("/")[0]
        assert parcel.queue_url == queue_of(tenant)
        assert (parcel.message_group, document["tenant"]) == (tenant, tenant)
        for reading in itertools.islice(readings(key), 4):
            normal = posixpath.normpath(reading.replace("\\", "/"))
            assert normal.startswith(f"{tenant}/raw/")
            assert normal.count("/") == key.count("/")
            assert "//" not in reading
    assert next(sent, None) is None


def readings(key: str) -> Any:
    """A key as it is, and as somebody sees it who decodes it once, twice, and so on."""
    while True:
        yield key
        key = unquote(key)
