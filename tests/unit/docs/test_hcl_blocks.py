"""What is read out of Terraform's language."""

from pathlib import Path

import pytest

from hcl_blocks import (
    Block,
    HclInvalid,
    Node,
    call,
    dotted,
    literal,
    parse,
    read_folder,
    references,
)


def expression(written: str) -> Node:
    return parse(f"value = {written}\n").attributes["value"].expression


def test_blocks_hold_labels_attributes_and_blocks() -> None:
    file = parse(
        'variable "size" {\n  type = number\n\n  validation {\n    condition = true\n  }\n'
        '  validation { condition = false } # two\n}\nresource aws_sqs_queue "main" {}\n'
    )

    variable, resource = file.blocks
    assert (variable.kind, variable.labels, variable.name) == ("variable", ("size",), "size")
    assert variable.attributes["type"].source == "number"
    assert [block.attributes["condition"].source for block in variable.of("validation")] == [
        "true",
        "false",
    ]
    assert resource == Block("resource", ("aws_sqs_queue", "main"), {}, ())


@pytest.mark.parametrize(
    "written",
    [
        '"${join(", ", [for k, v in var.m : "${k}=${v}" if v != "}"])}"',
        "[\n  for x in var.xs : # each\n  x\n  if x > 0\n]",
        "(\n  var.a\n  ? 1\n  : 2\n)",
        "var.a\n  && var.b",
        '{\n  a = 1 # }\n  /* { */ b = [2,\n  3] // ]\n  "c" : { d = "}" }\n}',
        '<<EOT\n  "no quotes" } ${join(", ", ["}"])}\n  EOTX\n  EOT',
        'join("", [<<-EOT\n  a } ${var.b}\n  EOT\n  , "c"])',
    ],
)
def test_the_source_of_an_expression_is_what_is_written(written: str) -> None:
    block = parse(f"before = 1\nvalue = {written}\n# behind\nafter = 2\n")

    assert list(block.attributes) == ["before", "value", "after"]
    assert block.attributes["value"].source == written


def test_a_comment_behind_an_expression_is_no_part_of_it() -> None:
    assert parse("a = b && c # d\n").attributes["a"].source == "b && c"


def test_lines_of_an_expression_lose_the_indentation_of_its_block() -> None:
    block = next(parse("a {\n  type = object({\n    b = string\n  })\n}\n").of("a"))

    assert block.attributes["type"].source == "object({\n  b = string\n})"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r'"tab\t quote\" back\\ \u00e9 \U0001F600"', 'tab\t quote" back\\ é 😀'),
        ('"$${a} %%{b} $5 100%"', "${a} %{b} $5 100%"),
        ('""', ""),
        ("<<EOT\n  kept\n    as \\n is\n  EOT", "  kept\n    as \\n is\n"),
        ("<<-EOT\n    four\n\n      six\n  EOT", "four\n\n  six\n"),
        ('<<-EOT\n  $${a} "b"\r\n  EOT\r', '${a} "b"\r\n'),
        ("<<EOT\nEOT", ""),
        ("<<EOT\n${var.a}\nEOT", None),
        ('"${var.a}"', None),
        ('"a" == "b"', None),
        ("var.a", None),
        ("[]", None),
    ],
)
def test_literal_text_of_an_expression(written: str, text: str | None) -> None:
    assert literal(expression(written)) == text


def test_the_text_of_an_attribute_is_empty_without_a_literal() -> None:
    block = parse('a = "one"\nb = var.b\n')

    assert [block.text(name) for name in "abc"] == ["one", "", ""]


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ('"var.t ${var.a} $${var.e} ${"${local.b.c}"}"', {"var.a", "local.b", "local.b.c"}),
        ('<<-EOT\n  var.t "\n  ${f("x", var.a)}\n  EOT', {"var.a"}),
        ('"%{if var.a}${var.b}%{endif}"', {"var.a", "var.b"}),
        ("[for x in var.a : x.y if x # var.comment\n]", {"var.a", "x.y"}),
        ('var.a["b"].c + f(local.d)[*].e.g', {"var.a", "local.d"}),
        ("{ a = 1, (var.key) = each.value }", {"var.key", "each.value"}),
        ("a ? -b : [1.5, true]", set()),
    ],
)
def test_references_of_an_expression_are_found(written: str, names: set[str]) -> None:
    assert references(expression(written)) == names


def test_references_of_a_block_include_those_of_the_blocks_in_it() -> None:
    file = parse('a {\n  x = var.a\n  b "c" {\n    y = "${var.d}"\n  }\n}\n')

    assert file.references() == {"var.a", "var.d"}


def test_calls_have_a_name_and_arguments() -> None:
    name, arguments = call(expression("(f(\n  a, # one\n  (b.c),\n))"))

    assert (name, [dotted(argument) for argument in arguments]) == ("f", ["a", "b.c"])
    assert call(expression("f()")) == ("f", [])
    assert call(expression("f")) == ("", [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a = 1\nb = "c\n', 'line 2 is not HCL: b = "c'),
        ("a {\n  b = 1\n", "line 3 is not HCL: it ends too early"),
        ("a {\n}\n}\n", "line 3 is not HCL: }"),
        ("a = 1\nb = 1 ; c = 2\n", "line 2 is not HCL: b = 1 ; c = 2"),
        ("a = <<EOT\nb\n${c\nEOT\n", "line 3 is not HCL: ${c"),
        ("a = 1\n\na = 2\n", "line 3 sets a a second time"),
    ],
)
def test_what_is_no_hcl_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(HclInvalid) as refused:
        parse(text)

    assert str(refused.value) == message


def test_a_folder_is_read_file_by_file_and_names_the_one_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "b.tf").write_text('output "b" {}\n')
    (tmp_path / "a.tf").write_text('output "a" {}\n')
    (tmp_path / "c.txt").write_text("}")
    assert [block.name for block in read_folder(tmp_path).blocks] == ["a", "b"]

    (tmp_path / "b.tf").write_text("}\n")
    with pytest.raises(HclInvalid, match=r"b\.tf: line 1 is not HCL: }"):
        read_folder(tmp_path)
