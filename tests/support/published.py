"""The URL of this repository and its version, both from cli/pyproject.toml."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_PROJECT = tomllib.loads((REPOSITORY / "cli/pyproject.toml").read_text())["project"]
URL: str = _PROJECT["urls"]["Repository"]
TAG = f"v{_PROJECT['version']}"
# The first part of a module's source.
SOURCE = f"git::{URL}.git//"
