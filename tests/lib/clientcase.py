"""Cases that share one daemon, each with a connection of its own: self.c."""

import os
import time

from pooldtest import PATIENCE, DaemonCase
from wire import Client


class ClientCase(DaemonCase):
    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.close()

    def fails(self, code, method, *params, **more):
        failure = self.c.error(method, *params, **more)
        self.assertEqual(failure.code, code, failure.message)
        self.assertIsInstance(failure.details, dict)
        return failure

    def blockers(self, n):
        """Jobs that keep pool bench busy until the test ends."""
        ids = self.c.call("submit_many", "bench/sleep", [60_000_000] * n, {"attached": True})
        self.addCleanup(self.await_free, ids)
        return ids

    def await_free(self, ids):
        with Client(self.folder.socket) as c:
            c.call("wait", ids)


class CleanCase(DaemonCase):
    """After each case the daemon is as it was: no fd more, no byte charged."""

    def setUp(self):
        self.c = Client(self.folder.socket, fds=True)
        self.c.call("call", "bench/noop", None)
        deadline = time.monotonic() + PATIENCE
        while any(p["workers"]["idle"] < p["workers"]["wanted"] for p in self.c.call("pools")):
            self.assertLess(time.monotonic(), deadline, "workers are missing")
        self.fds = self.count_fds()

    def count_fds(self):
        return len(os.listdir(f"/proc/{self.poold.process.pid}/fd"))

    def used(self):
        limits = self.c.call("stats")["total_limits"]
        return {k: v["used"] for k, v in limits.items() if v["used"] and k != "connections"}

    def tearDown(self):
        deadline = time.monotonic() + PATIENCE
        while self.used() or self.count_fds() > self.fds:
            self.assertLess(time.monotonic(), deadline, f"left: {self.used()}, "
                            f"{self.count_fds() - self.fds} fds")
        self.c.close()
