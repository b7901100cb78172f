"""Valid names of groups and tenants, and the names of their resources.

Every resource name follows from the stack's prefix and a name that a user chose, so nothing is
searched for, and no record can make a command use another owner's queue or bucket.
"""

import re
from dataclasses import dataclass

from event_pipelines.contracts import tenant_registry
from event_pipelines.contracts.tenant_keys import (
    RAW,
    InvalidKey,
    TenantKey,
    area_prefix,
    is_tenant_name,
)
from event_pipelines.contracts.tenant_registry import Kind
from event_pipelines.errors import UserError

_BUCKET_LENGTH = 63
_QUEUE_LENGTH = 80


@dataclass(frozen=True)
class Names:
    """Resource names of groups and tenants. `queues_url` is a queue's URL without its name."""

    prefix: str
    account_id: str
    region: str
    partition: str
    queues_url: str
    max_group_name_length: int

    def bucket(self, group: str) -> str:
        return f"{self.prefix}-tg-{group}-{self.account_id}-{self.region}"

    def bucket_arn(self, group: str) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket(group)}"

    def ingest_queue(self, group: str) -> str:
        return f"{self.prefix}-tg-{group}-ingest"

    def shared_queue(self, group: str) -> str:
        return tenant_registry.shared_queue(self.prefix, group)

    def tenant_queue(self, tenant: str) -> str:
        return tenant_registry.tenant_queue(self.prefix, tenant)

    def queue_arn(self, queue: str) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account_id}:{queue}"

    def queue_url(self, queue: str) -> str:
        return f"{self.queues_url}/{queue}"

    def role(self, part: str) -> str:
        """Returns the name of one of Terraform's roles: route, process or files."""
        return f"{self.prefix}-tenants-{part}-{self.region}"

    def role_arn(self, part: str) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role/{self.role(part)}"

    def check_group(self, name: str) -> str:
        """Returns the name. Raises UserError with the reason if it is not valid."""
        check("group", name)
        room = min(self.max_group_name_length, _BUCKET_LENGTH - len(self.bucket("")))
        if len(name) > room:
            raise UserError(
                f"The group name {name!r} has {len(name)} characters and its bucket's name leaves"
                f" room for {room}: choose a shorter one."
            )
        return name

    def check_tenant(self, name: str) -> str:
        """Returns the name. Raises UserError with the reason if it is not valid."""
        check("tenant", name)
        room = _QUEUE_LENGTH - len(dead_letters(self.tenant_queue("")))
        if len(name) > room:
            raise UserError(
                f"The tenant name {name!r} has {len(name)} characters and its queue's name leaves"
                f" room for {room}: choose a shorter one."
            )
        return name


def dead_letters(queue: str) -> str:
    """Returns the name of a queue's dead-letter queue."""
    return f"{queue}-dlq"


def check(kind: Kind, name: str) -> str:
    """Returns the name. Raises UserError with the reason if it is not valid for this kind."""
    if is_tenant_name(name):
        return name
    raise UserError(
        f"The {kind} name {name!r} {_objection(name)}: take 3 to 40 of a-z, 0-9 and -,"
        " with a letter or digit at both ends."
    )


def _objection(name: str) -> str:
    foreign = sorted(set(re.sub(r"[a-z0-9-]", "", name)))
    if not name:
        return "is empty"
    if foreign:
        return f"holds {', '.join(map(repr, foreign[:5]))}"
    if not 3 <= len(name) <= 40:
        return f"has {len(name)} characters"
    return f"{'begins' if name.startswith('-') else 'ends'} with a hyphen"


def raw_key(tenant: str, path: str) -> str:
    """Returns the key of a tenant's raw file. Raises UserError for paths the router refuses."""
    key = f"{area_prefix(tenant, RAW)}{path}"
    try:
        TenantKey.parse(key)
    except InvalidKey as error:
        raise UserError(
            f"The path {path!r} cannot be used, {error}: name it with --as, such as"
            " 2026/orders.csv."
        ) from error
    return key
