"""Starts the poold of the build tree for a test: own folder, own socket, waits for READY."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SRC = os.environ["POOLD_TEST_SRCDIR"]
BUILD = os.environ["POOLD_TEST_BUILDDIR"]
POOLD = os.path.join(BUILD, "daemon", "poold")
POOLCTL = os.path.join(BUILD, "client", "poolctl", "poolctl")
WORKER = os.path.join(BUILD, "daemon", "worker", "poold-worker")
MODULES = os.path.join(BUILD, "daemon", "worker", "modules", ".libs")
# Where a shell finds them.
PATH = ":".join([os.path.dirname(POOLD), os.path.dirname(POOLCTL), os.environ["PATH"]])

# Where the daemon finds the rest of the build tree.
PATHS = f"worker = {WORKER}\nmodule_dir = {MODULES}\n"

# Whether the programs are built with sanitizers.
SANITIZERS = os.environ.get("POOLD_TEST_SANITIZERS", "no") != "no"

# Long enough for a loaded machine under valgrind; nothing waits this long unless it is broken.
PATIENCE = 120

POOLS = """
[pool default]
handler = exec
workers = 2

[pool digest]
handler = module
module = digest
workers = 2

[pool bench]
handler = module
module = bench
workers = 2
"""


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def fail(what):
    print("FAILED:", what)
    sys.exit(1)


def pss_kib(pid):
    """Its memory; of what processes share, each its part."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss: +(\d+)", f.read(), re.M).group(1))


class Folder:
    """A temporary folder with a configuration in it, removed at the end."""

    def __init__(self, pools=POOLS, daemon="", paths=PATHS):
        self.path = tempfile.mkdtemp(prefix="poold-test.")
        self.socket = self.at("poold.sock")
        self.config = self.at("poold.conf")
        os.mkdir(self.at("state"))
        with open(self.config, "w") as f:
            f.write(f"[daemon]\nsocket = {self.socket}\nstate_dir = {self.at('state')}\n"
                    f"{paths}{daemon}{pools}")

    def at(self, name):
        return os.path.join(self.path, name)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.path)


class Poold:
    """A running daemon. Leaves by SIGTERM and must exit with 0."""

    def __init__(self, folder, argv=(), command=None, env=None):
        self.folder = folder
        self.log = folder.at("poold.log")
        argv = command or [POOLD, "--config", folder.config, *argv]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=env)

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def await_that(self, condition, what):
        """Looks until the condition holds; the death of the daemon ends it at once."""
        deadline = time.monotonic() + PATIENCE
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while not condition():
                if select.select([pidfd], [], [], 0.02)[0]:
                    fail(f"poold ended before {what}:\n{self.said()}")
                if time.monotonic() > deadline:
                    fail(f"waited in vain: {what}:\n{self.said()}")
        finally:
            os.close(pidfd)

    def await_ready(self):
        self.await_that(lambda: "READY" in self.said(), "READY")
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            fail(f"poold did not stop:\n{self.said()}")

    def __enter__(self):
        return self.await_ready()

    def __exit__(self, kind, value, trace):
        code = self.stop()
        if kind is not None:
            print(self.said())
        elif code != 0:
            fail(f"poold exited with {code}:\n{self.said()}")


def run_cases():
    """The end of a file of unittest cases: runs them, and sums up in the words of Check, so that each case
    counts."""
    result = unittest.main(exit=False).result
    bad = len(result.failures), len(result.errors)
    share = 100 * (result.testsRun - sum(bad)) // max(result.testsRun, 1)
    print(f"{share}%: Checks: {result.testsRun}, Failures: {bad[0]}, Errors: {bad[1]}")
    sys.exit(0 if result.wasSuccessful() else 1)


class DaemonCase(unittest.TestCase):
    """Cases that share one daemon, which must leave with exit code 0 when they are through."""

    pools = POOLS
    settings = ""
    paths = PATHS

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder(pools=cls.pools, daemon=cls.settings, paths=cls.paths)
        try:
            cls.poold = Poold(cls.folder).await_ready()
        except BaseException:
            cls.folder.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        code = cls.poold.stop()
        said = cls.poold.said()
        cls.folder.__exit__()
        assert code == 0, f"exit code {code}:\n{said}"
