"""Names of tenants, and keys of their objects.

A tenant's objects are NAME/raw/… (uploads), NAME/silver/… (converted files) and NAME/rejected/…
(rejected rows, and records of rejections).
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

# Fits into the name of a queue with its prefix and suffix, into a message group and into a tag.
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]")

# S3's limit. The time to check a longer key would grow with the square of its length.
MAX_KEY_BYTES = 1024

RAW = "raw"
SILVER = "silver"
REJECTED = "rejected"
# Objects in REJECTED carry this tag, by which they expire: a lifecycle rule has no pattern for the
# tenants' names in front, and a bucket has at most 1,000 rules.
REJECTED_TAG = ("event-pipelines-area", REJECTED)
# A digest of the version of the file.
REJECTED_ROWS_ENDING = re.compile(r"[0-9a-f]{16}\.jsonl")


class InvalidKey(ValueError):
    """The key belongs to no tenant. The message says what is wrong with it."""


@dataclass(frozen=True)
class TenantKey:
    """The parts of a key: ``area`` is RAW, SILVER or REJECTED, ``path`` is the rest."""

    tenant: str
    area: str
    path: str

    @classmethod
    def parse(cls, key: str) -> "TenantKey":
        """Read a decoded key. Raises InvalidKey.

        The path of an object that the pipeline wrote is not checked: such objects are ignored.
        """
        if len(key) > MAX_KEY_BYTES or len(key.encode(errors="surrogatepass")) > MAX_KEY_BYTES:
            raise InvalidKey(f"the key has more than {MAX_KEY_BYTES} bytes, which S3 does not take")
        tenant, _, rest = key.partition("/")
        area, slash, path = rest.partition("/")
        if not is_tenant_name(tenant):
            raise InvalidKey("the key does not begin with the name of a tenant")
        if area in (SILVER, REJECTED) and slash:
            return cls(tenant, area, path)
        if area != RAW:
            raise InvalidKey(f"the key is not below {tenant}/{RAW}/")
        _check_path(path)
        return cls(tenant, area, path)


def is_tenant_name(text: str) -> bool:
    """Whether ``text`` is 3 to 40 lower-case letters, digits and hyphens, no hyphen at an end."""
    return TENANT_NAME.fullmatch(text) is not None


def area_prefix(tenant: str, area: str) -> str:
    """Return the common beginning of a tenant's keys in RAW, SILVER or REJECTED, with its slash."""
    return f"{tenant}/{area}/"


def silver_key(tenant: str, path: str) -> str:
    """Return the silver key of ``path``, with the whole name: a.csv and a.json are two files."""
    return f"{area_prefix(tenant, SILVER)}{path}.jsonl"


def rejected_rows_prefix(tenant: str, path: str) -> str:
    """The beginning of keys of rejected rows; REJECTED_ROWS_ENDING follows."""
    return f"{area_prefix(tenant, REJECTED)}{path}-"


def _check_path(path: str) -> None:
    segments = path.split("/")
    if "" in segments:
        raise InvalidKey("the key has an empty part")
    if "." in segments or ".." in segments:
        raise InvalidKey("the key has a part . or ..")
    if "\\" in path:
        raise InvalidKey("the key has a backslash")
    if _hides_something(path):
        raise InvalidKey("the key has an encoded dot, slash or backslash")
    if any(unicodedata.category(character) == "Cc" for character in path):
        raise InvalidKey("the key has a control character")


def _hides_something(path: str) -> bool:
    """Return whether decoding the path once or repeatedly adds a dot, slash or backslash."""
    decoded = path
    while (again := unquote(decoded)) != decoded:
        decoded = again
    return any(decoded.count(character) > path.count(character) for character in "./\\")
