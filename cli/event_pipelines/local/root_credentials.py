"""The root credentials of one engine: new at every start, in a file that only the user can read."""

import configparser
import secrets
from dataclasses import dataclass
from pathlib import Path

from event_pipelines.local.certificates import write_private

NAME = "credentials"


@dataclass(frozen=True)
class RootCredentials:
    """Root's access key pair. Any account's number is also valid in place of `access_key`."""

    access_key: str
    secret_key: str

    @classmethod
    def create(cls, path: Path) -> None:
        """Writes new credentials in the format of AWS_SHARED_CREDENTIALS_FILE."""
        content = (
            "[default]\n"
            f"aws_access_key_id = AKIA{secrets.token_hex(8).upper()}\n"
            f"aws_secret_access_key = {secrets.token_hex(20)}\n"
        )
        write_private(path, content.encode())

    @classmethod
    def read(cls, path: Path) -> "RootCredentials":
        """Reads credentials. Raises OSError without the file: the engine was stopped."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text())
        found = parser["default"]
        return cls(found["aws_access_key_id"], found["aws_secret_access_key"])
