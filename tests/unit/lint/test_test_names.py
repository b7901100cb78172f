"""Names of tests are what a person searches, and all that a failed run shows of them."""

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
# Words of every sentence, which find nothing.
EMPTY = frozenset(
    ["a", "an", "are", "is", "it", "its", "that", "the", "this", "was", "what", "which", "who"]
)


def names() -> list[tuple[str, str]]:
    """Every test: its file, and its name without the prefix."""
    return [
        (str(path.relative_to(TESTS)), node.name.removeprefix("test_"))
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_names_of_tests_have_room_for_a_feature_and_an_expectation() -> None:
    """Four words at least, three of which say something: `test_a_limit` could be any limit."""
    found = names()

    assert len(found) > 1_000
    assert [
        (path, name)
        for path, name in found
        if len(words := name.split("_")) < 4 or len([w for w in words if w not in EMPTY]) < 3
    ] == []
