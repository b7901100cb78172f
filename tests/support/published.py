"""Where this repository is published, and as which version: cli/pyproject.toml says it, once."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_PROJECT = tomllib.loads((REPOSITORY / "cli/pyproject.toml").read_text())["project"]
URL: str = _PROJECT["urls"]["Repository"]
TAG = f"v{_PROJECT['version']}"
# What a module's source begins with.
SOURCE = f"git::{URL}.git//"
