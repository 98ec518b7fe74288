"""Python packages for tests, pinned by hash, fetched once into the user's cache folder.

`packages.py REQUIREMENTS` prints the folder, for a PYTHONPATH.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import fetch


def use(requirements):
    """Lets the packages of a requirements file be imported."""
    sys.path.insert(0, str(folder_of(requirements)))


def folder_of(requirements):
    """The folder with the packages of a requirements file: every line with hashes, dependencies written out."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    name = requirements.parent.name
    folder = fetch.cache() / f"{name}-{sys.implementation.cache_tag}-{digest}"
    fetch.cache().mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        python = fetch.python_with_pip()
        with fetch.locked(fetch.cache() / f"{name}.lock"):
            if not folder.exists():
                install(python, requirements, folder)
    return folder


def install(python, requirements, folder):
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--require-hashes", "--requirement", requirements, "--target", f"{work}/packages"],
            stdout=2, check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
        os.rename(f"{work}/packages", folder)


if __name__ == "__main__":
    print(folder_of(Path(sys.argv[1])))
