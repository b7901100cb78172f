"""What a second build does again, and what it does not."""

from pathlib import Path
from zipfile import ZipFile

from unit.tools.workspace import Workspace

RUNTIME = "python3.99"


def build(workspace: Workspace, *arguments: str, **changes: str) -> dict[str, str]:
    """Builds for Lambda; returns what was said of each function: "built" or "unchanged"."""
    lines = workspace.build("--runtime", RUNTIME, *arguments, **changes).splitlines()
    said = [line.partition(": ") for line in lines[2:]]
    return {name: state.partition(",")[0] for name, _, state in said}


def test_a_second_build_changes_nothing(workspace: Workspace) -> None:
    assert build(workspace) == {"alpha": "built", "beta": "built"}
    before = times(workspace.output)

    assert build(workspace) == {"alpha": "unchanged", "beta": "unchanged"}

    assert times(workspace.output) == before


def test_only_the_function_whose_source_changed_is_built_again(workspace: Workspace) -> None:
    build(workspace)
    (workspace.functions / "beta" / "handler.py").write_text("def handler(event, context): ...\n")

    assert build(workspace) == {"alpha": "unchanged", "beta": "built"}


def test_a_change_of_shared_code_builds_the_functions_again_that_import_it(
    workspace: Workspace,
) -> None:
    build(workspace)
    (workspace.functions / "shared" / "events.py").write_text("key = None\n")

    assert build(workspace) == {"alpha": "built", "beta": "unchanged"}


def test_a_change_of_a_lock_builds_its_function_again(workspace: Workspace) -> None:
    build(workspace)
    digest = workspace.wheel("tinydep-1.1-py3-none-any.whl", {"tinydep.py": b"NAME = 'small '\n"})
    workspace.lock("alpha", f"tinydep==1.1 {digest}")

    assert build(workspace) == {"alpha": "built", "beta": "unchanged"}

    assert "tinydep-1.1.dist-info/METADATA" in workspace.names("alpha")


def test_another_target_builds_again_and_leaves_the_manifest_to_what_fits_it(
    workspace: Workspace,
) -> None:
    build(workspace)

    assert build(workspace, "--architecture", "x86_64", "alpha") == {"alpha": "built"}

    manifest = workspace.manifest()
    assert manifest["architecture"] == "x86_64"
    assert list(manifest["functions"]) == ["alpha"]


def test_building_one_function_keeps_the_others_in_the_manifest(workspace: Workspace) -> None:
    build(workspace)

    assert build(workspace, "beta") == {"beta": "unchanged"}

    assert list(workspace.manifest()["functions"]) == ["alpha", "beta"]


def test_a_function_that_is_gone_leaves_the_manifest(workspace: Workspace) -> None:
    build(workspace)
    (workspace.functions / "beta" / "handler.py").unlink()

    build(workspace)

    assert list(workspace.manifest()["functions"]) == ["alpha"]


def test_a_damaged_package_is_built_again(workspace: Workspace) -> None:
    build(workspace)
    package = workspace.output / "beta.zip"
    whole = package.read_bytes()
    package.write_bytes(whole[:-1])

    assert build(workspace) == {"alpha": "unchanged", "beta": "built"}

    assert package.read_bytes() == whole


def test_wheels_are_kept_so_that_the_next_build_needs_no_network(fetching: Workspace) -> None:
    build(fetching)
    (fetching.functions / "alpha" / "handler.py").write_text("import tinydep\n")

    assert build(fetching, PIP_FIND_LINKS="")["alpha"] == "built"


def test_a_kept_wheel_that_was_changed_is_fetched_again(workspace: Workspace) -> None:
    build(workspace, "alpha")
    (kept,) = workspace.output.glob(".cache/wheels/*/tinydep-1.0-py3-none-any.whl")
    with ZipFile(kept, "a") as archive:
        archive.writestr("tinydep/backdoor.py", "")
    (workspace.functions / "alpha" / "handler.py").write_text("import tinydep\n")

    assert build(workspace, "alpha") == {"alpha": "built"}

    assert "tinydep/backdoor.py" not in workspace.names("alpha")


def test_builds_at_the_same_time_wait_for_each_other(fetching: Workspace) -> None:
    processes = [fetching.start("--runtime", RUNTIME) for _ in range(3)]

    results = [(*process.communicate(), process.returncode) for process in processes]

    assert [(errors, code) for _, errors, code in results] == [("", 0)] * 3
    said = "".join(output for output, _, _ in results)
    assert (said.count(": built"), said.count(": unchanged")) == (2, 4)
    assert list(fetching.manifest()["functions"]) == ["alpha", "beta"]


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
