"""Writes the inputs, outputs, resources and guards of modules and pipelines into their READMEs.

Usage: .local/venv/bin/python tools/terraform_docs.py [--check]

The text between the markers BEGIN_TF_DOCS and END_TF_DOCS is made from the .tf files alone, so the
same files give the same text everywhere. With --check nothing is written: a README that is stale is
named, and the exit status is 1. Needs requirements/test.txt, which `make test` installs.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hcl_blocks import (
    Attribute,
    Block,
    HclInvalid,
    Node,
    call,
    dotted,
    read_folder,
    template,
    trees,
)

REPOSITORY = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- BEGIN_TF_DOCS -->", "<!-- END_TF_DOCS -->"
COMMAND = ".local/venv/bin/python tools/terraform_docs.py"
NOTE = "<!-- Made from the .tf files by tools/terraform_docs.py: change those, then run it. -->"
PROVIDER_PAGES = "https://registry.terraform.io/providers/hashicorp/aws/latest/docs"
# Longer defaults and counts would stretch their column over the others.
_LONGEST_IN_A_CELL = 72
_ELLIPSIS = "…"
# A full stop alone does not end a sentence ("6.x", "e.g. a queue"), except after a computed part.
_SENTENCE_END = re.compile(rf"(?<=[.!?])\s+(?=[A-Z\"{{{_ELLIPSIS}])|(?<={_ELLIPSIS}\.)\s+")


class ReadmeInvalid(Exception):
    """A README does not have the markers of the generated part."""


def modules(repository: Path) -> list[Path]:
    """Folders of the modules and pipelines, in the order of their names."""
    return sorted(
        path.parent
        for kind in ("modules", "pipelines")
        for path in repository.glob(f"{kind}/*/main.tf")
    )


def updated(readme: str, module: Block) -> str:
    """Returns `readme` with its generated part replaced; raises ReadmeInvalid."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ReadmeInvalid(f"it needs one line {BEGIN} and, below it, one line {END}.")
    head, _, rest = readme.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ReadmeInvalid(f"{END} must come after {BEGIN}.")
    return f"{head}{BEGIN}\n{NOTE}\n\n{reference(module)}\n{END}{tail}"


def reference(module: Block) -> str:
    """Returns the generated part: inputs, outputs, resources, guards; no empty sections."""
    variables = list(module.of("variable"))
    sections = {
        "Inputs": [
            _table(("name", "type", "default", "meaning"), map(_input, variables)),
            _folded_types(variables),
        ],
        "Outputs": [
            _table(
                ("name", "meaning"),
                (
                    (_code(output.name), _cell(output.text("description")))
                    for output in module.of("output")
                ),
            )
        ],
        "Resources": [_table(("name", "how many"), _makes(module))],
        "Guards": [_table(("at", "kind", "message"), _guards(module))],
    }
    written = {name: [part for part in parts if part] for name, parts in sections.items()}
    return "\n\n".join(
        ["## Reference"]
        + ["\n\n".join([f"### {name}", *parts]) for name, parts in written.items() if parts]
    )


def short_type(kind: Node) -> str:
    """Returns a type without the contents of objects and tuples, such as "map(object)"."""
    match call(kind):
        case ("object" | "tuple" as name, _):
            return name
        case (name, arguments) if name:
            return f"{name}({', '.join(map(short_type, arguments))})"
    return dotted(kind)


def message(expression: Node) -> str:
    """Returns the text of an error_message, with {name} for an interpolated name and … for other
    computed parts."""
    if expression.data == "string":
        return "".join(
            part if isinstance(part, str) else _interpolated(part) for part in template(expression)
        )
    match call(expression):
        case ("join", [separator, texts]) if texts.data == "tuple":
            return message(separator).join(map(message, trees(texts)))
    return _ELLIPSIS


def first_sentence(text: str) -> str:
    """Returns the text up to the first full stop that another sentence follows."""
    sentence = _SENTENCE_END.split(text.strip(), maxsplit=1)[0]
    return re.sub(rf"{_ELLIPSIS}+(\.$)?", _ELLIPSIS, sentence)


def _interpolated(expression: Node) -> str:
    name = dotted(expression)
    return "{" + re.sub(r"^(var|local)\.", "", name) + "}" if "." in name else _ELLIPSIS


def _input(variable: Block) -> tuple[str, str, str, str]:
    kind, default = variable.attributes.get("type"), variable.attributes.get("default")
    value = "required"
    if default is not None:
        value = _code(default.source) if _fits(default) else "below"
    return (
        _code(variable.name),
        _code(short_type(kind.expression)) if kind else "",
        value,
        _cell(variable.text("description")),
    )


def _fits(default: Attribute) -> bool:
    return "\n" not in default.source and len(default.source) <= _LONGEST_IN_A_CELL


def _folded_types(variables: Iterable[Block]) -> str:
    """Returns the types and defaults that are shortened in the table."""
    blocks = []
    for variable in variables:
        lines = []
        kind, default = variable.attributes.get("type"), variable.attributes.get("default")
        if kind and short_type(kind.expression) != kind.source:
            lines.append(f"type = {kind.source}")
        if default and not _fits(default):
            lines.append(f"default = {default.source}")
        if lines:
            inside = "\n".join(lines).replace("\n", "\n  ")
            blocks.append(f'variable "{variable.name}" {{\n  {inside}\n}}')
    if not blocks:
        return ""
    text = "\n\n".join(blocks)
    return (
        "<details>\n<summary>Types and defaults in full</summary>\n\n"
        f"```hcl\n{text}\n```\n\n</details>"
    )


def _makes(module: Block) -> Iterator[tuple[str, str]]:
    for block in (*module.of("resource", "module"), *module.of("data")):
        match block.kind:
            case "resource":
                name = f"[{_code(block.name)}]({_page('resources', block.labels[0])})"
            case "data":
                name = f"[{_code(f'data.{block.name}')}]({_page('data-sources', block.labels[0])})"
            case _:
                source = block.text("source")
                name = f"[{_code(f'module.{block.name}')}]({source}): {source.rpartition('/')[2]}"
        yield name, _how_many(block)


def _page(section: str, kind: str) -> str:
    return f"{PROVIDER_PAGES}/{section}/{kind.removeprefix('aws_')}"


def _how_many(block: Block) -> str:
    for name, words in (("count", ""), ("for_each", "one for each of ")):
        if attribute := block.attributes.get(name):
            expression = re.sub(r"\s+", " ", attribute.source)
            if len(expression) > _LONGEST_IN_A_CELL:
                return f"by `{name}`"
            return words + _code(expression)
    return "1"


def _guards(module: Block) -> Iterator[tuple[str, str, str]]:
    for block in (*module.of("variable"), *module.of("resource", "data", "output", "check")):
        prefix = {"variable": "var.", "resource": ""}.get(block.kind, f"{block.kind}.")
        for guard in _conditions(block):
            text = first_sentence(message(guard.attributes["error_message"].expression))
            yield _code(prefix + block.name), guard.kind, _cell(text.replace("*", "\\*"))


def _conditions(block: Block) -> Iterator[Block]:
    yield from block.of("validation", "precondition", "postcondition", "assert")
    for lifecycle in block.of("lifecycle"):
        yield from _conditions(lifecycle)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, empty without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines])


def _code(text: str) -> str:
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}".replace("|", "\\|")


def _cell(markdown: str) -> str:
    """Returns Markdown as one line: items of lists and paragraphs stay apart, and < and | are
    escaped."""
    pieces = re.split(r"(`[^`]*`)", markdown.strip().replace("|", "\\|"))
    pieces[::2] = [piece.replace("<", "&lt;") for piece in pieces[::2]]
    apart = re.sub(r"\s*\n(\s*\n\s*|\s*(?=- ))", "<br>", "".join(pieces))
    return re.sub(r"\s*\n\s*", " ", apart)


def main(arguments: Sequence[str], repository: Path = REPOSITORY) -> int:
    """Write every module's README; return 1 if one is stale (--check) or invalid."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    check: bool = parser.parse_args(arguments).check
    failed = False
    for folder in modules(repository):
        readme = folder / "README.md"
        name = readme.relative_to(repository)
        try:
            old = readme.read_text(encoding="utf-8")
            new = updated(old, read_folder(folder))
        except (FileNotFoundError, ReadmeInvalid, HclInvalid) as error:
            print(f"{name} cannot be made: {error}", file=sys.stderr)
            failed = True
            continue
        if new != old and check:
            print(f"{name} is stale: run {COMMAND}.", file=sys.stderr)
            failed = True
        elif new != old:
            readme.write_text(new, encoding="utf-8")
            print(f"{name} is updated.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
