"""axe-core, an accessibility checker for web pages, from npm in one pinned version."""

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from support.browser import Browser

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
INSTALL = "npm is not on PATH, which brings axe-core: on Debian, apt-get install npm"
_RUN = """
axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(
  found => found.violations.map(one => [one.id, one.help, one.nodes.map(node => node.html)]))
"""


def axe(folder: Path) -> str:
    """Returns the script, downloaded into ``folder``; fails if the SHA-512 is another."""
    assert shutil.which("npm"), INSTALL
    pack = ["npm", "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", str(folder)]
    subprocess.run(pack, check=True, capture_output=True, cwd=folder)
    packed = (folder / f"axe-core-{VERSION}.tgz").read_bytes()
    assert base64.b64encode(hashlib.sha512(packed).digest()).decode() == SHA512
    with tarfile.open(fileobj=io.BytesIO(packed)) as opened:
        file = opened.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()


def violations(browser: Browser, script: str) -> list[Any]:
    """Returns the violations on the open page: rule, help and elements of each."""
    browser.evaluate(f"{script}; 0")
    found: list[Any] = browser.evaluate(_RUN)
    return found
