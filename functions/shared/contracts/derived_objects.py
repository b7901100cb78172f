"""Metadata of derived objects: the version of the source.

Every write is conditional on the object that was found, so that repeated and late events change
nothing; no table is needed, and nothing expires.
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
    """Version of an object as announced by an event, or by a message about the event."""

    @property
    def etag(self) -> str | None: ...
    @property
    def version_id(self) -> str | None: ...
    @property
    def sequencer(self) -> str | None: ...


@dataclass(frozen=True)
class DerivedObject:
    """An existing derived object; its metadata names the source version."""

    etag: str
    metadata: Mapping[str, str]

    def is_of(self, source: SourceVersion) -> bool:
        """Return whether the object was made from exactly the version that was announced."""
        announced = source_metadata(source)
        if SOURCE_ETAG not in announced and SOURCE_VERSION not in announced:
            # The version is unknown; making the object again does no harm.
            return SOURCE_SEQUENCER in announced and announced.items() <= self.metadata.items()
        if self.metadata.get(SOURCE_ETAG) != announced.get(SOURCE_ETAG):
            return False
        versions = (self.metadata.get(SOURCE_VERSION), announced.get(SOURCE_VERSION))
        if "null" not in versions and all(versions):
            return versions[0] == versions[1]
        # Without versioning, the same content may return after other content. The newer event must
        # then update the metadata, or a late event from in between would overwrite the object.
        return not is_older(self.metadata.get(SOURCE_SEQUENCER), source.sequencer)

    def is_newer_than(self, source: SourceVersion) -> bool:
        """Return whether the object is of a later event; forged future sequencers do not count."""
        stored = self.metadata.get(SOURCE_SEQUENCER)
        return is_credible(stored) and is_older(source.sequencer, stored)


def source_metadata(source: SourceVersion) -> dict[str, str]:
    """Return the metadata that name the source version; unknown values are left out."""
    values = {
        SOURCE_ETAG: source.etag,
        SOURCE_VERSION: source.version_id,
        SOURCE_SEQUENCER: source.sequencer,
    }
    # Metadata travels in HTTP headers, which are ASCII.
    return {name: quote(value, safe="") for name, value in values.items() if value}
