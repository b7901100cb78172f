"""Which prefixes stacks may have, and what is taken for a stack's own."""

import pytest

from event_pipelines.errors import UserError
from event_pipelines.stack import STACK_TAG, Stack


@pytest.mark.parametrize("prefix", ["a-tg", "a-tenant", "a-tg-b", "a-tenant-b-c", "a-tg-tenant"])
def test_a_prefix_that_tells_groups_or_tenants_of_another_stack_is_refused(prefix: str) -> None:
    with pytest.raises(UserError, match="of the stack a are told: no stack may be called so"):
        Stack(prefix)


@pytest.mark.parametrize("prefix", ["tg", "tenant-a", "a-tgs", "a-tenants-b", "atg", "a-stg-b"])
def test_a_prefix_that_only_resembles_such_words_is_a_prefix(prefix: str) -> None:
    assert Stack(prefix).prefix == prefix


@pytest.mark.parametrize("owner", ["acme-eu", "acm", "ACME", ""])
def test_a_stack_owns_what_has_its_tag_and_nothing_else(owner: str) -> None:
    stack = Stack("acme")

    assert stack.owns({STACK_TAG: "acme", "more": "tags"})
    assert not stack.owns({STACK_TAG: owner})
    assert not stack.owns({"Name": "acme"})
