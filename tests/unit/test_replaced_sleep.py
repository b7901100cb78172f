"""A test that replaces `time.sleep` changes its own threads alone."""

import ast
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.replaced_sleep import replace_sleep

TESTS = Path(__file__).resolve().parents[1]


def test_thread_that_ran_before_sleeps_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    replaced, slept, pauses = threading.Event(), list[float](), list[float]()
    # In place of a sleep that takes time.
    replace_sleep(monkeypatch, slept.append)

    def sleep_once() -> None:
        replaced.wait()
        time.sleep(60)

    before = threading.Thread(target=sleep_once)
    before.start()
    try:
        replace_sleep(monkeypatch, pauses.append)
    finally:
        replaced.set()
        before.join()

    assert (slept, pauses) == ([60], [])


def test_thread_of_the_test_and_those_it_starts_do_not_sleep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    replace_sleep(monkeypatch, pauses.append)

    time.sleep(0.001)
    after = threading.Thread(target=lambda: time.sleep(0.002))
    after.start()
    after.join()

    assert pauses == [0.001, 0.002]


def test_no_other_test_replaces_the_sleep_of_every_thread() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if path.name != "replaced_sleep.py"
        for line in replacements(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        'monkeypatch.setattr(time, "sleep", print)',
        'monkeypatch.setattr("time.sleep", print)',
        'monkeypatch.setattr("event_pipelines.queues.copying.time.sleep", print)',
        'monkeypatch.setattr(copying.time, "sleep", print)',
        'mock.patch("time.sleep")',
        'mock.patch.object(time, "sleep")',
        "time.sleep = print",
    ],
)
def test_each_way_to_replace_a_sleep_is_found(text: str) -> None:
    assert list(replacements(ast.parse(text))) == [1]


def replacements(tree: ast.Module) -> Iterator[int]:
    """Yields the lines that replace `time.sleep`, however they name it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            if any(ast.unparse(target) == "time.sleep" for target in node.targets):
                yield node.lineno
        elif isinstance(node, ast.Call):
            named = [ast.unparse(each).strip("'\"") for each in node.args[:2]]
            spelled = {".".join(named[:1]), ".".join(named)}
            function = ast.unparse(node.func).rpartition(".")[2]
            if function in ("setattr", "patch", "object") and any(
                f".{each}".endswith(".time.sleep") for each in spelled
            ):
                yield node.lineno
