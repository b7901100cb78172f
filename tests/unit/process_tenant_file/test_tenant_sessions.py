"""One session per tenant, begun as rarely as possible and never used to its very end."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from process_tenant_file.tenant_sessions import DURATION_SECONDS, MAX_SESSIONS, TenantSessions
from shared.contracts.tenant_registry import Tenant

ROLE = "arn:aws:iam::123456789012:role/example-tenants-files"


@dataclass
class Sts:
    """Gives out numbered credentials that last as long as was asked for."""

    now: datetime = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    requests: list[dict[str, Any]] = field(default_factory=list)
    refusals: int = 0

    def assume_role(self, **request: Any) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole")
        self.requests.append(request)
        expires = self.now + timedelta(seconds=request["DurationSeconds"])
        return {"Credentials": {"AccessKeyId": f"key-{len(self.requests)}", "Expiration": expires}}

    def begun(self) -> list[str]:
        return [request["Tags"][0]["Value"] for request in self.requests]


def tenant(name: str = "acme", group: str = "retail") -> Tenant:
    return Tenant(name=name, group=group, bucket=f"example-{group}")


def sessions(sts: Sts, **more: Any) -> Any:
    return TenantSessions(
        sts,  # type: ignore[arg-type]
        ROLE,
        lambda credentials: credentials["AccessKeyId"],  # type: ignore[arg-type, return-value]
        lambda: sts.now,
        **more,
    )


def test_a_session_is_begun_with_the_tags_that_say_whose_it_is() -> None:
    sts = Sts()

    sessions(sts).s3(tenant())

    assert sts.requests == [
        {
            "RoleArn": ROLE,
            "RoleSessionName": "tenant-acme",
            "DurationSeconds": 3600,
            "Tags": [{"Key": "tenant", "Value": "acme"}, {"Key": "group", "Value": "retail"}],
        }
    ]


def test_the_longest_name_makes_a_session_name_that_sts_takes() -> None:
    sts = Sts()

    sessions(sts).s3(tenant("x" * 40))

    assert len(sts.requests[0]["RoleSessionName"]) <= 64


def test_a_tenant_has_one_session_and_one_client() -> None:
    sts = Sts()
    kept = sessions(sts)

    clients = [kept.s3(tenant(name)) for name in ("acme", "globex", "acme", "globex", "acme")]

    assert clients == ["key-1", "key-2", "key-1", "key-2", "key-1"]


def test_a_session_is_renewed_before_an_invocation_could_outlast_it() -> None:
    sts = Sts()
    kept = sessions(sts)
    kept.s3(tenant())

    sts.now += timedelta(seconds=DURATION_SECONDS - 15 * 60 - 1)
    assert kept.s3(tenant()) == "key-1"
    sts.now += timedelta(seconds=1)
    assert [kept.s3(tenant()), kept.s3(tenant())] == ["key-2", "key-2"]


def test_a_tenant_that_moved_to_another_group_gets_another_session() -> None:
    sts = Sts()
    kept = sessions(sts)

    assert kept.s3(tenant("acme", "retail")) != kept.s3(tenant("acme", "wholesale"))


def test_who_was_not_served_for_longest_is_forgotten_first() -> None:
    sts = Sts()
    kept = sessions(sts, max_sessions=2)

    for name in ("acme", "globex", "acme", "initech", "acme", "globex"):
        kept.s3(tenant(name))

    assert sts.begun() == ["acme", "globex", "initech", "globex"]


def test_session_cache_has_a_bound() -> None:
    kept = sessions(Sts())

    for number in range(200):
        kept.s3(tenant(f"tenant-{number}"))

    assert len(kept._sessions) == MAX_SESSIONS == 50


def test_a_refusal_is_not_remembered() -> None:
    sts = Sts(refusals=1)
    kept = sessions(sts)

    with pytest.raises(ClientError, match="AccessDenied"):
        kept.s3(tenant())

    assert kept.s3(tenant()) == "key-1"


def test_a_session_that_could_not_be_renewed_is_not_used_any_longer() -> None:
    sts = Sts()
    kept = sessions(sts)
    kept.s3(tenant())
    sts.now += timedelta(hours=1)
    sts.refusals = 1

    with pytest.raises(ClientError):
        kept.s3(tenant())
