"""Where the local run keeps its files."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Home:
    """Folders of one local run; everything it writes lies below `path`.

    `tools` is the home whose environments are used: a test runs in a home of its own but does not
    install anything again.
    """

    path: Path = REPOSITORY / ".local"
    tools: Path = REPOSITORY / ".local"

    @property
    def lambda_python(self) -> Path:
        """Interpreter that functions run in: the standard library and boto3, as on AWS."""
        return self.tools / "lambda-runtime" / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Function packages built for this machine."""
        return self.tools / "build"

    @property
    def terraform(self) -> Path:
        """Terraform's data directory, state and variables."""
        return self.path / "terraform"

    @property
    def report(self) -> Path:
        return self.path / "report.html"
