"""Metadata of objects that are made of others: the version of the source.

Every write is conditional on what was found, so that repeated and late events change nothing; there
is no table, and nothing expires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from .events import is_credible, is_older

SOURCE_ETAG = "source-etag"
SOURCE_VERSION = "source-version-id"
SOURCE_SEQUENCER = "source-sequencer"


class SourceVersion(Protocol):
    """What an event, or a message about it, says of the version that it announces."""

    @property
    def etag(self) -> str | None: ...
    @property
    def version_id(self) -> str | None: ...
    @property
    def sequencer(self) -> str | None: ...


@dataclass(frozen=True)
class DerivedObject:
    """One that exists, and the source version its metadata names."""

    etag: str
    metadata: Mapping[str, str]

    def is_of(self, source: SourceVersion) -> bool:
        """Tell whether it was made from the very version that was announced."""
        announced = source_metadata(source)
        if SOURCE_ETAG not in announced and SOURCE_VERSION not in announced:
            # It may be another version: making it again does no harm.
            return SOURCE_SEQUENCER in announced and announced.items() <= self.metadata.items()
        if self.metadata.get(SOURCE_ETAG) != announced.get(SOURCE_ETAG):
            return False
        versions = (self.metadata.get(SOURCE_VERSION), announced.get(SOURCE_VERSION))
        if "null" not in versions and all(versions):
            return versions[0] == versions[1]
        # Without versions the same content may have come back after another. The newer event
        # then has to leave its mark, or a late one in between would overwrite it.
        return not is_older(self.metadata.get(SOURCE_SEQUENCER), source.sequencer)

    def is_newer_than(self, source: SourceVersion) -> bool:
        """Tell so by S3's order. A forged event from the future makes nothing newer."""
        stored = self.metadata.get(SOURCE_SEQUENCER)
        return is_credible(stored) and is_older(source.sequencer, stored)


def source_metadata(source: SourceVersion) -> dict[str, str]:
    """The part of the metadata that names the source; what is not known is left out."""
    values = {
        SOURCE_ETAG: source.etag,
        SOURCE_VERSION: source.version_id,
        SOURCE_SEQUENCER: source.sequencer,
    }
    # Metadata travels in HTTP headers, which are ASCII.
    return {name: quote(value, safe="") for name, value in values.items() if value}
