"""Files that contradict themselves or the settings: one refusal, and none for their good twins."""

import csv
import io
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from unit.split_csv.exported_files import Imported, import_file

NAMES = ["id", "name", "city", "street", "note"]
WORDS = ["Ana", "Bo", "Zoë", "two words", "7", "2,50", "a;b", "x|y", "", "5 %", "http://a/b"]
DELIMITERS = ",;\t|"
FILES = 40


@pytest.fixture
def world(quick_world: Callable[[], Any]) -> Any:
    """In memory: no test here is about what a ledger's conditions decide."""
    return quick_world()


class Table:
    """A table of two rows and more, and how a program might write it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.delimiter = self.chance.choice(DELIMITERS)
        self.names = NAMES[: self.chance.randrange(2, 5)]
        self.rows = [
            [str(number), *self.chance.choices(WORDS, k=len(self.names) - 2), "end"]
            for number in range(self.chance.randrange(2, 30))
        ]

    def written(
        self,
        names: list[str] | None = None,
        rows: list[list[str]] | None = None,
        **options: Any,
    ) -> str:
        file = io.StringIO()
        options = {"delimiter": self.delimiter, "lineterminator": "\n", **options}
        csv.writer(file, **options).writerows([names or self.names, *(rows or self.rows)])
        return file.getvalue()

    @property
    def items(self) -> list[dict[str, str]]:
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def plain(self) -> list[list[str]]:
        """Rows without signs that a program would have to quote."""
        return [[cell if cell.isalnum() else "x" for cell in row] for row in self.rows]


def row_names(table: Table) -> str:
    return table.written(rows=[[f"row {row[0]}", *row] for row in table.rows])


def decimal_commas_between_commas(table: Table) -> str:
    rows = "".join(f"{number},2,50,x\n" for number, _ in enumerate(table.rows))
    return f"id,price,unit\n{rows}"


def names_that_no_row_has(table: Table) -> str:
    return table.written(names=[*table.names, "more"])


def spaces_before_quotes(table: Table) -> str:
    separator = f"{table.delimiter} "
    lines = ([f'"{cell}"' for cell in row] for row in (table.names, *table.plain()))
    return "".join(separator.join(line) + "\n" for line in lines)


def spaces_before_quotes_of_values(table: Table) -> str:
    lines = (f'{row[0]}{table.delimiter} "{row[1]}"\n' for row in table.plain())
    return f"id{table.delimiter}name\n" + "".join(lines)


def quotes_of_another_kind(table: Table) -> str:
    opening, closing = table.chance.choice([("'", "'"), ("`", "`"), ("“", "”"), ("«", "»")])
    lines = ([f"{opening}{cell}{closing}" for cell in row] for row in (table.names, *table.plain()))
    return "".join(table.delimiter.join(line) + "\n" for line in lines)


def a_separator_of_several_signs(table: Table) -> str:
    sign = table.chance.choice("~^#*$")
    separator = table.chance.choice([f"{sign}|{sign}", f"|{sign}|", f"{sign};{sign}"])
    return "".join(separator.join(row) + "\n" for row in (table.names, *table.plain()))


def a_separator_that_nobody_expects(table: Table) -> str:
    separator = table.chance.choice("/#*¦\uff1b\uff0c、&=\x1f:")
    return "".join(separator.join(row) + "\n" for row in (table.names, *table.plain()))


def spaces_between_values(table: Table) -> str:
    return "".join(" ".join(row) + "\n" for row in (table.names, *table.plain()))


def backslashes_before_quotes(table: Table) -> str:
    rows = "".join(f'{number},"a \\"b\\" c"\n' for number in range(10 + len(table.rows)))
    return f"id,note\n{rows}"


def backslashes_before_delimiters(table: Table) -> str:
    rows = "".join(f"{number},a\\, b\\\n c\n" for number, _ in enumerate(table.rows))
    return f"id,note\n{rows}"


def null_as_a_backslash_and_n(table: Table) -> str:
    return table.written(rows=[*table.rows, [*table.rows[0][:-1], "\\N"]])


def apostrophes_around_delimiters(table: Table) -> str:
    rows = "".join(f"{number},'a, b'\n" for number, _ in enumerate(table.rows))
    return f"id,note\n{rows}"


def apostrophes_around_values(table: Table) -> str:
    return table.written(rows=[[*row[:-1], f"'{row[-1]}'"] for row in table.rows])


def a_row_in_place_of_the_header(table: Table) -> str:
    values = ["2.5", "31.01.2026", "2026-01-31 10:00:00Z", "a@example.com", "https://example.com/a"]
    value = table.chance.choice([*values, "0b5cbd4e-7e1f-4d59-8f0c-3a3a3a3a3a3a", "7"])
    rows = [
        [value, *map(str.upper, row[:-1])] for row in (NAMES[: len(table.names)], *table.plain())
    ]
    return table.written(names=rows[0], rows=rows[1:])


def lines_above_the_header(table: Table) -> str:
    above = f"Account{table.delimiter}7\n" * table.chance.randrange(1, len(table.rows))
    return above + table.written(["id", "n", "city"], [["1", "a", "b"]] * len(table.rows))


# Some of a kind are found earlier, by what they are cut into.
MISFITS: list[tuple[Callable[[Table], str], str]] = [
    (row_names, "header_does_not_fit, delimiter_unclear"),
    (decimal_commas_between_commas, "header_does_not_fit"),
    (names_that_no_row_has, "header_does_not_fit, delimiter_unclear"),
    (spaces_before_quotes, "quotes_unclear"),
    (spaces_before_quotes_of_values, "quotes_unclear"),
    (quotes_of_another_kind, "quotes_unclear"),
    (a_separator_of_several_signs, "delimiter_unclear, duplicate_column"),
    (a_separator_that_nobody_expects, "delimiter_unclear"),
    (spaces_between_values, "delimiter_unclear"),
    (backslashes_before_quotes, "escape_unclear"),
    (backslashes_before_delimiters, "escape_unclear"),
    (null_as_a_backslash_and_n, "escape_unclear"),
    (apostrophes_around_delimiters, "quotes_unclear"),
    (apostrophes_around_values, "quotes_unclear"),
    (a_row_in_place_of_the_header, "header_missing"),
    (lines_above_the_header, "header_does_not_fit"),
]


def refused_once(world: Any, content: bytes, **variables: str) -> Imported:
    done = import_file(world, content, **variables)
    assert (done.rows, done.rejected, world.rows) == ([], [], []), content
    assert len(world.refusals()) == 1
    return done


@pytest.mark.parametrize(("write", "reason"), MISFITS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_fault_of_all_rows_is_one_refusal_of_the_file(
    quick_world: Callable[[], Any], write: Callable[[Table], str], reason: str
) -> None:
    for seed in range(FILES):
        content = write(Table(seed)).encode()

        assert str(refused_once(quick_world(), content).reason) in reason, content


def test_tables_without_such_a_fault_are_read_whole(quick_world: Callable[[], Any]) -> None:
    for seed in range(4 * FILES):
        table = Table(seed)

        done = import_file(quick_world(), table.written().encode())

        assert (done.reason, done.rows) == (None, table.items), table.written()


@pytest.mark.parametrize("wanted", DELIMITERS)
def test_a_delimiter_setting_that_cuts_nothing_refuses_what_another_cuts(
    quick_world: Callable[[], Any], wanted: str
) -> None:
    for seed in range(FILES):
        table = Table(seed)
        content = table.written(rows=table.plain()).encode()

        done = import_file(quick_world(), content, DELIMITER=wanted)

        assert done.reason == (None if wanted == table.delimiter else "delimiter_unclear")
        assert len(done.rows) == (0 if done.reason else len(table.rows))


def test_one_column_of_texts_is_read_by_its_name_and_the_setting(world: Any) -> None:
    variables = {"DELIMITER": ";", "HEADER": '["name"]', "SKIP_LINES": "1"}

    done = import_file(world, b"last, first\nSmith, Ana\nLee, Bo\n", **variables)

    assert [row["name"] for row in done.rows] == ["Smith, Ana", "Lee, Bo"]


def test_lines_without_names_before_the_header_are_left_out(
    quick_world: Callable[[], Any],
) -> None:
    for seed in range(FILES):
        table = Table(seed)
        blank = ["\n", "  \n", "\t \n", table.delimiter * (len(table.names) - 1) + "\n", "\r\n"]
        before = "".join(table.chance.choices(blank, k=table.chance.randrange(1, 4)))

        done = import_file(quick_world(), (before + table.written()).encode())

        assert (done.reason, done.rows) == (None, table.items), before


def test_delimiters_at_the_ends_of_some_lines_cost_no_row(quick_world: Callable[[], Any]) -> None:
    for seed in range(FILES):
        table = Table(seed)
        rows = [[*row, *[""] * table.chance.choice([0, 0, 1, 2])] for row in table.rows]

        done = import_file(quick_world(), table.written(rows=rows).encode())

        assert (done.reason, done.rows, done.rejected) == (None, table.items, []), rows


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("line", ["a,b", "a;b;c", "plain", "x|y", "1\t2\t3"])
def test_a_value_longer_than_what_is_looked_at_is_no_rows(
    world: Any, delimiter: str, line: str
) -> None:
    value = f"{line}\n" * 20_000
    content = f'id{delimiter}note\n1{delimiter}"{value}"\n2{delimiter}b\n'

    done = import_file(world, content.encode())

    assert (done.reason, [row["note"] for row in done.rows]) == (None, [value, "b"])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("names", "row"),
    [
        (["ид", "имя"], ["1", "Зоя"]),
        (["番号", "名前"], ["一", "山田"]),
        (["编号", "姓名"], ["2026", "王一"]),
        (["αριθμός", "όνομα"], ["1", "Ζωή"]),
        (["מספר", "שם"], ["1", "זואי"]),
    ],
)
def test_utf_16_without_a_mark_is_read_in_any_alphabet(
    world: Any, encoding: str, names: list[str], row: list[str]
) -> None:
    content = f"{','.join(names)}\r\n{','.join(row)}\r\n".encode(encoding)

    assert import_file(world, content).rows == [dict(zip(names, row, strict=True))]


@pytest.mark.parametrize("line", ["sep=", "sep = ;", "sep=\\t", "SEP=tab"])
def test_a_line_that_says_no_single_delimiter_is_refused_with_what_it_says(
    world: Any, line: str
) -> None:
    said = line.partition("=")[2].strip()

    done = refused_once(world, f"{line}\nid;name\n1;Ana\n".encode())

    assert done.reason == "delimiter_unclear"
    assert repr(said) in done.detail


def test_text_that_was_converted_twice_is_refused(world: Any) -> None:
    content = "id,name\n1,Zoë\n".encode("utf-8-sig").decode("cp1252").encode()

    assert "twice" in refused_once(world, content).detail


def test_names_of_the_header_among_the_rows_are_no_item(world: Any) -> None:
    done = import_file(world, b"id,name\n1,Ana\nid,name\n2,Bo\n")

    assert [row["name"] for row in done.rows] == ["Ana", "Bo"]
    assert done.rejected == [(3, "header_repeated")]


@pytest.mark.parametrize("names", [["ID", "Name"], ["id", "NAME"], [" Id ", "name"]])
def test_a_header_that_is_set_and_there_in_other_letters_is_no_row(
    world: Any, names: list[str]
) -> None:
    content = f"{','.join(names)}\n1,Ana\n".encode()

    done = refused_once(world, content, HEADER=json.dumps(["id", "name"]))

    assert done.reason == "header_repeated"


def test_short_rows_are_a_fault_only_where_the_setting_says_so(
    quick_world: Callable[[], Any],
) -> None:
    content = b"id,name,city\n1,Ana\n2,Bo\n"

    assert refused_once(quick_world(), content).reason == "header_does_not_fit"
    assert len(import_file(quick_world(), content, MISSING_CELLS="empty").rows) == 2


@pytest.mark.parametrize(
    "content",
    [
        "country,2020,2021\nFR,1,2\nDE,3,4\n",
        "2020,2021\n1,2\n",
        "0,1,2\n5,6,7\n",
        "1,2\n5,6\n",
        "city,2026-01-31,2026-02-28\nRome,1,2\n",
        "id,a@example.com\n1,7\n",
        "id,2.5\n1,\n2,\n",
        "id,n\n1,C:\\dir\\\n2,\\Name\n",
        'id,n\n1,"C:\\dir\\"\n2,b\n',
        "id,n\n1,'t Hooft\n2,O'Neil\n3,x'\n",
        "id,n\n1,--\n2,---\n",
    ],
)
def test_names_and_values_that_look_like_such_a_fault_are_read(world: Any, content: str) -> None:
    names, *rows = csv.reader(io.StringIO(content))

    done = import_file(world, content.encode())

    assert (done.reason, done.rejected) == (None, [])
    assert [[*row.values()] for row in done.rows] == [row for row in rows if len(row) == len(names)]


def test_one_bad_row_of_many_does_not_tell_of_another_dialect(world: Any) -> None:
    rows = [f"{number},a\n" for number in range(19)]

    done = import_file(world, "".join(["id,note\n", *rows, '19,"a \\"b\\" c"\n']).encode())

    assert (len(done.rows), done.rejected) == (19, [(21, "text_after_quote")])


@pytest.mark.parametrize("share", [4, 6])
def test_text_with_delimiters_in_it_is_no_column_of_values(world: Any, share: int) -> None:
    lines = [f"milk{', eggs' * (number % share == 0)}\n" for number in range(20)]

    done = import_file(world, "".join(["name\n", *lines]).encode())

    assert done.reason == ("delimiter_unclear" if share == 4 else None)


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_line_ends_of_other_programs_make_no_header_of_the_file(world: Any, end: str) -> None:
    assert refused_once(world, f"id,n{end}1,a{end}".encode()).reason == "broken_header"
