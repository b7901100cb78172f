"""What of functions/shared a package holds: what its code imports, and nothing else."""

import importlib
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

import followed_imports
import package_functions
from followed_imports import ImportNotFollowed
from unit.tools.workspace import REPOSITORY, Workspace

FUNCTIONS = REPOSITORY / "functions"
NAMES = package_functions.function_names(FUNCTIONS)
SHARED = sorted(path.relative_to(FUNCTIONS).as_posix() for path in FUNCTIONS.glob("shared/**/*.py"))
FILES = {
    "shared/__init__.py": "from shared.limits import LIMIT\n",
    "shared/limits.py": "LIMIT = 1\n",
    "shared/events.py": "from .keys import KEY\n",
    "shared/keys.py": "KEY = 1\n",
    "shared/limits.json": "{}",
    "shared/sub/__init__.py": "",
    "shared/sub/a.py": "from .. import events\n",
    "shared/sub/b.py": "",
    "shared/sub/table.csv": "",
    "alpha/__init__.py": "",
    "alpha/own.py": "",
}
ALWAYS = {"alpha/__init__.py", "alpha/own.py", "alpha/handler.py"}
PACKAGE = {"shared/__init__.py", "shared/limits.py", "shared/limits.json"}
EVENTS = PACKAGE | {"shared/events.py", "shared/keys.py"}
SUB = PACKAGE | {"shared/sub/__init__.py", "shared/sub/table.csv"}


def traced(handler: str) -> followed_imports.Imported:
    files = {**FILES, "alpha/handler.py": handler}
    contents = {name: text.encode() for name, text in files.items()}
    return followed_imports.trace(contents, "alpha", "shared")


@pytest.mark.parametrize(
    ("handler", "shared"),
    [
        ("import json", set()),
        ("import shared", PACKAGE),
        ("import shared.events as e", EVENTS),
        ("from shared.events import KEY", EVENTS),
        ("from shared import events", EVENTS),
        ("from shared import LIMIT", PACKAGE),
        ("from shared import (LIMIT, keys as k)", PACKAGE | {"shared/keys.py"}),
        ("from shared.keys import *", PACKAGE | {"shared/keys.py"}),
        ("from shared.sub import b", SUB | {"shared/sub/b.py"}),
        ("import shared.sub.a", SUB | EVENTS | {"shared/sub/a.py"}),
        ("def f():\n    from shared import events", EVENTS),
        ("class A:\n    async def f(self):\n        import shared.events", EVENTS),
        ("try:\n    import shared.keys\nexcept ImportError: pass", PACKAGE | {"shared/keys.py"}),
        ("if A:\n    pass\nelse:\n    import shared.events", EVENTS),
        ("match a:\n    case 1:\n        import shared.events", EVENTS),
        ("if TYPE_CHECKING:\n    import shared.events\nelse:\n    import shared", PACKAGE),
        ("import typing\nif typing.TYPE_CHECKING:\n    import shared.events", set()),
        ("if not TYPE_CHECKING:\n    import shared.events", EVENTS),
        ("from importlib.metadata import version", set()),
        ("from importlib.resources import files", set()),
        ("from . import own\nfrom .own import x\nimport alpha.own", set()),
    ],
)
def test_imports_are_followed_wherever_they_stand(handler: str, shared: set[str]) -> None:
    assert traced(handler).files == ALWAYS | shared


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("import importlib", "imports importlib, which may import"),
        ("import importlib.metadata", "imports importlib.metadata, which may import"),
        ("from importlib import import_module", "imports importlib, which may import"),
        ("import runpy as r", "imports runpy, which may import"),
        ("import builtins", "imports builtins, which may import"),
        ("def f(n): return __import__(n)", "uses __import__, which may import"),
        ("load = exec", "uses exec, which may import"),
        ("from shared import nothing", "imports shared.nothing, but there is no"),
        ("from shared.nothing import x", "imports shared.nothing, but there is no"),
        ("import alpha.tests", "imports alpha.tests, but there is no"),
        ("from shared import *", "imports shared, a package, with *: name its modules"),
        ("from .. import shared", "imports .., which is outside of its package"),
    ],
)
def test_an_import_that_cannot_be_followed_is_named_with_file_and_line(
    statement: str, said: str
) -> None:
    with pytest.raises(ImportNotFollowed) as refused:
        traced(f"import json\n\n{statement}\n")

    assert str(refused.value).startswith(f"functions/alpha/handler.py, line 3 {said}")


def test_a_build_ends_with_the_sentence(workspace: Workspace) -> None:
    handler = workspace.functions / "beta" / "handler.py"
    handler.write_text("import importlib\n")
    assert workspace.refusal("--host", "beta") == (
        "functions/beta/handler.py, line 1 imports importlib, which may import "
        "what the build cannot find: use import statements."
    )

    for name, remedy in (
        ("tinydep", "add it to beta/requirements.in and run tools/lock.sh"),
        ("alpha.handler", "move what others need of the function alpha to functions/shared"),
    ):
        handler.write_text(f"def f():\n    import {name}\n")
        assert workspace.refusal("--host", "beta") == (
            f"functions/beta/handler.py, line 2 imports {name}, which neither the Lambda runtime "
            f"nor a locked wheel provides: {remedy}."
        )

    handler.write_text("from shared import events\n")
    (workspace.functions / "shared" / "__init__.py").write_text("def\n")
    assert workspace.refusal("--host", "beta").startswith(
        "functions/shared/__init__.py does not compile for"
    )


def hashes(functions: Path) -> dict[str, str]:
    return {
        name: package_functions.content_hash(package_functions.source_members(functions, name)[0])
        for name in NAMES
    }


def changed_by_an_edit_of(file: str, folder: Path) -> set[str]:
    copy = folder / "functions"
    shutil.copytree(FUNCTIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = hashes(copy)
    with (copy / file).open("a") as source:
        source.write("# an edit\n")
    return {name for name, digest in hashes(copy).items() if digest != before[name]}


def test_an_edit_of_the_import_ledger_changes_the_functions_that_import_it(tmp_path: Path) -> None:
    changed = changed_by_an_edit_of("shared/import_ledger.py", tmp_path)

    assert changed == {"split_csv", "load_csv_rows"}


def test_every_shared_module_is_in_a_package() -> None:
    held = {file for name in NAMES for file in package_functions.source_members(FUNCTIONS, name)[0]}

    assert [file for file in SHARED if file not in held] == []


# Also the modules that no start imports: a function may import them later.
IMPORT_ALL = """
import importlib, sys
folder, site_packages, *modules = sys.argv[1:]
sys.path[:0] = [folder, site_packages]
for module in modules:
    found = importlib.import_module(module)
    assert found.__file__.startswith(folder), found.__file__
assert callable(importlib.import_module(modules[0]).handler)
"""


@pytest.mark.parametrize("function", NAMES)
def test_every_module_of_a_package_imports_from_the_package_alone(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    cold_start = importlib.import_module("cold_start")
    start = cold_start.case(
        function, function, tmp_path, cold_start.FUNCTIONS[function].environment
    )
    with ZipFile(cold_start.BUILD / f"{function}.zip") as package:
        package.extractall(tmp_path)
    files = package_functions.source_members(FUNCTIONS, function)[0]
    modules = [
        name.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for name in files
    ]
    handler = f"{function}.handler"

    python, *_, runtime = start.command
    finished = subprocess.run(
        [python, "-I", "-S", "-B", "-c", IMPORT_ALL, tmp_path, runtime, handler, *modules],
        env=start.environment,
        capture_output=True,
        text=True,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    shared = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("shared/**/*.py")}
    assert shared == {name for name in files if name.startswith("shared/")}
