"""What AWS does, as data: the facts of `*.yaml`, checked against botocore's models when loaded.

A file has a `service` (its row in the table of agreement), `given` steps by name, and `facts`:

    id           unique; with `for_each`, a list of variables with a `case` each, one fact for each
    states       the fact in a sentence
    source       a page of the documentation, or "recorded: NAME" for a test recorded on AWS
    needs        the services that it calls
    correction   what of the local engine's corrections it needs, without which a case of it differs
    given        names of steps that come first; those of `once` are taken once in a run
    steps        `call` with its parameters in `with`, and what is expected of the answer

A step's expectations, by JMESPath: `expect` (equal), `contains` (a subset), `matches` (the whole
text, by a regular expression), `absent` (nothing there), or `error` (its code, by a regular
expression) with `status` and `message`. `save` gives values of the answer to later steps, `as`
takes the credentials of a user, `eventually` repeats the call for so many seconds, and `collect`
joins a list of the answers then.

`${name}` is a variable: saved, of the case, or `id` (unique), `account`, `region` and `runtime`.
Tags make text of what is below: `!json` a document, `!zip` a Python module's package, `!repeat`
[text, times].
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath
import yaml

from conformance import removal

FOLDER = Path(__file__).parent
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
# What any fact has without saving it.
GIVEN_VARIABLES = frozenset(["id", "account", "region", "runtime"])
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (str,),
    "timestamp": (str, int),
}


class MisspeltFact(Exception):
    """A fact that cannot be run; the message begins with file and line."""


class Located(dict[str, Any]):
    """A mapping that knows where it is written."""

    where: str = "?"


@dataclass(frozen=True)
class Text:
    """Text made of other values when they are known: `kind` is json, zip or repeat."""

    kind: str
    content: Any


@dataclass(frozen=True)
class Step:
    where: str
    service: str
    operation: str
    parameters: Any
    expect: Mapping[str, Any] = field(default_factory=dict)
    contains: Mapping[str, Any] = field(default_factory=dict)
    matches: Mapping[str, Any] = field(default_factory=dict)
    absent: Sequence[str] = ()
    save: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    status: int | None = None
    message: str | None = None
    user: str | None = None
    eventually: float = 0
    collect: str | None = None


@dataclass(frozen=True)
class Fact:
    """`shared` are the steps of each setup that is taken once in a run, by its name."""

    identifier: str
    service: str
    states: str
    source: str
    needs: tuple[str, ...]
    correction: str | None
    variables: Mapping[str, Any]
    shared: Mapping[str, tuple[Step, ...]]
    given: tuple[Step, ...]
    steps: tuple[Step, ...]


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """Mappings with their place, without repeated keys, and the tags for text."""

    file: str


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Located:
    found = Located(loader.construct_mapping(node, deep=True))
    found.where = f"{loader.file}:{node.start_mark.line + 1}"
    if len(found) != len(node.value):
        raise MisspeltFact(f"{found.where}: a key is there twice")
    return found


def _text(loader: _Loader, kind: str, node: yaml.Node) -> Text:
    if isinstance(node, yaml.MappingNode):
        return Text(kind, _mapping(loader, node))
    if isinstance(node, yaml.SequenceNode):
        return Text(kind, loader.construct_sequence(node, deep=True))
    return Text(kind, node.value)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _text)


def load(folder: Path = FOLDER) -> list[Fact]:
    """All facts of the folder's files, in order. Raises MisspeltFact."""
    given: dict[str, Located] = {}
    documents = []
    for path in sorted(folder.glob("*.yaml")):
        with path.open(encoding="utf-8") as stream:
            loader = _Loader(stream)
            loader.file = path.name
            try:
                document = loader.get_single_data()
            except yaml.YAMLError as error:
                raise MisspeltFact(f"{path.name}: {error}") from error
        _only(document, "service given facts source", "service")
        given |= document.get("given", {})
        documents.append(document)
    facts = [
        fact
        for document in documents
        for written in document.get("facts", [])
        for fact in _facts(written, document, given)
    ]
    for one, other in itertools.pairwise(sorted(facts, key=lambda fact: fact.identifier)):
        if one.identifier == other.identifier:
            raise MisspeltFact(f"{one.steps[0].where}: {one.identifier} is the id of two facts")
    return facts


def _facts(written: Located, document: Located, given: Mapping[str, Located]) -> Iterator[Fact]:
    _only(
        written, "id states source needs correction given steps for_each", "id states needs steps"
    )
    source = written.get("source") or document.get("source") or ""
    if not re.match(r"https://|recorded: ", source):
        raise MisspeltFact(f"{written.where}: no page and no recorded test is its source")
    cases = written.get("for_each") or [Located()]
    for case in cases:
        name = written["id"] + (f"/{case['case']}" if case else "")
        before = [_known(given, named, written.where) for named in written.get("given", [])]
        fact = Fact(
            identifier=name,
            service=document["service"],
            states=written["states"],
            source=source,
            needs=tuple(written["needs"]),
            correction=written.get("correction"),
            variables=case,
            shared={
                setup["name"]: tuple(_steps(setup["steps"], case))
                for setup in before
                if setup.get("once")
            },
            given=tuple(
                step
                for setup in before
                if not setup.get("once")
                for step in _steps(setup["steps"], case)
            ),
            steps=tuple(_steps(written["steps"], case)),
        )
        _check(fact, written.where)
        yield fact


def _known(given: Mapping[str, Located], name: str, where: str) -> Located:
    if name not in given:
        raise MisspeltFact(f"{where}: nothing is given by the name {name}")
    setup = given[name]
    _only(setup, "steps once name", "steps")
    setup["name"] = name
    return setup


def _steps(written: Sequence[Located], case: Mapping[str, Any]) -> Iterator[Step]:
    for step in written:
        _only(
            step,
            "call with expect contains matches absent save error status message as eventually"
            " collect",
            "call",
        )
        service, _, operation = str(substitute(step["call"], case, partly=True)).partition(".")
        named = {key: step[key] for key in step if key not in ("call", "with", "as")}
        for key in named.keys() & {"error", "status", "message"}:
            named[key] = substitute(named[key], case, partly=True)
        yield Step(
            step.where, service, operation, step.get("with", {}), user=step.get("as"), **named
        )


def _only(written: Any, allowed: str, required: str) -> None:
    if not isinstance(written, Located):
        raise MisspeltFact(f"not a mapping: {written!r}")
    if unknown := written.keys() - set(allowed.split()):
        raise MisspeltFact(f"{written.where}: unknown: {', '.join(sorted(unknown))}")
    if missing := set(required.split()) - written.keys():
        raise MisspeltFact(f"{written.where}: missing: {', '.join(sorted(missing))}")


# -- against the models of the services


@cache
def model(service: str) -> Any:
    """botocore's model of a service, by the name of its client."""
    return botocore.session.Session().get_service_model(service)


def _check(fact: Fact, where: str) -> None:
    known = set(GIVEN_VARIABLES)
    steps = [step for steps in (*fact.shared.values(), fact.given, fact.steps) for step in steps]
    for step in steps:
        if step.service not in fact.needs:
            raise MisspeltFact(f"{step.where}: {step.service} is not among what {where} needs")
        used = substitute([step.parameters, *_expectations(step)], fact.variables, partly=True)
        if unknown := _variables(used) - known:
            raise MisspeltFact(f"{step.where}: unknown variable: {', '.join(sorted(unknown))}")
        known |= step.save.keys()
        _check_call(step, fact.variables)
        _check_paths(step)
    if not any(any(_expectations(step)) for step in fact.steps):
        raise MisspeltFact(f"{where}: nothing is expected of any answer")


def _expectations(step: Step) -> list[Any]:
    return [step.expect, step.contains, step.matches, step.absent, step.error, step.message]


def _check_call(step: Step, variables: Mapping[str, Any]) -> None:
    try:
        operations = model(step.service)
    except Exception as error:
        raise MisspeltFact(f"{step.where}: unknown service: {step.service}") from error
    if step.operation not in operations.operation_names:
        raise MisspeltFact(f"{step.where}: {step.service} has no operation {step.operation}")
    if step.operation.startswith(
        ("Create", "Subscribe", "Run", "Start", "PutRule", "PutMetricAlarm")
    ) and (step.operation not in {*removal.REMOVERS, *removal.GOES_WITH_ANOTHER}):
        raise MisspeltFact(f"{step.where}: nothing removes what {step.operation} makes")
    shape = operations.operation_model(step.operation).input_shape
    # A fact about a refusal may leave out what it is the refusal of.
    complete = step.error is None
    problem = _problem(shape, substitute(step.parameters, variables, partly=True), complete)
    if problem:
        raise MisspeltFact(f"{step.where}: {step.operation}{problem}")


def _problem(shape: Any, value: Any, complete: bool) -> str:
    """What of the value does not fit the shape, as the path to it; empty if all does."""
    if isinstance(value, str) and PLACEHOLDER.search(value):
        return ""
    if isinstance(value, Text):
        return "" if shape.type_name in ("string", "blob") else ": text is no value of this"
    if shape is None:
        return ": takes no parameters" if value else ""
    if shape.type_name == "structure":
        if not isinstance(value, Mapping):
            return ": not a structure"
        for name in value.keys() - shape.members.keys():
            return f": no parameter {name}"
        for name in set(shape.required_members) - value.keys() if complete else ():
            return f": parameter {name} is missing"
        inner = [(f".{name}", shape.members[name], part) for name, part in value.items()]
    elif shape.type_name == "list":
        if not isinstance(value, list):
            return ": not a list"
        inner = [(f"[{number}]", shape.member, part) for number, part in enumerate(value)]
    elif shape.type_name == "map":
        if not isinstance(value, Mapping):
            return ": not a map"
        inner = [(f".{name}", shape.value, part) for name, part in value.items()]
    else:
        fits = isinstance(value, _TYPES[shape.type_name])
        is_number = isinstance(value, bool) and shape.type_name != "boolean"
        return "" if fits and not is_number else f": {value!r} is no {shape.type_name}"
    found = ((name, _problem(member, part, complete)) for name, member, part in inner)
    return next((name + problem for name, problem in found if problem), "")


def _check_paths(step: Step) -> None:
    paths = [*step.expect, *step.contains, *step.matches, *step.absent, *step.save.values()]
    for path in paths:
        try:
            jmespath.compile(PLACEHOLDER.sub("x", path))
        except jmespath.exceptions.ParseError as error:
            raise MisspeltFact(f"{step.where}: not a path: {path}") from error


# -- variables


def _variables(value: Any) -> set[str]:
    if isinstance(value, Text):
        return _variables(value.content)
    if isinstance(value, str):
        return set(PLACEHOLDER.findall(value))
    if isinstance(value, Mapping):
        return _variables([*value.keys(), *value.values()])
    return set().union(*map(_variables, value)) if isinstance(value, Sequence) else set()


def substitute(value: Any, variables: Mapping[str, Any], *, partly: bool = False) -> Any:
    """The value with its variables; alone, one keeps its type. Raises KeyError unless `partly`."""
    if isinstance(value, Text):
        return replace(value, content=substitute(value.content, variables, partly=partly))
    if isinstance(value, Mapping):
        return {
            substitute(key, variables, partly=partly): substitute(part, variables, partly=partly)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [substitute(part, variables, partly=partly) for part in value]
    if not isinstance(value, str):
        return value
    alone = PLACEHOLDER.fullmatch(value)
    if alone and (alone[1] in variables or not partly):
        return substitute(variables[alone[1]], variables, partly=partly)
    return PLACEHOLDER.sub(
        lambda found: (
            str(substitute(variables[found[1]], variables, partly=partly))
            if found[1] in variables or not partly
            else found[0]
        ),
        value,
    )
