"""What this repository asks of all its HCL. Each check names what breaks it, one text for each."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hcl_blocks import Attribute, Block, Node, dotted, literal, parse, references, trees
from support.published import SOURCE, TAG

REPOSITORY = Path(__file__).resolve().parents[3]
FILES = frozenset({"main.tf", "outputs.tf", "variables.tf", "versions.tf"})
# What a main.tf of more than a page or two leaves to others.
FILES_BY_CONCERN = frozenset(
    {
        "alarms.tf",
        "event_source.tf",
        "function.tf",
        "locals.tf",
        "manager.tf",
        "moved.tf",
        "policies.tf",
        "role.tf",
        "storage.tf",
    }
)
TERRAFORM_VERSION = ">= 1.9"
PROVIDERS = {"aws": {"source": "hashicorp/aws", "version": ">= 5.100, < 7.0"}}
# About what a repository's page shows of a README before one has to scroll.
FIRST_SCREEN_LINES = 15
META_ARGUMENTS = frozenset({"source", "version", "count", "for_each", "providers", "depends_on"})

_REPOSITORY_NAME = "terraform-aws-event-pipelines"
_SHOWN_SOURCE = "git::https://…//{}?ref=…"
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_FENCE = re.compile(r"^( *)```hcl\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def every_variable_is_typed_and_described(module: Block) -> Iterator[str]:
    for variable in module.of("variable"):
        kind = variable.attributes.get("type")
        if kind is None:
            yield f"var.{variable.name} has no type"
        elif any(dotted(part) == "any" for part in kind.expression.iter_subtrees()):
            yield f"var.{variable.name} takes any"
        if not variable.text("description").strip():
            yield f"var.{variable.name} has no description"


def every_output_is_described(module: Block) -> Iterator[str]:
    for output in module.of("output"):
        if not output.text("description").strip():
            yield f"output.{output.name} has no description"


def everything_declared_is_used(module: Block) -> Iterator[str]:
    """What only its own declaration mentions, as a validation has to, is used by nobody."""
    declared = [
        (f"{prefix}.{block.name}", block.references())
        for kind, prefix in {"variable": "var", "data": "data"}.items()
        for block in module.of(kind)
    ]
    declared += [
        (f"local.{value.name}", references(value.expression))
        for block in module.of("locals")
        for value in block.attributes.values()
    ]
    users = [
        block.references()
        for block in module.blocks
        if block.kind not in ("variable", "data", "locals")
    ]
    for name, _ in declared:
        elsewhere = [*users, *(uses for other, uses in declared if other != name)]
        if not any(name in uses for uses in elsewhere):
            yield f"{name} is not used"


def names_are_in_snake_case(module: Block) -> Iterator[str]:
    names = [block.labels[-1] for block in module.blocks if block.labels]
    for block in module.of("locals"):
        names += block.attributes
    for variable in module.of("variable"):
        if kind := variable.attributes.get("type"):
            names += sorted(field for field, _ in _set_in(kind))
    yield from (f"{name} is not in snake_case" for name in names if not _SNAKE_CASE.fullmatch(name))


def versions_are_the_ones_supported(module: Block) -> Iterator[str]:
    settings = list(module.of("terraform"))
    if [block.text("required_version") for block in settings] != [TERRAFORM_VERSION]:
        yield f'required_version is not "{TERRAFORM_VERSION}"'
    providers = {
        provider.name: {name: literal(value) for name, value in _set_in(provider)}
        for block in settings
        for required in block.of("required_providers")
        for provider in required.attributes.values()
    }
    if providers != PROVIDERS:
        yield f"required_providers is not {PROVIDERS}"


def no_provider_is_configured(module: Block) -> Iterator[str]:
    for provider in module.of("provider"):
        yield f"provider.{provider.name} belongs to the caller"


def files_are_the_usual_ones(folder: Path) -> Iterator[str]:
    present = {path.name for path in folder.glob("*.tf")}
    yield from (f"{name} is missing" for name in sorted(FILES - present))
    yield from (f"{name} is one too many" for name in sorted(present - FILES - FILES_BY_CONCERN))


def first_screen_has_an_example(readme: str, module: str) -> Iterator[str]:
    """`module` is its folder, as another repository's source names it: "modules/sqs-with-dlq"."""
    fence = _FENCE.search(readme)
    if fence is None or readme.count("\n", 0, fence.start()) >= FIRST_SCREEN_LINES:
        yield f"no example begins in the first {FIRST_SCREEN_LINES} lines"
    elif not any(_of_repository(call) == module for call in parse(fence[2]).of("module")):
        yield f"the first example has no source = {_SHOWN_SOURCE.format(module)}"


def examples_fit_the_inputs(text: str, modules: Mapping[str, Block]) -> Iterator[str]:
    """Every example is HCL, and calls a module (by its folder) with inputs that it has."""
    for fence in _FENCE.finditer(text):
        # A statement of a policy is shown as the bare expression that it is.
        example = f"shown = {fence[2]}" if fence[2].lstrip().startswith("{") else fence[2]
        for call in parse(example).of("module"):
            if _REPOSITORY_NAME not in call.text("source"):
                continue
            module = modules.get(_of_repository(call))
            if module is None:
                yield f"module.{call.name} has no source = {_SHOWN_SOURCE.format('FOLDER')}"
                continue
            inputs = {variable.name: variable for variable in module.of("variable")}
            given = call.attributes.keys() - META_ARGUMENTS
            required = {name for name, block in inputs.items() if "default" not in block.attributes}
            yield from (
                f"module.{call.name} gives {name}" for name in sorted(given - inputs.keys())
            )
            yield from (f"module.{call.name} lacks {name}" for name in sorted(required - given))


def _of_repository(call: Block) -> str:
    """The folder that a module call fetches from this repository, empty for none."""
    found = re.fullmatch(
        rf"{re.escape(SOURCE)}([a-z/-]+)\?ref={re.escape(TAG)}",
        call.text("source"),
    )
    return found[1] if found else ""


def _set_in(attribute: Attribute) -> Iterator[tuple[str, Node]]:
    """Every `name = ...` of the objects inside, with what it is set to."""
    for element in attribute.expression.find_data("object_elem"):
        key, value = trees(element)
        if name := dotted(trees(key)[0]):  # not a quoted one
            yield name, value
