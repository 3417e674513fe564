"""The daemon looks for events before it sleeps: where that may pay, as long as it is told to, and no longer."""

import os
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import Folder, Poold, run_cases
from wire import Client

LONGEST = "busy_poll = 1ms\n"


class BusyPoll(unittest.TestCase):
    def start(self, daemon=LONGEST, command=None):
        folder = Folder(daemon=daemon)
        self.addCleanup(folder.__exit__)
        argv = [*command, "--config", folder.config] if command else None
        self.poold = Poold(folder, command=argv).await_ready()
        self.addCleanup(lambda: self.assertEqual(self.poold.stop(), 0, self.poold.said()))
        self.folder = folder
        self.c = Client(folder.socket)
        self.addCleanup(self.c.close)

    def call(self, n):
        for _ in range(n):
            self.c.call("call", "bench/noop", None)

    def spins(self):
        """As the daemon tells when it is asked to dump its state."""
        def told():
            return re.findall(r"state: (\d+) spins", self.poold.said())
        n = len(told())
        self.poold.process.send_signal(signal.SIGUSR1)
        self.poold.await_that(lambda: len(told()) > n, "the state")
        return int(told()[-1])

    def cpu_s(self):
        """Of the daemon, by its own clock."""
        return time.clock_gettime(~self.poold.process.pid << 3 | 2)

    def until_it_spins(self):
        while not self.spins():
            self.call(1000)

    @unittest.skipIf(len(os.sched_getaffinity(0)) == 1, "one CPU")
    def test_a_daemon_that_waits_sleeps(self):
        self.start()
        self.until_it_spins()
        before = self.cpu_s()
        self.c.call("call", "bench/sleep", 1_000_000)
        self.assertLess(self.cpu_s() - before, 0.2)

    @unittest.skipIf(len(os.sched_getaffinity(0)) == 1, "one CPU")
    def test_a_reload_ends_it_at_once(self):
        self.start()
        self.until_it_spins()
        with open(self.folder.config) as f:
            text = f.read()
        with open(self.folder.config, "w") as f:
            f.write(text.replace(LONGEST, "busy_poll = 0\n"))
        self.assertEqual(self.c.call("reload")["settings"], ["busy_poll"])
        before = self.spins()
        self.call(1000)
        self.assertEqual(self.spins(), before)

    def test_not_on_one_cpu(self):
        self.start(command=["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))),
                            os.path.join(os.environ["POOLD_TEST_BUILDDIR"], "daemon", "poold")])
        self.call(1000)
        self.assertEqual(self.spins(), 0)


run_cases()
