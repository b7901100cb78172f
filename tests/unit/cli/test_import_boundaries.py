"""Who may import whom within the command, as its folders are laid out, found from the code."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CLI = Path(__file__).resolve().parents[3] / "cli" / "event_pipelines"
COMMANDS = {
    "audit",
    "imports",
    "items",
    "queues",
    "reconcile",
    "smoke",
    "status",
    "tenants",
    "trace",
}
# What is linked from functions/shared is looked at by tests/unit/shared/test_contracts.py.
LINKED = {"configuration", "contracts", "csv_files", "invalid_input"}
CORE = {*LINKED, "console", "errors", "prices", "stack", "times"}
# What a part may import of the others, besides itself.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "examples": set(),
    "prices": set(),
    "configuration": set(),
    "invalid_input": set(),
    "console": set(),
    "html_page": set(),
    "markup": {"console"},
    "times": {"errors"},
    "stack": {"console", "errors"},
    "pipelines": CORE,
    # Only what needs no package: see the test of modules below.
    "plans": {"console", "contracts", "errors", "html_page", "prices", "times"},
    "local": {*CORE, *COMMANDS, "html_page", "markup", "pipelines"},
    "web_console": {*CORE, *COMMANDS, "html_page", "markup", "pipelines"},
    "__main__": {"console", "errors", "examples", "stack"},
    "preflight": {"console", "errors", "plans", "stack"},
    **{command: {*CORE, "pipelines"} for command in COMMANDS},
}
SOURCES = sorted(CLI.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(CLI).with_suffix("").parts[0]


def imports(path: Path, *, lazily: bool = True) -> Iterator[str]:
    """Dotted names that a file imports; without those within functions unless `lazily`."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if lazily else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            # A module of a package is imported as a name from it.
            if node.module == "event_pipelines":
                yield from (f"event_pipelines.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def test_every_part_of_the_command_is_declared() -> None:
    assert {part_of(path) for path in SOURCES} - {"__init__"} == ALLOWED.keys()


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_a_part_imports_only_what_it_may(part: str) -> None:
    found = {
        (str(path.relative_to(CLI)), name)
        for path in SOURCES
        if part_of(path) == part
        for name in imports(path)
        if name.startswith("event_pipelines.") and name.split(".")[1] not in {part, *ALLOWED[part]}
    }

    assert found == set()


def test_plans_and_what_they_import_need_the_standard_library_alone() -> None:
    found = {
        (str(path.relative_to(CLI)), name)
        for path in SOURCES
        if part_of(path) in {"__main__", "examples", "plans", *ALLOWED["plans"]}
        # Tables are drawn with rich, by functions of the console that import it.
        for name in imports(path, lazily=part_of(path) == "plans")
        if name.split(".")[0] not in {*sys.stdlib_module_names, "event_pipelines"}
    }

    assert found == set()


def written_past_the_console(path: Path) -> Iterator[str]:
    """Calls that print, write to a standard stream, or make something of rich's."""
    tree = ast.parse(path.read_text())
    rich = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rich"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            streams = ("sys.stdout.", "sys.stderr.")
            if called == "print" or called.startswith(streams) or called.split(".")[0] in rich:
                yield f"{path.name}:{node.lineno} {called}"


def test_only_the_console_prints_and_makes_what_rich_draws() -> None:
    # The prelude is part of a function's process, whose output is its log.
    others = (one for one in SOURCES if one.name not in ("console.py", "_worker_prelude.py"))

    assert [found for path in others for found in written_past_the_console(path)] == []
    assert list(written_past_the_console(CLI / "console.py"))
