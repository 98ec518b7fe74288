#!/usr/bin/env python3
"""Build Argo CD's plugin server, for the tests that drive a plugin through it.

It is built with Go from tests/argocd_server into the user's cache folder, once for each state of
its sources and each Go; old builds of other states are removed. Prints the path of the binary; progress
goes to stderr. Where no Go is new enough, or its modules cannot be had, nothing is printed and
stderr says why: the tests then drive the imitation of that server alone.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fetch

SOURCES = Path(__file__).resolve().parent.parent / "tests" / "argocd_server"
# Argo CD builds it without cgo too. Symbols would double the size of the binary.
BUILD = ("build", "-mod=readonly", "-buildvcs=false", "-ldflags=-s -w")
NAME = "argocd-server"
OLD_SECONDS = 7 * 24 * 3600


class Missing(Exception):
    """Why the server cannot be built here, where that is no fault."""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--find", action="store_true", help="print the path if it is built, and build nothing")
    options = parser.parse_args(arguments)
    try:
        print(find() if options.find else build(), flush=True)
    except Missing as missing:
        fetch.say(NAME, f"not here, so the tests try its imitation only: {missing}")
    except fetch.Trouble as trouble:
        print(f"argocd_server.py: {trouble}", file=sys.stderr)
        return 1
    except OSError as error:
        unusable = fetch.Trouble("the cache cannot be used", f"a folder to write to at {builds()}", error,
                                 "make room or allow writing there, or set XDG_CACHE_HOME to another folder")
        print(f"argocd_server.py: {unusable}", file=sys.stderr)
        return 1
    return 0


def find():
    binary = place(version_of_go())
    if not binary.is_file():
        raise Missing("it is not built yet; `python3 tools/argocd_server.py` builds it")
    return binary


def build():
    version = version_of_go()
    binary = place(version)
    # Asked before locking too: a complete cache may be read-only.
    if is_built(binary):
        return binary
    builds().mkdir(parents=True, exist_ok=True)
    with fetch.locked(builds() / ".lock"):
        if not is_built(binary):
            compile_into(binary, version)
    return binary


def is_built(binary):
    if binary.is_file():
        fetch.say(NAME, "in the cache, nothing built")
        return True
    return False


def builds():
    return fetch.cache() / NAME


def place(version):
    """Where the binary lies that these sources and this Go make."""
    digest = hashlib.sha256(repr((version, BUILD)).encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update(f"\n{name}\n".encode() + (SOURCES / name).read_bytes())
    return builds() / digest.hexdigest()[:16] / NAME


def version_of_go():
    """What `go version` says, if that Go is new enough."""
    wanted = re.search(r"^go (\S+)$", (SOURCES / "go.mod").read_text(), re.MULTILINE).group(1)
    try:
        said = go("version")
    except OSError:
        raise Missing(f"no Go on PATH; it needs {wanted} or newer")
    words = said.stdout.strip()
    found = re.search(r"\bgo(\d+(?:\.\d+)*)", words)
    if said.returncode != 0 or not found or numbers(found.group(1)) < numbers(wanted):
        raise Missing(f"it needs Go {wanted} or newer, here is {words or 'one that does not run'}")
    return words


def numbers(version):
    return [int(number) for number in version.split(".")]


def compile_into(binary, version):
    start = time.monotonic()
    fetch.say(NAME, f"building with {version}; the first time that takes some minutes")
    # It reads what the build needs, and downloads it: what fails here is not our sources' fault.
    listed = go("list", "-mod=readonly", "-deps", ".")
    if listed.returncode != 0 and "checksum mismatch" not in listed.stderr:
        raise Missing(f"its Go modules cannot be had: {last_line(listed.stderr)}")
    work = builds() / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        built = go(*BUILD, "-o", str(work / NAME), ".") if listed.returncode == 0 else listed
        if built.returncode != 0:
            raise fetch.Trouble("Argo CD's plugin server cannot be built", f"go {' '.join(BUILD)} to end well",
                                built.stderr.strip(), f"correct {SOURCES}; its go.mod says how to renew it")
        for other in builds().iterdir():
            # Another checkout's tests may run with it now.
            if other.is_dir() and other != work and time.time() - other.stat().st_mtime > OLD_SECONDS:
                shutil.rmtree(other)
        work.rename(binary.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    fetch.say(NAME, f"built in {time.monotonic() - start:.0f} s")


def go(*arguments):
    """Go as it is installed here: no other one is downloaded, no workspace and no flags of the user matter."""
    variables = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    return subprocess.run(["go", *arguments], cwd=SOURCES, env=variables, capture_output=True, text=True)


def last_line(text):
    return (text.strip().splitlines() or ["no reason given"])[-1]


if __name__ == "__main__":
    sys.exit(main())
