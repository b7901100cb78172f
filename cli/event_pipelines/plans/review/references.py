"""Resolves references in a plan's configuration to resource instances.

An ARN that AWS has yet to assign is unknown in the plan, but the configuration says whose ARN it
will be: directly, through outputs and inputs of modules, or through for_each. Locals cannot be
followed, because plans do not hold their expressions; for a module's output made from one, the
output's other references are used.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from event_pipelines.plans.review.plan import Change

Key = str | int | None
Wanted = Callable[[Change], bool]

STEP = re.compile(r'([\w-]+)(?:\[(?:(\d+)|"((?:[^"\\]|\\.)*)")\])?')
MODULE_STEP = re.compile(rf"module\.{STEP.pattern}")
NO_RESOURCES = ("local", "data", "path", "terraform", "self", "count")


@dataclass(frozen=True)
class Scope:
    """A module instance: its call names with their keys, outermost first. An unknown key is None,
    as is that of a module without instances."""

    steps: tuple[tuple[str, Key], ...] = ()

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.steps)

    @property
    def parent(self) -> "Scope":
        return Scope(self.steps[:-1])

    @property
    def key(self) -> Key:
        return self.steps[-1][1]

    def may_be(self, other: "Scope") -> bool:
        return self.path == other.path and all(
            mine == theirs or mine is None
            for (_, mine), (_, theirs) in zip(self.steps, other.steps, strict=True)
        )


def scope_of(module_address: str) -> Scope:
    """Parses a module address such as `module.a[0].module.b["x.y"]`."""
    return Scope(tuple(map(_step, MODULE_STEP.finditer(module_address))))


def _step(match: re.Match[str]) -> tuple[str, Key]:
    name, number, text = match.groups()
    if number is not None:
        return name, int(number)
    return name, None if text is None else re.sub(r"\\(.)", r"\1", text)


def without_indexes(address: str) -> str:
    """Returns module.a["x"].aws_sqs_queue.q[0] as module.a.aws_sqs_queue.q."""
    return re.sub(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]', "", address)


def provider_keys(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Returns the provider configuration of each resource, by its address without indexes."""
    found = {}
    modules = [("", configuration.get("root_module") or {})]
    while modules:
        prefix, module = modules.pop()
        for resource in module.get("resources") or []:
            address = f"{prefix}{resource.get('address')}"
            found[address] = str(resource.get("provider_config_key", ""))
        for name, call in (module.get("module_calls") or {}).items():
            modules.append((f"{prefix}module.{name}.", call.get("module") or {}))
    return found


class References:
    """The configuration of a plan and the resource instances in it."""

    def __init__(self, configuration: Mapping[str, Any], changes: Iterable[Change]) -> None:
        self.modules: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self.calls: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._resources: dict[Hashable, Mapping[str, Any]] = {}
        self._collect((), configuration.get("root_module") or {})
        self._instances: dict[Hashable, list[tuple[Scope, Change]]] = {}
        for change in changes:
            scope = scope_of(change.module)
            where = (scope.path, change.type, change.name)
            self._instances.setdefault(where, []).append((scope, change))

    def _collect(self, path: tuple[str, ...], module: Mapping[str, Any]) -> None:
        self.modules[path] = module
        for resource in module.get("resources") or []:
            if resource.get("mode") != "data":
                self._resources[(path, resource.get("type"), resource.get("name"))] = resource
        for name, call in (module.get("module_calls") or {}).items():
            self.calls[(*path, name)] = call
            self._collect((*path, name), call.get("module") or {})

    def resource(self, change: Change) -> Mapping[str, Any]:
        where = (scope_of(change.module).path, change.type, change.name)
        return self._resources.get(where) or {}

    def instances(self, scope: Scope, kind: str, name: str) -> list[Change]:
        found = self._instances.get((scope.path, kind, name), [])
        return [change for where, change in found if scope.may_be(where)]

    def resolve(self, change: Change, path: Sequence[str | int], wanted: Wanted) -> list[Change]:
        """Returns the instances that the attribute at `path` of `change` may name; one if certain.
        If a dynamic block hides the attribute: those that its module's arguments name."""
        walk = _Walk(self, wanted)
        scope, key = scope_of(change.module), change.index
        resource = self.resource(change)
        expression = _at(resource.get("expressions"), path)
        if expression is not None:
            loop = names_in(resource.get("for_each_expression"))
            found = walk.follow(scope, names_in(expression), loop, key)
        elif len(path) > 1 and scope.steps:
            call = self.calls.get(scope.path) or {}
            loop = names_in(call.get("for_each_expression"))
            key = scope.key
            found = walk.follow(scope.parent, names_in(call.get("expressions")), loop, key)
        else:
            return []
        return _akin(found, change)


class _Walk:
    """A search. Each place is visited once, which bounds the work by the configuration's size and
    ends cycles."""

    def __init__(self, references: References, wanted: Wanted) -> None:
        self._references = references
        self._wanted = wanted
        self._seen: set[Hashable] = set()

    def _first_visit(self, *place: Hashable) -> bool:
        new = place not in self._seen
        self._seen.add(place)
        return new

    def follow(
        self,
        scope: Scope,
        names: Sequence[str],
        loop: Sequence[str],
        key: Key,
        *,
        looping: bool = False,
    ) -> Iterator[Change]:
        """Follows `names`. `loop` are the references of the enclosing for_each, `key` its instance;
        `looping`: `names` are those references themselves."""
        repeated = looping or any(name.startswith(("each.", "count.")) for name in names)
        for name in _most_specific(names):
            (root, _), *rest = map(_step, STEP.finditer(name))
            if root == "each":
                if self._first_visit(scope, tuple(loop)):
                    yield from self.follow(scope, loop, (), key, looping=True)
            elif not rest or root in NO_RESOURCES:
                continue
            elif root == "var":
                yield from self._input(scope, rest[0][0])
            else:
                step, literal = rest[0]
                at = literal if literal is not None else key if repeated else None
                if root == "module":
                    child = Scope((*scope.steps, (step, at)))
                    yield from self._output(child, [name for name, _ in rest[1:2]])
                else:
                    yield from self._resource(scope, root, step, at)

    def _input(self, scope: Scope, variable: str) -> Iterator[Change]:
        if not scope.steps or not self._first_visit(scope, "var", variable):
            return
        call = self._references.calls.get(scope.path) or {}
        names = names_in((call.get("expressions") or {}).get(variable))
        loop = names_in(call.get("for_each_expression"))
        yield from self.follow(scope.parent, names, loop, scope.key)

    def _output(self, scope: Scope, named: Sequence[str]) -> Iterator[Change]:
        declared = (self._references.modules.get(scope.path) or {}).get("outputs") or {}
        for name in named or declared:
            if not self._first_visit(scope, "output", name):
                continue
            output = declared.get(name) or {}
            found = list(self.follow(scope, names_in(output.get("expression")), (), None))
            yield from found or self.follow(scope, output.get("depends_on") or [], (), None)

    def _resource(self, scope: Scope, kind: str, name: str, key: Key) -> Iterator[Change]:
        instances = self._references.instances(scope, kind, name)
        keyed = [change for change in instances if key is not None and change.index == key]
        for change in keyed or instances:
            if not self._first_visit(change.address):
                continue
            if self._wanted(change):
                yield change
            else:
                # The resource may refer to a wanted one in turn, as an alias or a policy does.
                resource = self._references.resource(change)
                loop = names_in(resource.get("for_each_expression"))
                names = names_in(resource.get("expressions"))
                yield from self.follow(scope_of(change.module), names, loop, change.index)


def _akin(found: Iterable[Change], change: Change) -> list[Change]:
    """Returns the instances that share most keys with `change`, as those of one for_each do."""
    unique = {other.address: other for other in found}
    shared = {address: len(_keys(other) & _keys(change)) for address, other in unique.items()}
    most = max(shared.values(), default=0)
    return [other for address, other in unique.items() if shared[address] == most]


def _keys(change: Change) -> set[Key]:
    return {change.index, *(key for _, key in scope_of(change.module).steps)} - {None}


def _at(expressions: Any, path: Sequence[str | int]) -> Any:
    """Returns the expression of an attribute; None if there is none, as in a dynamic block."""
    for step in path:
        if isinstance(expressions, dict) and isinstance(step, str):
            expressions = expressions.get(step)
        elif isinstance(expressions, list) and isinstance(step, int) and step < len(expressions):
            expressions = expressions[step]
        else:
            return None
    return expressions


def names_in(expression: Any) -> list[str]:
    """Returns the references in an expression, or in all expressions of a block."""
    match expression:
        case {"references": [*names]}:
            return [name for name in names if isinstance(name, str)]
        case dict():
            return [name for inner in expression.values() for name in names_in(inner)]
        case list():
            return [name for inner in expression for name in names_in(inner)]
        case _:
            return []


def _most_specific(names: Iterable[str]) -> list[str]:
    """Drops `a.b` where Terraform lists `a.b.arn` as well: only the latter names the attribute."""
    kept: dict[str, None] = {}
    covered: set[str] = set()
    for name in names:
        if name not in covered:
            kept[name] = None
            covered.update(name[: match.start()] for match in re.finditer(r"[.\[]", name))
            covered.add(name)
    return list(kept)
