"""The folders in which the local run keeps its files."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Home:
    """Folders of one local run; all files it writes are below `path`.

    `tools` is the home whose environments are used: tests run in their own home without installing
    anything again.
    """

    path: Path = REPOSITORY / ".local"
    tools: Path = REPOSITORY / ".local"

    @property
    def lambda_python(self) -> Path:
        """The interpreter for functions: the standard library and boto3, as on AWS."""
        return self.tools / "lambda-runtime" / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of function packages built for this machine."""
        return self.tools / "build"

    @property
    def terraform(self) -> Path:
        """The folder of Terraform's data, state and variables."""
        return self.path / "terraform"

    @property
    def report(self) -> Path:
        return self.path / "report.html"
