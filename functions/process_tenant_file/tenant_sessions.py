"""Sessions that IAM restricts to the objects of one tenant.

The role of the function has no access to files; all access is by the session of one tenant.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.aws import s3_with
from shared.contracts.tenant_registry import Tenant

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

# The maximum for a role that another role assumes (role chaining).
DURATION_SECONDS = 3600
# The longest duration of an invocation: a session lasts to the end of the invocation that uses it.
MARGIN = timedelta(minutes=15)
# A client takes a third of a megabyte, and 6 ms to create.
MAX_SESSIONS = 50


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class _TenantSession:
    s3: "S3Client"
    expires_at: datetime


class TenantSessions:
    """Cache of sessions of the most recently served tenants, until shortly before they expire."""

    def __init__(
        self,
        sts: "STSClient",
        role: str,
        client: "Callable[[CredentialsTypeDef], S3Client]" = s3_with,
        now: Callable[[], datetime] = _now,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self._sts = sts
        self._role = role
        self._client = client
        self._now = now
        self._max_sessions = max_sessions
        self._sessions: OrderedDict[tuple[str, str], _TenantSession] = OrderedDict()

    def s3(self, tenant: Tenant) -> "S3Client":
        """Return a client for the files of ``tenant``.

        Raises ClientError or BotoCoreError when the role cannot be assumed.
        """
        key = (tenant.group, tenant.name)
        session = self._sessions.get(key)
        if session is None or self._now() >= session.expires_at - MARGIN:
            session = self._begin(tenant)
            self._sessions[key] = session
        self._sessions.move_to_end(key)
        if len(self._sessions) > self._max_sessions:
            self._sessions.popitem(last=False)
        return session.s3

    def _begin(self, tenant: Tenant) -> _TenantSession:
        credentials = self._sts.assume_role(
            RoleArn=self._role,
            # CloudTrail records it with every access.
            RoleSessionName=f"tenant-{tenant.name}",
            DurationSeconds=DURATION_SECONDS,
            # The role's policy derives the bucket and the prefix from these tags.
            Tags=[{"Key": "tenant", "Value": tenant.name}, {"Key": "group", "Value": tenant.group}],
        )["Credentials"]
        return _TenantSession(self._client(credentials), credentials["Expiration"])
