"""What a drill would say if something were lost, doubled, or given up."""

from collections import Counter
from collections.abc import Sequence

import pytest

from faults.drill import FAULTS, MIXED, Account, Report, exercises
from faults.drivers import Fed, announcements, is_poison, token, tokens
from faults.schedule import Kind

FED = Fed(good=frozenset({"a", "b"}), poison=frozenset({"x"}))


def account(effects: str, rejections: str = "x", dead_letters: str = "") -> Account:
    """Of ids with one letter."""
    return Account(Counter(effects), frozenset(rejections), frozenset(dead_letters))


def problems(before: Account, after: Account, faults: Sequence[str] = ()) -> list[str]:
    return Report("relay", FED, before, after, faults).problems()


def test_all_is_well_when_the_dead_are_done_after_redriving() -> None:
    assert problems(account("a", "x", "b"), account("ab")) == []
    assert problems(account("ab", "", "x"), account("ab", "", "x")) == []


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (account("a"), account("ab"), "lost under faults: ['b']"),
        (account("ab"), account("b"), "lost after redriving: ['a']"),
        (account("ab", ""), account("ab"), "lost under faults: ['x']"),
        (account("abc"), account("ab"), "never sent, but found under faults: ['c']"),
        (account("ab"), account("abx"), "never sent, but found done after redriving: ['x']"),
        (account("ab"), account("ab", "x", "b"), "dead after redriving, and no poison: ['b']"),
        (account("ab", "xa"), account("ab", "xa"), "rejected, and no poison: ['a']"),
        (account("ab"), account("abb"), "done more than once: {'b': 2}"),
        (account("aab"), account("ab"), "done more than once: {'a': 2}"),
    ],
)
def test_what_is_not_well_is_named(before: Account, after: Account, problem: str) -> None:
    assert f"relay: {problem}" in problems(before, after)


def test_what_a_pipeline_finds_by_itself_counts() -> None:
    assert problems(account("ab"), account("ab"), ["logged twice"]) == ["relay: logged twice"]


def test_each_form_meets_every_kind_of_fault() -> None:
    injectable = set(Kind) - {Kind.PASS}
    assert set(MIXED.cards) == injectable
    assert {kind for fault in FAULTS for kind in fault.cards} == injectable
    assert [str(one) for one in exercises(None, 1, full=False)] == ["mixed"]
    full = exercises(7, 1, full=True)
    assert [(str(one), one.events, one.seed) for one in full] == [(f.name, 7, 1) for f in FAULTS]
    assert len({fault.name for fault in (*FAULTS, MIXED)}) == len(FAULTS) + 1


def test_a_message_that_the_queue_should_have_dropped_is_a_second_announcement() -> None:
    minute = 60_000
    assert announcements([("a", 0), ("b", minute), ("a", 5 * minute - 1)]) == {"a": 2, "b": 1}
    # The queue remembers the last one that it took, which may be the second.
    assert announcements([("a", 11 * minute), ("a", 0), ("a", 6 * minute)]) == {"a": 1}
    assert announcements([("a", 9 * minute), ("a", 0), ("a", 6 * minute)]) == {"a": 2}


def test_a_token_is_found_in_whatever_holds_it() -> None:
    assert [number for number in range(30) if is_poison(number)] == [9, 19, 29]
    one, other = token("cuts", 7), token("cuts", 19)
    assert tokens("cuts", f'{{"a": "ingest/{one}-xxx.jpg", "b": "{other} is no JSON"}}') == {
        "good-cuts-0007",
        "poison-cuts-0019",
    }
    assert tokens("kills", one) == set()
