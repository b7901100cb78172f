"""The condition key aws:PrincipalArn of a session is the role's.

AWS: while a role is assumed, the key has the ARN of the role, with its path, and not that of the
session, which NotPrincipal and Principal may name.
MiniStack: gives the session's ARN, so that policies which name roles by this key, as in a Deny for
all others, do not know them.
Correction: the key has the ARN of the role.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(iam_evaluator, "_resolve_condition_key", "key ctx", _resolve)


def _resolve(original: Callable[..., Any], key: str, ctx: Any) -> Any:
    found = original(key, ctx)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
        return found
    name = iam_evaluator._role_name_from_assumed_arn(found)
    role = iam._roles.get_scoped(ctx.principal_account, None, name)
    return role["Arn"] if role else found
