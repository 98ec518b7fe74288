#!/usr/bin/env python3
"""Write the packaged Helm plugins: dist/keyring-VERSION.tgz and dist/keyring-post-renderer-VERSION.tgz.

The same input gives the same bytes. `keyring` has its files at the top, as Helm 3 wants them over http;
`keyring-post-renderer`, which is for Helm 4 alone, has them in a folder of its name, as Helm 4 wants them from a file.
"""

import argparse
import gzip
import io
import re
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POST_RENDERER = "keyring-post-renderer"
NO_HOOKS = re.compile(r"^hooks:\n(?:  .*\n)*", re.M)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path, help="the built helm-keyring")
    parser.add_argument("--into", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    program = options.program.read_bytes()
    # A package brings its program along, so there is nothing to install.
    cli = NO_HOOKS.sub("", (ROOT / "plugin.yaml").read_text())
    renderer = (ROOT / "helm4" / POST_RENDERER / "plugin.yaml").read_text().replace("/../../bin/", "/bin/")
    version = re.search(r"^version: (\S+)$", cli, re.M)[1]
    options.into.mkdir(parents=True, exist_ok=True)
    for name, prefix, yaml in [("keyring", "", cli), (POST_RENDERER, f"{POST_RENDERER}/", renderer)]:
        files = {"plugin.yaml": (yaml.encode(), 0o644), "bin/helm-keyring": (program, 0o755),
                 "LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644)}
        path = options.into / f"{name}-{version}.tgz"
        path.write_bytes(packed({prefix + file: content for file, content in files.items()}))
        print(path)


def packed(files):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        # Helm 3 makes no folder that is not written down.
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


if __name__ == "__main__":
    main()
