"""The hooks of .pre-commit-config.yaml are the fast commands of `make lint`, word for word."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIGURATION = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
(LOCAL,) = CONFIGURATION["repos"]
HOOKS: dict[str, dict[str, Any]] = {hook["id"]: hook for hook in LOCAL["hooks"]}
# They read the provider, and ask checkov.
SLOW = ("tools/validate.sh", ".local/venv/bin/python -m pytest")


def lint_commands() -> set[tuple[str, ...]]:
    """What `make lint` runs but the slow, with its globs expanded as the shell does."""
    recipe = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "lint"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\\\n", " ")
    commands = [line.strip() for line in recipe.split("\n")]
    return {
        tuple(word for one in shlex.split(command) for word in expanded(one))
        for command in commands
        if command.startswith((".local/venv/bin/", "terraform ")) and not command.startswith(SLOW)
    }


def expanded(word: str) -> list[str]:
    if "*" not in word:
        return [word]
    return sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob(word))


def hook_command(hook: dict[str, Any], files: list[str]) -> tuple[str, ...]:
    given = [name for name in files if re.search(hook.get("files", ""), name)]
    return (*shlex.split(hook["entry"]), *(given if hook.get("pass_filenames", True) else ()))


@pytest.fixture(scope="module")
def versioned_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split("\n")[:-1]


def test_pre_commit_hooks_run_the_fast_commands_of_make_lint(versioned_files: list[str]) -> None:
    hooked = {frozenset(hook_command(hook, versioned_files)) for hook in HOOKS.values()}

    assert hooked == {frozenset(command) for command in lint_commands()}


def test_make_lint_has_no_other_command_than_the_hooks_and_the_slow_ones() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    recipes = [makefile.partition(f"\n{target}:")[2] for target in ("lint", "static-checks")]
    lines = [
        line
        for recipe in recipes
        for line in recipe.partition("\n\n")[0].replace("\\\n", " ").split("\n")
        if line.startswith("\t")
    ]

    assert [line for line in lines if not line.startswith(("\t@$(VENV)/", "\t@terraform "))] == [
        "\t@tools/validate.sh"
    ]


@pytest.mark.parametrize("name", HOOKS)
def test_pre_commit_hook_has_its_required_fields_and_needs_no_network(name: str) -> None:
    hook = HOOKS[name]

    assert LOCAL["repo"] == "local"
    assert {"id", "name", "entry", "language"} <= hook.keys()
    # A language of pre-commit's own would install packages.
    assert hook["language"] == "system"
    assert "additional_dependencies" not in hook
    assert "files" in hook or "types" in hook
