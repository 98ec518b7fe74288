"""Tests of argocd_server.py with a Go made here, which builds nothing."""

import contextlib
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))
import argocd_server

# What it is told to say and do lies in the folder beside it; it notes what it was asked.
GO = """#!/bin/sh
cd "$(dirname "$0")/../go"
echo "$@" >> asked
echo "$GOTOOLCHAIN $CGO_ENABLED" > environment
fail() {
    if [ -e "$1" ]; then cat "$1" >&2; exit 1; fi
}
case $1 in
version) echo "go version $(cat version) linux/amd64" ;;
list) fail unlisted ;;
build)
    fail unbuilt
    while [ "$1" != -o ]; do shift; done
    sleep 0.1
    echo "built by $(cat version)" > "$2"
    ;;
esac
"""


class Build(unittest.TestCase):
    def setUp(self):
        self.home = Path(self.use(tempfile.TemporaryDirectory()))
        self.builds = self.home / "cache/helm-keyring/argocd-server"
        self.sources = self.home / "sources"
        self.go = self.home / "go"
        for folder in (self.sources, self.go, self.home / "bin"):
            folder.mkdir()
        (self.home / "bin/go").write_text(GO)
        (self.home / "bin/go").chmod(0o755)
        self.tell("version", "go1.25.5")
        for name, text in {"go.mod": "module m\n\ngo 1.25.5\n", "go.sum": "", "main.go": "package main\n"}.items():
            (self.sources / name).write_text(text)
        self.use(mock.patch.dict(os.environ, {
            "XDG_CACHE_HOME": str(self.home / "cache"), "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}"}))
        self.use(mock.patch.object(argocd_server, "SOURCES", self.sources))

    def use(self, manager):
        """Enter until the test ends (unittest's own enterContext needs Python 3.11)."""
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def tell(self, name, text):
        (self.go / name).write_text(text)

    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = argocd_server.main(arguments)
        return code, out.getvalue(), err.getvalue()

    def built(self, *arguments):
        code, out, err = self.run_main(*arguments)
        self.assertEqual(code, 0, err)
        self.assertTrue(out.endswith("\n") and Path(out.strip()).is_absolute(), out + err)
        return Path(out.strip())

    def assert_not_here(self, *words, arguments=()):
        code, out, err = self.run_main(*arguments)
        self.assertEqual((code, out), (0, ""), err)
        for word in ("imitation only",) + words:
            self.assertIn(word, err)

    def assert_builds(self, number):
        asked = (self.go / "asked").read_text().splitlines()
        self.assertEqual(sum(line.startswith("build") for line in asked), number)

    def folders(self):
        return sorted(entry.name for entry in self.builds.iterdir() if entry.is_dir())

    def test_builds_once(self):
        binary = self.built()
        self.assertEqual(binary.read_text(), "built by go1.25.5\n")
        self.assertEqual(self.folders(), [binary.parent.name])
        self.assertEqual(self.built(), binary)
        self.assertEqual(self.built("--find"), binary)
        self.assert_builds(1)

    def test_no_other_go_is_downloaded_and_no_compiler_of_c_is_needed(self):
        self.built()
        self.assertEqual((self.go / "environment").read_text(), "local 0\n")

    def test_other_sources_are_built_anew_and_an_old_build_goes(self):
        before = self.built()
        for name in ("go.mod", "go.sum", "main.go"):
            with open(self.sources / name, "a") as file:
                file.write("// changed\n")
            after = self.built()
            self.assertNotEqual(before, after)
            self.assertEqual(self.folders(), sorted([after.parent.name, before.parent.name]))
            # Whoever else runs with it has done so long ago.
            os.utime(before.parent, (0, 0))
            with open(self.sources / "main.go", "a") as file:
                file.write("// changed again\n")
            newest = self.built()
            self.assertEqual(self.folders(), sorted([after.parent.name, newest.parent.name]))
            shutil.rmtree(after.parent)
            before = newest
        self.assert_builds(7)

    def test_another_go_builds_anew(self):
        before = self.built()
        self.tell("version", "go1.26.0")
        self.assertNotEqual(self.built(), before)
        self.assertEqual(self.built().read_text(), "built by go1.26.0\n")

    def test_an_older_go_is_said(self):
        for version in ("go1.25.4", "go1.9", "go1.24.13", "gccgo"):
            self.tell("version", version)
            self.assert_not_here("Go 1.25.5 or newer", version)
        self.assertFalse(self.builds.exists())

    def test_newer_ones_are_used(self):
        for version in ("go1.25.10", "go1.26", "go1.26rc1", "go2.0.0", "devel go1.27-abcdef"):
            self.tell("version", version)
            self.assertEqual(self.built().read_text(), f"built by {version}\n")

    def test_no_go_is_said(self):
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}):
            self.assert_not_here("no Go on PATH", "1.25.5")
            self.assert_not_here("no Go on PATH", arguments=["--find"])

    def test_find_builds_nothing(self):
        self.assert_not_here("not built yet", arguments=["--find"])
        self.assertFalse(self.builds.exists())
        self.assert_builds(0)

    def test_modules_that_cannot_be_had_are_said(self):
        self.tell("unlisted", "go: downloading x\nx: no network\n")
        self.assert_not_here("modules cannot be had: x: no network")
        self.assert_builds(0)

    def assert_refused(self, *words):
        code, out, err = self.run_main()
        self.assertEqual((code, out), (1, ""))
        for word in ("expected:", "found:", "to do:") + words:
            self.assertIn(word, err)

    def test_wrong_modules_are_refused(self):
        self.tell("unlisted", "x: checksum mismatch\n\tSECURITY ERROR\n")
        self.assert_refused("checksum mismatch")
        self.assert_builds(0)

    def test_a_build_that_fails_is_refused_and_the_old_one_stays(self):
        before = self.built()
        (self.sources / "main.go").write_text("package broken\n")
        self.tell("unbuilt", "main.go:1: syntax error\n")
        self.assert_refused("main.go:1: syntax error")
        self.assertEqual(self.folders(), [before.parent.name])

    def test_a_cache_that_cannot_be_written_is_refused(self):
        (self.home / "cache").write_text("a file where a folder should be")
        self.assert_refused("XDG_CACHE_HOME", str(self.home / "cache"))

    def test_runs_at_once_build_once(self):
        fork = multiprocessing.get_context("fork")
        runs = [fork.Process(target=lambda: sys.exit(self.run_main()[0])) for _ in range(4)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        self.assertEqual([run.exitcode for run in runs], [0] * 4)
        self.assert_builds(1)

    def test_what_a_killed_run_left_is_removed(self):
        (self.builds / ".work").mkdir(parents=True)
        (self.builds / ".work/argocd-server").write_text("half")
        self.built()
        self.assertFalse((self.builds / ".work").exists())


class RealSources(unittest.TestCase):
    def test_they_are_where_they_are_looked_for(self):
        self.assertRegex((argocd_server.SOURCES / "go.mod").read_text(), r"(?m)^go \d+\.\d+")


if __name__ == "__main__":
    unittest.main()
