"""A daemon in a user namespace serves those whom it knows, and no two strangers as one. Needs root and unshare(1)."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import POOLD, Folder, POOLS, Poold, run_cases, skip
from uids import ALICE, BOB, As
from wire import Client

UNSHARE = ["unshare", "--user", "--map-root-user"]


class Namespace(unittest.TestCase):
    def start(self, *command):
        folder = Folder(pools=POOLS, daemon="socket_mode = 0666\n")
        self.addCleanup(folder.__exit__)
        os.chmod(folder.path, 0o755)
        self.poold = Poold(folder, command=[*command, POOLD, "--config", folder.config]).await_ready()
        self.addCleanup(lambda: self.assertEqual(self.poold.stop(), 0))
        return folder.socket

    def test_strangers_are_refused(self):
        path = self.start(*UNSHARE)
        self.assertIn("does not know look like uid 65534", self.poold.said())
        for uid in ALICE, BOB, 65534:
            with As(path, uid) as stranger:
                code, message = stranger.until_closed()
                self.assertEqual(code, "not_allowed")
                self.assertIn("user namespace", message)
        with Client(path) as c:
            self.assertEqual(c.call("call", "bench/echo", 1), 1)
            self.assertEqual(c.call("stats")["total_limits"]["connections"]["used"], 1)

    def test_elsewhere_nobody_is_a_user(self):
        path = self.start()
        self.assertNotIn("namespace", self.poold.said())
        with As(path, 65534) as nobody, As(path, ALICE) as alice:
            self.assertEqual(alice.error("poll", nobody.call("put", 1)).code, "unknown_future")


if os.geteuid() != 0:
    skip("not root")
if subprocess.run([*UNSHARE, "true"], stderr=subprocess.DEVNULL).returncode:
    skip("no user namespaces")
run_cases()
