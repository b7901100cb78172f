"""The generated part of the READMEs, and the tool that makes it."""

import subprocess
import sys
from pathlib import Path

import pytest

import terraform_docs
from hcl_blocks import parse
from terraform_docs import BEGIN, END, NOTE
from unit.docs.conventions import REPOSITORY

MODULE = """
variable "name" {
  description = "Name of the <thing>, `<a|b>` | c."
  type        = string
}

variable "routes" {
  description = <<-EOT
    Routes
    of two lines:
    - `to`: where,
      or when.

    More.
  EOT
  type = map(object({
    to = optional(list(string), ["}"]) # anywhere
  }))
  default = {
    main = {}
  }

  validation {
    condition     = length(var.routes) > 0
    error_message = "routes is empty (${var.name}, ${length(var.routes)}): name * one. Or two."
  }
}

output "arn" {
  description = "Its ARN."
  value       = aws_sqs_queue.main.arn

  precondition {
    condition     = true
    error_message = "Wait."
  }
}

data "aws_region" "current" {}

resource "aws_sqs_queue" "main" {
  count = var.name == "a" || var.b ? 1 : 0

  lifecycle {
    postcondition {
      condition     = true
      error_message = join(", ", ["Made ${self.arn}", "not ${local.arn}.", upper("x")])
    }
  }
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = var.routes
}
"""

REFERENCE = """## Reference

### Inputs

| name | type | default | meaning |
|---|---|---|---|
| `name` | `string` | required | Name of the &lt;thing>, `<a\\|b>` \\| c. |
| `routes` | `map(object)` | below | Routes of two lines:<br>- `to`: where, or when.<br>More. |

<details>
<summary>Types and defaults in full</summary>

```hcl
variable "routes" {
  type = map(object({
    to = optional(list(string), ["}"]) # anywhere
  }))
  default = {
    main = {}
  }
}
```

</details>

### Outputs

| name | meaning |
|---|---|
| `arn` | Its ARN. |

### Resources

| name | how many |
|---|---|
| [`aws_sqs_queue.main`](PAGES/resources/sqs_queue) | `var.name == "a" \\|\\| var.b ? 1 : 0` |
| [`module.queue`](../../modules/sqs-with-dlq): sqs-with-dlq | one for each of `var.routes` |
| [`data.aws_region.current`](PAGES/data-sources/region) | 1 |

### Guards

| at | kind | message |
|---|---|---|
| `var.routes` | validation | routes is empty ({name}, …): name \\* one. |
| `output.arn` | precondition | Wait. |
| `aws_sqs_queue.main` | postcondition | Made {self.arn}, not {arn}., … |""".replace(
    "PAGES", terraform_docs.PROVIDER_PAGES
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One module and one pipeline, whose READMEs have nothing between their markers."""
    for folder in ("modules/queue", "pipelines/import"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "main.tf").write_text(MODULE)
        (tmp_path / folder / "README.md").write_text(f"# Title\n\n{BEGIN}\n{END}\n\nMore.\n")
    return tmp_path


def run(repository: Path, *arguments: str) -> int:
    return terraform_docs.main(arguments, repository)


def test_the_readmes_of_this_repository_are_up_to_date() -> None:
    command = [sys.executable, "tools/terraform_docs.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_module_and_pipeline_is_documented() -> None:
    assert [str(path.relative_to(REPOSITORY)) for path in terraform_docs.modules(REPOSITORY)] == [
        "modules/bucket-notification",
        "modules/kms-key-statements",
        "modules/lambda-consumer",
        "modules/metric-alarms",
        "modules/private-bucket",
        "modules/private-table",
        "modules/sns-filtered-fanout",
        "modules/source-bucket",
        "modules/sqs-with-dlq",
        "pipelines/csv-import",
        "pipelines/event-audit",
        "pipelines/image-derivatives",
        "pipelines/item-relay",
        "pipelines/tenant-routing",
    ]


def test_what_is_written_about_a_module() -> None:
    assert terraform_docs.reference(parse(MODULE)) == REFERENCE


def test_sections_without_content_are_left_out() -> None:
    assert terraform_docs.reference(parse('variable "a" { type = string }\n')) == (
        "## Reference\n\n### Inputs\n\n| name | type | default | meaning |\n|---|---|---|---|\n"
        "| `a` | `string` | required |  |"
    )


def test_only_what_is_between_the_markers_is_written_and_once(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(repository) == 0
    assert capsys.readouterr().out.splitlines() == [
        "modules/queue/README.md is updated.",
        "pipelines/import/README.md is updated.",
    ]
    readme = (repository / "modules/queue/README.md").read_text()
    assert readme == f"# Title\n\n{BEGIN}\n{NOTE}\n\n{REFERENCE}\n{END}\n\nMore.\n"

    assert run(repository) == 0
    assert (repository / "modules/queue/README.md").read_text() == readme
    assert capsys.readouterr().out == ""


def test_a_stale_readme_is_named_and_not_touched(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(repository)
    assert run(repository, "--check") == 0
    capsys.readouterr()
    readme = repository / "pipelines/import/README.md"
    before = readme.read_text()
    variables = repository / "pipelines/import/variables.tf"
    variables.write_text('variable "added" {\n  type = string\n}\n')

    assert run(repository, "--check") == 1
    assert capsys.readouterr().err == (
        "pipelines/import/README.md is stale: run .local/venv/bin/python tools/terraform_docs.py.\n"
    )
    assert readme.read_text() == before


@pytest.mark.parametrize(
    ("readme", "reason"),
    [
        ("# Title\n", f"it needs one line {BEGIN} and, below it, one line {END}."),
        (f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n", f"it needs one line {BEGIN} and, below it, one line"),
        (f"{END}\n{BEGIN}\n", f"{END} must come after {BEGIN}."),
        (None, "No such file"),
    ],
)
def test_a_readme_without_a_place_is_named_and_the_others_are_written(
    repository: Path, capsys: pytest.CaptureFixture[str], readme: str | None, reason: str
) -> None:
    path = repository / "modules/queue/README.md"
    path.unlink()
    if readme is not None:
        path.write_text(readme)

    assert run(repository) == 1
    said = capsys.readouterr()
    assert said.err.startswith("modules/queue/README.md cannot be made: ")
    assert reason in said.err
    assert said.out == "pipelines/import/README.md is updated.\n"
    if readme is not None:
        assert path.read_text() == readme


def test_hcl_that_cannot_be_read_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "modules/queue/main.tf").write_text("variable {\n")

    assert run(repository, "--check") == 1
    assert "main.tf: line 2 is not HCL: it ends too early" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("string", "string"),
        ("map(list(string))", "map(list(string))"),
        ("object({ a = string })", "object"),
        ("map(object({ a = object({ b = any }) }))", "map(object)"),
        ("list(tuple([string, object({ a = number })]))", "list(tuple)"),
    ],
)
def test_variable_types_are_shortened_for_tables(written: str, short: str) -> None:
    kind = parse(f"type = {written}\n").attributes["type"].expression

    assert terraform_docs.short_type(kind) == short


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"As it is."', "As it is."),
        ('"${var.a.b} ${local.c} ${each.key} ${self.id}"', "{a.b} {c} {each.key} {self.id}"),
        ('"${var.a == "}" ? 1 : 2} and ${"x"}"', "… and …"),
        ('"${var.a[0]}${f("y")}"', "……"),
        ('join("", ["a", " ${var.b}"])', "a {b}"),
        ('join(", ", [for x in var.xs : "a"])', "…"),
        ('join(", ", var.xs)', "…"),
        ('join(", ", ["a"], ["b"])', "…"),
        ('format("%s", var.a)', "…"),
        ("<<-EOT\n  Line ${var.a}.\n  EOT", "Line {a}.\n"),
    ],
)
def test_error_messages_are_rendered_as_text(written: str, said: str) -> None:
    text = parse(f"error_message = {written}\n").attributes["error_message"].expression

    assert terraform_docs.message(text) == said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        (
            "arn:...:key is x.y, e.g. a or 6.x. {name} goes on.",
            "arn:...:key is x.y, e.g. a or 6.x.",
        ),
        ("Wrong: …. give others.", "Wrong: …"),
        ("…… of …, not …; … more.", "… of …, not …; … more."),
        ("No stop", "No stop"),
    ],
)
def test_first_sentence_of_a_description(text: str, sentence: str) -> None:
    assert terraform_docs.first_sentence(text) == sentence
