"""A certificate authority and server certificate for the local engine, valid on loopback only."""

import os
from dataclasses import dataclass
from pathlib import Path

import trustme

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: the clients' CA bundle, and the server's certificate chain and key."""

    ca_bundle: Path
    server_chain: Path
    server_key: Path


def create(directory: Path) -> Certificates:
    """Write new certificates into `directory` and return where they are.

    The authority's private key is never written: once this returns, nothing else can be issued
    in its name, so trusting `ca_bundle` trusts this one server.
    """
    certificates = Certificates(
        ca_bundle=directory / "ca.pem",
        server_chain=directory / "server.pem",
        server_key=directory / "server.key",
    )
    authority = trustme.CA(organization_name="event-pipelines local engine")
    server = authority.issue_cert(*LOOPBACK_NAMES)
    write_private(certificates.ca_bundle, authority.cert_pem.bytes())
    write_private(
        certificates.server_chain, b"".join(blob.bytes() for blob in server.cert_chain_pems)
    )
    write_private(certificates.server_key, server.private_key_pem.bytes())
    return certificates


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only the user can read (mode 0600)."""
    # Deleted first, because open() applies the mode only to a file that it creates.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
