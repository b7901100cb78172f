"""Finds the files of a package that the code of a function imports, without running the code.

Import statements are followed wherever they stand, in functions too, except those under
`if TYPE_CHECKING:`, which only a type checker executes. Standard library only.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import decode_source
from platform import python_version
from symtable import symtable

from lambda_target import BuildError

# They import modules whose names are known only at run time.
_DYNAMIC_MODULES = {"builtins", "imp", "importlib", "pkgutil", "runpy", "zipimport"}
_DYNAMIC_NAMES = {"__builtins__", "__import__", "eval", "exec"}
_TYPE_CHECKING = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
_STATIC = {"importlib.metadata", "importlib.resources"}


class ImportNotFollowed(BuildError):
    """An import whose file the code does not determine; the message names file and line."""


@dataclass(frozen=True)
class Import:
    """An import. `module` is dotted and absolute; `names` are those of a `from` statement."""

    place: str
    module: str
    names: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def refused(self, reason: str) -> ImportNotFollowed:
        return ImportNotFollowed(f"{self.place} imports {self.module}, {reason}.")


@dataclass
class Imported:
    """Result of a trace: names of files, and the first import of every external module."""

    files: set[str]
    external: dict[str, Import] = field(default_factory=dict)


def trace(files: Mapping[str, bytes], function: str, shared: str) -> Imported:
    """Follows the imports of the folder `function` through itself and the folder `shared`.

    `files` are the contents of both folders by name. The result has all files of the function, and
    files of `shared` that are not Python if a module of the same folder is imported. Raises
    ImportNotFollowed, also for a module that neither folder holds.
    """
    waiting = [name for name in files if name.startswith(f"{function}/")]
    found = Imported(set(waiting))
    for name in waiting:  # the list grows in this loop
        for statement in imports(name, files[name]) if name.endswith(".py") else ():
            if statement.top not in (name.partition("/")[0], shared):
                found.external.setdefault(statement.top, statement)
                continue
            for needed in _needed(statement, files):
                if needed not in found.files:
                    found.files.add(needed)
                    waiting.append(needed)
    folders = {_folder(name) for name in found.files if name.endswith(".py")}
    found.files |= {n for n in files if not n.endswith(".py") and _folder(n) in folders}
    return found


@cache
def imports(name: str, source: bytes) -> tuple[Import, ...]:
    """Returns all imports of one file. Raises ImportNotFollowed for imports by other means."""
    try:
        tree = ast.parse(source, name)
    except (SyntaxError, ValueError) as error:
        raise ImportNotFollowed(
            f"functions/{name} does not compile for Python {python_version()}: {error}."
        ) from error
    statements = tuple(found for node in _run(tree) for found in _imports(node, name))
    for found in statements:
        # `import importlib.metadata` binds importlib and so all of it; `from` does not.
        if found.top in _DYNAMIC_MODULES and not (found.names and found.module in _STATIC):
            raise _dynamic(found.place, f"imports {found.module}")
    return statements


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes of a tree, except those that only a type checker executes."""
    yield node
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) in _TYPE_CHECKING:
        children = node.orelse
    for child in children:
        yield from _run(child)


def _imports(node: ast.AST, name: str) -> Iterator[Import]:
    place = f"functions/{name}, line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Name) and node.id in _DYNAMIC_NAMES:
        raise _dynamic(place, f"uses {node.id}")
    if isinstance(node, ast.Import):
        yield from (Import(place, alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        yield Import(place, _absolute(node, name, place), names)


def _dynamic(place: str, what: str) -> ImportNotFollowed:
    return ImportNotFollowed(
        f"{place} {what}, which may import what the build cannot find: use import statements."
    )


def _absolute(node: ast.ImportFrom, name: str, place: str) -> str:
    folders = name.split("/")[:-1]
    if node.level > len(folders):
        raise Import(place, "." * node.level + (node.module or "")).refused(
            "which is outside of its package: import by the full name"
        )
    base = folders[: len(folders) - node.level + 1] if node.level else []
    return ".".join([*base, *([node.module] if node.module else [])])


def _needed(statement: Import, files: Mapping[str, bytes]) -> Iterator[str]:
    """Yields the files that a statement executes, including those of parent packages."""
    modules = statement.module.split(".")
    for depth in range(1, len(modules)):
        initial = "/".join([*modules[:depth], "__init__.py"])
        yield from {initial} & files.keys()
    path = "/".join(modules)
    if f"{path}.py" in files and f"{path}/__init__.py" not in files:
        yield f"{path}.py"
        return
    if not any(name.startswith(f"{path}/") for name in files):
        raise statement.refused(f"but there is no functions/{path}.py: correct the name")
    initial = f"{path}/__init__.py"
    yield from {initial} & files.keys()
    source = files.get(initial, b"")
    imports(initial, source)  # raises if the source does not compile
    bound = set(symtable(decode_source(source), initial, "exec").get_identifiers())
    for name in statement.names:
        if name == "*":
            raise statement.refused("a package, with *: name its modules")
        deeper = Import(statement.place, f"{statement.module}.{name}")
        if f"{path}/{name}.py" in files or name not in bound:
            yield from _needed(deeper, files)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
