"""Cases that share one daemon, each with a connection of its own: self.c."""

from pooldtest import DaemonCase
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
