#!/usr/bin/python3
"""A daemon is killed and another one started on its socket: what clients of the first one get."""

import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, PATIENCE, POOLCTL, Folder, Poold, run_cases, skip

PROGRAM = os.path.join(BUILD, "tests", "e2e", "restart")

if not os.path.exists(PROGRAM):
    skip("built without Check")


class Restart(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.__exit__)
        self.env = dict(os.environ, POOLD_SOCKET=self.folder.socket)
        self.start()

    def start(self):
        """Removes the log of the daemon before: READY is looked for in it."""
        if os.path.exists(self.folder.at("poold.log")):
            os.unlink(self.folder.at("poold.log"))
        self.poold = Poold(self.folder).await_ready()
        self.addCleanup(self.poold.stop)

    def kill(self):
        self.poold.process.kill()
        self.poold.process.wait()

    def spawn(self, *argv):
        child = subprocess.Popen(argv, env=self.env, text=True, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        return child

    def run_ctl(self, *argv):
        return subprocess.run([POOLCTL, *argv], env=self.env, text=True, capture_output=True,
                              timeout=PATIENCE)

    def test_a_handle_outlives_its_daemon(self):
        child = self.spawn(PROGRAM)
        said = []
        for word, act in ("up", self.kill), ("down", self.start):
            while not said or said[-1] != word:
                said.append(child.stdout.readline().strip())
                self.assertIsNotNone(said[-1] or None, said)
            act()
            child.stdin.write("go\n")
            child.stdin.flush()
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 0, (said, out, err))

    def test_poolctl_says_that_the_connection_is_lost(self):
        """Each verb that blocks, while its daemon dies; then with the next daemon, which does not know the ID."""
        id = self.run_ctl("submit", "-q", "--", "sh", "-c", "echo on; exec sleep 60").stdout.strip()
        while self.run_ctl("logs", id).stdout != "on\n":
            pass
        verbs = {("wait", id): 125, ("wait", id, "--any"): 125, ("result", id): 4,
                 ("logs", "-f", id): 4, ("call", "bench/sleep", "--json-arg", "60000000"): 4,
                 ("run", "--", "sleep", "60"): 125, ("submit", "--wait", "--", "sleep", "60"): 125,
                 ("map", "sleep", ":::", "60"): 4}
        children = {verb: self.spawn(POOLCTL, *verb) for verb in verbs}
        self.poold.await_that(lambda: self.connections() == len(children), "all are connected")
        self.kill()
        for verb, child in children.items():
            _, err = child.communicate(timeout=PATIENCE)
            self.assertEqual(child.returncode, verbs[verb], (verb, err))
            self.assertIn("the connection to poold is lost", err, verb)
        self.start()
        for verb, code in {("wait", id): 125, ("result", id): 3, ("logs", id): 3, ("info", id): 3,
                           ("cancel", id): 3}.items():
            got = self.run_ctl(*verb)
            self.assertEqual(got.returncode, code, (verb, got.stderr))
            self.assertRegex(got.stderr, "no such future|unknown_future|No future", verb)

    def connections(self):
        """Without that of the one who asks."""
        stats = json.loads(self.run_ctl("stats", "--json").stdout)
        return stats["total_limits"]["connections"]["used"] - 1


run_cases()
