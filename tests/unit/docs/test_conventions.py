"""The conventions, held against all HCL of the repository, and each against HCL that breaks it."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from textwrap import indent

import pytest

from hcl_blocks import Block, parse, read_folder
from support import published
from unit.docs import conventions
from unit.docs.conventions import REPOSITORY


def folders(*kinds: str) -> list[Path]:
    files = (path for kind in kinds for path in REPOSITORY.glob(f"{kind}/*/*.tf"))
    return sorted({path.parent.relative_to(REPOSITORY) for path in files})


MODULES = folders("modules", "pipelines")
EXAMPLES = folders("examples")
TEXTS = [
    REPOSITORY / "README.md",
    *sorted(REPOSITORY.glob("docs/*.md")),
    *(REPOSITORY / folder / "README.md" for folder in (*MODULES, *EXAMPLES, Path("examples"))),
]
Check = Callable[[Block], Iterator[str]]
read = cache(read_folder)
CHECKS: tuple[Check, ...] = (
    conventions.every_variable_is_typed_and_described,
    conventions.every_output_is_described,
    conventions.everything_declared_is_used,
    conventions.names_are_in_snake_case,
    conventions.versions_are_the_ones_supported,
)


def checked(check: Check) -> str:
    return check.__name__


def test_the_repository_holds_what_is_checked() -> None:
    assert {str(module.parent) for module in MODULES} == {"modules", "pipelines"}
    assert (len(MODULES), len(EXAMPLES)) == (14, 15)
    for folder in (*MODULES, *EXAMPLES):
        deeper = (REPOSITORY / folder).glob("[!.]*/**/*.tf")  # but what `terraform init` fetched
        assert [path for path in deeper if path.resolve().parent != REPOSITORY / folder] == []


@pytest.mark.parametrize("check", CHECKS, ids=checked)
@pytest.mark.parametrize("folder", [Path(), *EXAMPLES, *MODULES], ids=str)
def test_hcl_follows_the_convention(folder: Path, check: Check) -> None:
    assert list(check(read(REPOSITORY / folder))) == []


@pytest.mark.parametrize("folder", MODULES, ids=str)
def test_a_module_is_in_the_usual_files_and_configures_no_provider(folder: Path) -> None:
    assert list(conventions.files_are_the_usual_ones(REPOSITORY / folder)) == []
    assert list(conventions.no_provider_is_configured(read(REPOSITORY / folder))) == []


def test_no_line_of_terraform_has_more_than_140_characters() -> None:
    own = ("*.tf", "[emp]*/*/*.tf", "[emp]*/*/tests/*.tftest.hcl", "tests/terraform/*.tftest.hcl")
    files = [path for pattern in own for path in REPOSITORY.glob(pattern)]
    assert len(files) > 130
    too_long = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > 140
    ]
    assert too_long == []


@pytest.mark.parametrize("folder", MODULES, ids=str)
def test_a_readme_begins_with_an_example_to_copy(folder: Path) -> None:
    readme = (REPOSITORY / folder / "README.md").read_text()

    assert list(conventions.first_screen_has_an_example(readme, str(folder))) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_examples_in_readmes_fit_module_inputs(path: Path) -> None:
    modules = {str(folder): read(REPOSITORY / folder) for folder in MODULES}

    assert list(conventions.examples_fit_the_inputs(path.read_text(), modules)) == []


VERSIONS = """
terraform {
  required_version = "%s"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "%s"
    }%s
  }
}
"""


@pytest.mark.parametrize(
    ("check", "text", "problems"),
    [
        (
            conventions.every_variable_is_typed_and_described,
            'variable "a" { type = map(object({ b = optional(any) })) }\n'
            'variable "c" {\n  description = " "\n  default = ""\n}\n'
            'variable "d" {\n  description = "Any words."\n  type = string\n}\n',
            [
                "var.a takes any",
                "var.a has no description",
                "var.c has no type",
                "var.c has no description",
            ],
        ),
        (
            conventions.every_output_is_described,
            'output "a" { value = 1 }\noutput "b" {\n  description = "B."\n  value = 2\n}\n',
            ["output.a has no description"],
        ),
        (
            conventions.everything_declared_is_used,
            'variable "a" {\n  validation {\n    condition = var.a > 0\n'
            '    error_message = "${var.a}"\n  }\n}\n'
            'variable "ab" {}\n# var.ab\nvariable "abc" { description = "not var.ab" }\n'
            'data "aws_region" "one" {}\ndata "aws_region" "other" {}\n'
            "locals {\n  x = var.abc\n  y = 1\n}\n"
            'output "z" { value = "${local.x}${data.aws_region.one.id}" }\n',
            [
                "var.a is not used",
                "var.ab is not used",
                "data.aws_region.other is not used",
                "local.y is not used",
            ],
        ),
        (
            conventions.names_are_in_snake_case,
            'variable "aB" { type = object({ c-d = string, e_f = object({ g__h = bool }) }) }\n'
            'resource "aws_sqs_queue" "Main" {}\nmodule "a-b" {}\noutput "_x" {}\n'
            "locals { y_ = 1 }\n",
            [
                f"{name} is not in snake_case"
                for name in ("aB", "Main", "a-b", "_x", "y_", "c-d", "g__h")
            ],
        ),
        (
            conventions.versions_are_the_ones_supported,
            VERSIONS % (">= 1.5", ">= 5.100, < 7.0", ""),
            ['required_version is not ">= 1.9"'],
        ),
        (
            conventions.versions_are_the_ones_supported,
            VERSIONS % (">= 1.9", ">= 5.0", ""),
            [f"required_providers is not {conventions.PROVIDERS}"],
        ),
        (
            conventions.versions_are_the_ones_supported,
            VERSIONS
            % (">= 1.9", ">= 5.100, < 7.0", '\n    random = { source = "hashicorp/random" }'),
            [f"required_providers is not {conventions.PROVIDERS}"],
        ),
        (
            conventions.versions_are_the_ones_supported,
            "",
            [
                'required_version is not ">= 1.9"',
                f"required_providers is not {conventions.PROVIDERS}",
            ],
        ),
        (
            conventions.no_provider_is_configured,
            'provider "aws" { region = "eu-west-1" }',
            ["provider.aws belongs to the caller"],
        ),
    ],
)
def test_what_breaks_a_convention_is_named(check: Check, text: str, problems: list[str]) -> None:
    assert list(check(parse(text))) == problems


def test_missing_and_further_files_are_named(tmp_path: Path) -> None:
    for name in ("main.tf", "outputs.tf", "role.tf", "variables.tf", "providers.tf", "README.md"):
        (tmp_path / name).touch()

    assert list(conventions.files_are_the_usual_ones(tmp_path)) == [
        "versions.tf is missing",
        "providers.tf is one too many",
    ]


SOURCE = f"{published.SOURCE}modules/a?ref={published.TAG}"
EXAMPLE = f'```hcl\nmodule "x" {{\n  source = "{SOURCE}"\n  count  = 1\n%s}}\n```\n'


@pytest.mark.parametrize(
    ("readme", "problem"),
    [
        ("# a\n", "no example begins in the first 15 lines"),
        ("# a\n" + "\n" * 14 + EXAMPLE % "", "no example begins in the first 15 lines"),
        (
            "# a\n```hcl\nx = 1\n```\n" + EXAMPLE % "",
            "the first example has no source = git::https://…//modules/a?ref=…",
        ),
        (
            EXAMPLE.replace("modules/a", "modules/b") % "",
            "the first example has no source = git::https://…//modules/a?ref=…",
        ),
    ],
)
def test_a_readme_without_an_example_is_named(readme: str, problem: str) -> None:
    assert list(conventions.first_screen_has_an_example(readme, "modules/a")) == [problem]
    assert not list(conventions.first_screen_has_an_example(EXAMPLE % "", "modules/a"))


@pytest.mark.parametrize(
    ("inputs", "problems"),
    [
        ("  name = 1\n", []),
        ("  name = 1\n  size = 2\n", []),
        ("", ["module.x lacks name"]),
        ("  nmae = 1\n", ["module.x gives nmae", "module.x lacks name"]),
    ],
)
def test_an_example_with_other_inputs_is_named(inputs: str, problems: list[str]) -> None:
    module = parse('variable "name" {}\nvariable "size" { default = 1 }\n')
    example = EXAMPLE % inputs

    for text in (f"Text.\n\n{example}", f"- Text:\n\n{indent(example, '  ')}"):
        found = conventions.examples_fit_the_inputs(text, {"modules/a": module})
        assert list(found) == problems


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.replace("modules/a", "modules/b"),
        SOURCE.partition("?")[0],
        SOURCE.replace(published.TAG, "main"),
        SOURCE.replace("github.com/", "github.com/someone-"),
    ],
)
def test_an_example_that_cannot_be_fetched_is_named(source: str) -> None:
    text = (EXAMPLE % "").replace(SOURCE, source)

    assert list(conventions.examples_fit_the_inputs(text, {"modules/a": parse("")})) == [
        "module.x has no source = git::https://…//FOLDER?ref=…"
    ]
