"""A repository small enough to package in a moment."""

from dataclasses import replace
from pathlib import Path

import deflate
import pytest

from unit.tools.workspace import STAND_IN_FOR_PIP, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(
        tmp_path,
        tmp_path / "functions",
        tmp_path / "wheelhouse",
        tmp_path / "output",
        tmp_path / "compressor",
        tmp_path / "stand-in",
    )
    for folder in (workspace.wheelhouse, workspace.compressor, tmp_path / "stand-in"):
        folder.mkdir()
    (tmp_path / "stand-in" / "pip.py").write_text(STAND_IN_FOR_PIP)
    installed = Path(deflate.__file__).parents[1]
    for folder in (installed / "deflate", *installed.glob("deflate-*.dist-info")):
        (workspace.compressor / folder.name).symlink_to(folder)
    files = {
        "shared/__init__.py": "",
        "shared/events.py": "def key(event):\n    return event['key']\n",
        "alpha/__init__.py": "",
        "alpha/handler.py": (
            "import tinydep\nfrom shared.events import key\n\n\n"
            "def handler(event, context):\n    return tinydep.NAME + key(event)\n"
        ),
        "beta/handler.py": "def handler(event, context):\n    return event\n",
    }
    for name, content in files.items():
        path = workspace.functions / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    digest = workspace.wheel(
        "tinydep-1.0-py3-none-any.whl", {"tinydep/__init__.py": b"NAME = 'tiny '\n"}
    )
    workspace.lock("alpha", f"tinydep==1.0 {digest}")
    return workspace


@pytest.fixture
def fetching(workspace: Workspace) -> Workspace:
    """The same with pip itself, for tests of what is fetched."""
    return replace(workspace, stand_in=None)
