"""What is remembered of the registry, for how long, and what happens while it does not answer."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from route_tenant_event.registry import ATTEMPTS, MAX_ENTRIES, Registry, Source
from route_tenant_event.settings import Settings
from shared.retries import ReadIncomplete

SETTINGS = Settings(
    tenants_table="example-Tenants",
    groups_table="example-TenantGroups",
    quarantine_queue_url="https://sqs.example/123456789012/quarantine",
    cache_seconds=60,
    negative_cache_seconds=5,
    stale_seconds=600,
)


@pytest.fixture
def registry(world: Any) -> Registry:
    world.group()
    world.tenant()
    return Registry(SETTINGS, world.dynamodb, lambda: world.now, world.pauses.append)


def sources(registry: Registry, *names: str, **how: bool) -> list[Source]:
    return [standing.source for standing in registry.look_up(names, **how).values()]


def fail(world: Any, error: Exception) -> None:
    def tamper(_: object, __: object) -> Any:
        raise error

    world.dynamodb.tamper = tamper


def recover(world: Any) -> None:
    world.dynamodb.tamper = lambda request, act: act(**request)


def test_a_tenant_is_found_with_its_group(world: Any, registry: Registry) -> None:
    standing = registry.look_up(["acme"])["acme"]

    assert standing.tenant is not None
    assert (standing.tenant.name, standing.tenant.bucket) == ("acme", "example-retail")
    assert standing.group is not None
    assert (standing.group.name, standing.group.status) == ("retail", "ACTIVE")
    assert (standing.source, standing.known, standing.error) == (Source.MISS, True, None)
    assert world.reads() == [(["acme"], False), (["retail"], False)]


def test_lookup_of_no_tenant_makes_no_call(world: Any, registry: Registry) -> None:
    assert registry.look_up([]) == {}
    assert world.reads() == []


def test_all_tenants_of_a_batch_are_one_call(world: Any, registry: Registry) -> None:
    for name in ("globex", "initech"):
        world.tenant(name)

    found = registry.look_up(["acme", "globex", "initech", "nobody", "acme"])

    assert [standing.tenant is not None for standing in found.values()] == [True, True, True, False]
    assert world.reads() == [
        (["acme", "globex", "initech", "nobody"], False),
        (["retail"], False),
    ]


def test_a_group_that_is_known_is_not_asked_for_again(world: Any, registry: Registry) -> None:
    registry.look_up(["acme"])
    world.tenant("globex")
    world.reads()

    registry.look_up(["acme", "globex"])

    assert world.reads() == [(["globex"], False)]


def test_more_names_than_a_call_takes_are_several(world: Any, registry: Registry) -> None:
    names = [f"tenant-{number}" for number in range(250)]

    registry.look_up(names)

    assert [len(keys) for keys, _ in world.reads()] == [100, 100, 50]


def test_an_answer_serves_for_a_minute_more_or_less(world: Any, registry: Registry) -> None:
    registry.look_up(["acme"])
    world.reads()

    world.now += 47.9
    assert sources(registry, "acme") == [Source.HIT]
    assert world.reads() == []
    world.now += 24.2
    assert sources(registry, "acme") == [Source.MISS]
    assert world.reads() == [(["acme"], False), (["retail"], False)]


def test_answers_given_together_do_not_all_end_together(world: Any, registry: Registry) -> None:
    random.seed(5)
    names = [f"tenant-{number}" for number in range(60)]
    registry.look_up(names)
    left: list[int] = []
    for _ in range(25):
        world.now += 72 / 24 if left else 47.9
        world.reads()
        registry.look_up(names)
        left.append(sum(len(keys) for keys, _ in world.reads()))
        if sum(left) >= len(names):
            break

    assert left[0] == 0
    assert max(left) < 20
    assert sum(left) >= len(names)


def test_what_changed_is_seen_when_the_answer_is_old(world: Any, registry: Registry) -> None:
    registry.look_up(["acme"])
    world.tenant(Status="SUSPENDED")

    assert registry.look_up(["acme"])["acme"].tenant.status == "ACTIVE"  # type: ignore[union-attr]
    world.now += 72.1
    assert registry.look_up(["acme"])["acme"].tenant.status == "SUSPENDED"  # type: ignore[union-attr]


def test_confirming_is_a_consistent_read_of_tenant_and_group(
    world: Any, registry: Registry
) -> None:
    registry.look_up(["acme", "nobody"])
    world.reads()

    assert sources(registry, "acme", "nobody", confirm=True) == [Source.MISS, Source.MISS]

    assert world.reads() == [(["acme", "nobody"], True), (["retail"], True)]


def test_what_was_confirmed_is_not_confirmed_again_for_some_seconds(
    world: Any, registry: Registry
) -> None:
    registry.look_up(["nobody"], confirm=True)
    world.reads()

    world.now += 4.9
    assert sources(registry, "nobody") == [Source.HIT]
    assert sources(registry, "nobody", confirm=True) == [Source.HIT]
    assert world.reads() == []
    world.now += 0.2
    assert sources(registry, "nobody") == [Source.HIT]
    assert sources(registry, "nobody", confirm=True) == [Source.MISS]
    assert world.reads() == [(["nobody"], True)]


def test_confirming_finds_who_was_made_a_moment_ago(world: Any, registry: Registry) -> None:
    assert registry.look_up(["globex"])["globex"].tenant is None
    world.tenant("globex")

    assert registry.look_up(["globex"], confirm=True)["globex"].tenant is not None
    assert registry.look_up(["globex"])["globex"].tenant is not None


@pytest.mark.parametrize(
    "error",
    [
        pytest.param("ProvisionedThroughputExceededException", id="throttled"),
        pytest.param("InternalServerError", id="broken"),
        pytest.param(None, id="unreachable"),
    ],
)
def test_an_old_answer_stands_in_while_the_registry_fails(
    world: Any, registry: Registry, refused: Callable[[str], Exception], error: str | None
) -> None:
    registry.look_up(["acme"])
    world.now += 599
    failure = refused(error) if error else EndpointConnectionError(endpoint_url="https://x")
    fail(world, failure)

    standing = registry.look_up(["acme"])["acme"]

    assert standing.tenant is not None
    assert standing.group is not None
    assert (standing.source, standing.known, standing.error) == (Source.STALE, True, failure)


def test_an_answer_can_be_too_old(
    world: Any, registry: Registry, refused: Callable[[str], Exception]
) -> None:
    registry.look_up(["acme"])
    world.now += 601
    fail(world, refused("InternalServerError"))

    standing = registry.look_up(["acme"])["acme"]

    assert (standing.tenant, standing.known) == (None, False)
    assert standing.error is not None


def test_without_any_answer_nothing_is_known(
    world: Any, registry: Registry, refused: Callable[[str], Exception]
) -> None:
    fail(world, refused("InternalServerError"))

    standing = registry.look_up(["acme"])["acme"]

    assert (standing.tenant, standing.source, standing.known) == (None, Source.MISS, False)


def test_an_old_answer_confirms_nothing(
    world: Any, registry: Registry, refused: Callable[[str], Exception]
) -> None:
    registry.look_up(["acme"])
    world.now += 10
    fail(world, refused("InternalServerError"))

    assert registry.look_up(["acme"])["acme"].source is Source.HIT
    assert not registry.look_up(["acme"], confirm=True)["acme"].known


def test_a_tenant_without_an_answer_about_its_group_is_not_known(
    world: Any, registry: Registry, refused: Callable[[str], Exception]
) -> None:
    def tamper(request: Any, act: Callable[..., Any]) -> Any:
        if "example-TenantGroups" in request["RequestItems"]:
            raise refused("InternalServerError")
        return act(**request)

    world.dynamodb.tamper = tamper

    assert not registry.look_up(["acme"])["acme"].known


def test_a_registry_that_fails_is_left_alone_for_some_seconds(
    world: Any, registry: Registry, refused: Callable[[str], Exception]
) -> None:
    """An outage that answers nothing at all would take its timeout from every batch."""
    registry.look_up(["acme"])
    world.now += 100
    world.reads()
    fail(world, refused("InternalServerError"))

    for _ in range(3):
        assert sources(registry, "acme") == [Source.STALE]
    assert len(world.reads()) == 1

    world.now += 5
    recover(world)
    assert sources(registry, "acme") == [Source.MISS]
    assert len(world.reads()) == 2


def leave_unread(world: Any, times: dict[str, int]) -> None:
    """DynamoDB leaves some names unprocessed, each as often as it says."""

    def tamper(request: Any, act: Callable[..., Any]) -> Any:
        taken: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for table, wanted in request["RequestItems"].items():
            for key in wanted["Keys"]:
                (name,) = [value["S"] for value in key.values()]
                busy = times.get(name, 0) > 0
                times[name] = times.get(name, 0) - 1
                part = (left if busy else taken).setdefault(table, {**wanted, "Keys": []})
                part["Keys"].append(key)
        answer = act(RequestItems=taken) if taken else {"Responses": {}}
        return {**answer, "UnprocessedKeys": left}

    world.dynamodb.tamper = tamper


def test_only_what_was_left_unread_is_asked_for_again(world: Any, registry: Registry) -> None:
    world.tenant("globex")
    leave_unread(world, {"globex": 2, "nobody": 1})

    found = registry.look_up(["acme", "globex", "nobody"], confirm=True)

    assert [one.tenant is not None for one in found.values()] == [True, True, False]
    assert all(one.known for one in found.values())
    assert world.reads() == [
        (["acme", "globex", "nobody"], True),
        (["globex", "nobody"], True),
        (["globex"], True),
        (["retail"], True),
    ]
    assert len(world.pauses) == 2
    assert all(0 <= pause <= 0.2 for pause in world.pauses)


def test_what_is_left_unread_to_the_end_is_not_known_and_the_rest_is(
    world: Any, registry: Registry
) -> None:
    world.tenant("globex")
    leave_unread(world, {"globex": 99})

    found = registry.look_up(["acme", "globex"])

    assert not found["globex"].known
    assert isinstance(found["globex"].error, ReadIncomplete)
    assert found["acme"].tenant is not None
    assert [keys for keys, _ in world.reads()].count(["globex"]) == ATTEMPTS - 1


def test_who_was_not_asked_about_for_longest_is_forgotten_first(world: Any) -> None:
    world.group()
    for name in ("acme", "globex", "initech"):
        world.tenant(name)
    registry = Registry(SETTINGS, world.dynamodb, lambda: world.now, max_entries=3)
    registry.look_up(["acme"])
    registry.look_up(["globex"])
    registry.look_up(["acme"])
    registry.look_up(["initech"])
    world.reads()

    assert sources(registry, "acme", "initech") == [Source.HIT, Source.HIT]
    assert sources(registry, "globex") == [Source.MISS]


def test_registry_cache_has_a_bound(world: Any) -> None:
    class Empty:
        def batch_get_item(self, **_: object) -> Any:
            return {}

    registry = Registry(SETTINGS, Empty(), lambda: world.now)  # type: ignore[arg-type]
    for start in range(0, 12_000, 100):
        registry.look_up([f"tenant-{start + number}" for number in range(100)])

    assert len(registry._entries) == MAX_ENTRIES == 10_000
    assert sources(registry, "tenant-11999") == [Source.HIT]
    assert sources(registry, "tenant-1999") == [Source.MISS]
