"""What `build.sh --with` adds to a package."""

import pytest

from unit.tools.workspace import Workspace

RUNTIME_OF_NO_MACHINE = "python3.99"
OPTIONAL_IMPORT = b"try:\n    import extra_dep\nexcept ModuleNotFoundError:\n    pass\n"


@pytest.fixture
def with_extra(workspace: Workspace) -> Workspace:
    digest = workspace.wheel("extra_dep-2.0-py3-none-any.whl", {"extra_dep.py": b"x = 1\n"})
    workspace.lock("alpha", f"extra-dep==2.0 {digest}", extra="heic")
    handler = workspace.functions / "alpha" / "handler.py"
    handler.write_bytes(OPTIONAL_IMPORT + handler.read_bytes())
    return workspace


def build(workspace: Workspace, *arguments: str) -> tuple[str, list[str]]:
    said = workspace.build("--runtime", RUNTIME_OF_NO_MACHINE, *arguments)
    return said, workspace.manifest()["functions"]["alpha"]["extras"]


def test_an_extra_is_packaged_by_choice(with_extra: Workspace) -> None:
    _, extras = build(with_extra)
    without, plain = with_extra.names("alpha"), with_extra.manifest()["functions"]
    assert extras == []
    assert not [name for name in without if "extra" in name or "requirements" in name]

    said, extras = build(with_extra, "--with", "heic")

    assert extras == ["heic"]
    assert set(with_extra.names("alpha")) - set(without) >= {"extra_dep.py"}
    chosen = with_extra.manifest()["functions"]
    assert chosen["alpha"]["content_hash"] != plain["alpha"]["content_hash"]
    # Those that have no such lock stay as they are.
    assert "beta: unchanged" in said
    assert chosen["beta"] == plain["beta"]


def test_a_build_without_it_takes_an_extra_out_again(with_extra: Workspace) -> None:
    build(with_extra)
    before = with_extra.manifest()
    build(with_extra, "--with", "heic")

    said, _ = build(with_extra)

    assert "alpha: built" in said
    assert with_extra.manifest() == before


def test_an_extra_that_nothing_has_is_refused(with_extra: Workspace) -> None:
    assert with_extra.refusal("--with", "jxl") == (
        "--with: no function to build has the extra jxl: use heic."
    )
    assert with_extra.refusal("beta", "--with", "heic") == (
        "--with: no function to build has the extra heic: leave it out."
    )


def test_an_extra_that_is_not_locked_is_refused(with_extra: Workspace) -> None:
    (with_extra.functions / "alpha" / "requirements-heic.txt").unlink()

    assert "run tools/lock.sh to lock requirements-heic.in" in with_extra.refusal("--with", "heic")
