"""Whose object a key names: the one place that knows what tenants are called and where they write.

A tenant's objects are NAME/raw/… (what it uploads), NAME/silver/… (what is made of it) and
NAME/rejected/… (what could not be made of it).
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

# Fits into the name of a queue with its prefix and suffix, into a message group and into a tag.
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]")

# S3 takes no longer key; whoever announces one is not S3. Looking into one costs time that grows
# with the square of its length.
MAX_KEY_BYTES = 1024

RAW = "raw"
SILVER = "silver"
REJECTED = "rejected"


class InvalidKey(ValueError):
    """The key names nobody's object. Says what is wrong with it."""


@dataclass(frozen=True)
class TenantKey:
    """``area`` is RAW, SILVER or REJECTED; ``path`` is what follows it."""

    tenant: str
    area: str
    path: str

    @classmethod
    def parse(cls, key: str) -> "TenantKey":
        """Read a decoded key. Raises InvalidKey.

        Of what the pipeline wrote itself only the beginning is read: nothing is done with it.
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
    """3 to 40 lower-case letters, digits and hyphens, with a letter or a digit at both ends."""
    return TENANT_NAME.fullmatch(text) is not None


def _check_path(path: str) -> None:
    segments = path.split("/")
    if "" in segments:
        raise InvalidKey("the key has an empty part")
    if "." in segments or ".." in segments:
        raise InvalidKey("the key has a part that means a folder: . or ..")
    if "\\" in path:
        raise InvalidKey("the key has a backslash, which some systems take for a slash")
    if _hides_something(path):
        raise InvalidKey("the key is encoded twice: it hides a dot, a slash or a backslash")
    if any(unicodedata.category(character) == "Cc" for character in path):
        raise InvalidKey("the key has a control character")


def _hides_something(path: str) -> bool:
    """Tell whether a part of a path appears only to whoever decodes it once more, or more often."""
    decoded = path
    while (again := unquote(decoded)) != decoded:
        decoded = again
    return any(decoded.count(character) > path.count(character) for character in "./\\")
