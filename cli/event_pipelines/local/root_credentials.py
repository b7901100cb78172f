"""The root credentials of one engine: new at every start, in a file that is the user's alone."""

import configparser
import secrets
from dataclasses import dataclass
from pathlib import Path

from event_pipelines.local.certificates import write_private

NAME = "credentials"


@dataclass(frozen=True)
class RootCredentials:
    """`secret_key` is also good with the number of any account in place of `access_key`."""

    access_key: str
    secret_key: str

    @classmethod
    def create(cls, path: Path) -> None:
        """Writes new ones, as SDKs and Terraform read them from AWS_SHARED_CREDENTIALS_FILE."""
        content = (
            "[default]\n"
            f"aws_access_key_id = AKIA{secrets.token_hex(8).upper()}\n"
            f"aws_secret_access_key = {secrets.token_hex(20)}\n"
        )
        write_private(path, content.encode())

    @classmethod
    def read(cls, path: Path) -> "RootCredentials":
        """Raises OSError if there is no such file: its engine was stopped."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text())
        found = parser["default"]
        return cls(found["aws_access_key_id"], found["aws_secret_access_key"])
