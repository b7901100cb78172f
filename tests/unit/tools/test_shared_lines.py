"""What stands in several pipelines' Terraform is counted, and does not grow."""

from pathlib import Path

import pytest

import shared_lines

# Of the lines of all pipelines. Lower it with what moves into modules.
MOST = 0.12


def test_pipelines_share_no_more_lines_than_allowed() -> None:
    assert shared_lines.main() <= MOST


def test_runs_of_five_lines_in_two_pipelines_are_counted() -> None:
    run = list("abcde")
    found = shared_lines.shares({"one": [["x", *run, "y"]], "two": [run[:3], [*run, *run[:4]]]})
    assert found == {"one": (5, 7), "two": (5, 12)}


def test_runs_of_four_lines_and_runs_of_one_pipeline_are_not_counted() -> None:
    found = shared_lines.shares(
        {"one": [list("abcd"), list("vwxyz"), list("vwxyz")], "two": [list("abcd")]}
    )
    assert found == {"one": (0, 14), "two": (0, 4)}


def test_comments_blank_lines_and_alignment_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("# why\n\na   = 1\n  b = 2 # kept\n")
    (tmp_path / "variables.tf").write_text("c = 3\n")
    assert shared_lines.written(tmp_path) == [["a = 1", "b = 2 # kept"]]


def test_share_of_each_pipeline_and_of_all_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {"one": "a\nb\nc\nd\ne\n", "two": "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"}.items():
        (tmp_path / "pipelines" / name).mkdir(parents=True)
        (tmp_path / "pipelines" / name / "main.tf").write_text(text)
    assert shared_lines.main(tmp_path) == 10 / 15
    assert capsys.readouterr().out.split() == [
        *("one", "5", "of", "5", "lines", "100%"),
        *("two", "5", "of", "10", "lines", "50%"),
        *("all", "10", "of", "15", "lines", "67%"),
    ]
