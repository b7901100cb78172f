"""The relay before the provider leaves out kinds of its schema, and nothing of its judgement."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.mocked_plans import run
from support.schema_filter import with_kinds

pytestmark = pytest.mark.xdist_group("mocked plans")

MOCKED = 'mock_provider "aws" {}\nrun "plan" {\n  command = plan\n}\n'


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def test_only_named_kinds_are_kept() -> None:
    queue, bucket = (
        field(1, f"aws_{kind}".encode()) + field(2, b"schema")
        for kind in ("sqs_queue", "s3_bucket")
    )
    provider, capabilities = field(1, b"provider"), bytes([7 << 3, 1])

    kept = with_kinds(
        b"".join([provider, *(field(n, kind) for n in (2, 3, 8) for kind in (queue, bucket))])
        + capabilities,
        {"aws_sqs_queue"},
    )

    assert kept == b"".join([provider, *(field(n, queue) for n in (2, 3, 8)), capabilities])


def test_message_of_another_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="field 2 of the provider's schema has wire type 5"):
        with_kinds(bytes([2 << 3 | 5, 0, 0, 0, 0]), set())


@pytest.fixture
def tested(tree: Path, tmp_path: Path) -> Callable[[str], str]:
    """What `terraform test` says of a configuration."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/plan.tftest.hcl").write_text(MOCKED)
    (tmp_path / ".terraform.lock.hcl").write_bytes((tree / ".terraform.lock.hcl").read_bytes())
    (tmp_path / "versions.tf").write_bytes((tree / "versions.tf").read_bytes())

    def test(configuration: str) -> str:
        (tmp_path / "main.tf").write_text(configuration)
        run("terraform", "init", "-no-color", cwd=tmp_path, tree=tree)
        return run("terraform", "test", "-no-color", cwd=tmp_path, tree=tree)

    return test


def test_provider_still_refuses_invalid_values(tested: Callable[[str], str]) -> None:
    queue = 'resource "aws_sqs_queue" "orders" {\n  max_message_size = %d\n}\n'

    assert "1 passed" in tested(queue % 1024)
    with pytest.raises(AssertionError, match="expected max_message_size to be in the range"):
        tested(queue % 1023)


def test_kind_that_the_tree_does_not_have_is_refused(tested: Callable[[str], str]) -> None:
    with pytest.raises(AssertionError, match='does not support resource type "aws_ebs_volume"'):
        tested('resource "aws_ebs_volume" "orders" {}\n')
