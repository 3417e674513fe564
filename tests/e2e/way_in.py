"""What a client may do to its connection without anybody else noticing: cuts, quotas, shapes of values."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client, fd_ext, pack, sealed

PING = pack([0, 1, "ping", []])


class WayIn(DaemonCase):
    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.close()

    def used(self, *but):
        """What all accounts hold, but for connections and these."""
        limits = self.c.call("stats")["total_limits"]
        return {k: v["used"] for k, v in limits.items() if v["used"] and k not in ("connections", *but)}

    # cuts

    def test_a_broken_message_behind_the_rest_of_a_good_one(self):
        with Client(self.folder.socket) as c:
            c.send_raw(PING[:3])
            self.assertEqual(self.c.call("ping"), "pong")  # the daemon has read the first piece
            c.send_raw(PING[3:] + b"\xc1")
            self.assertEqual(c.answer(1), "pong")
            self.assertEqual(c.until_closed()[0], "bad_request")
        self.assertEqual(self.c.call("ping"), "pong")

    def test_an_empty_memfd_is_given_inline(self):
        fd = sealed(b"")
        id = self.c.call("put", ["a", fd_ext(0), "b"], fds=[fd])
        os.close(fd)
        self.assertEqual(self.c.call("result", id), ["a", b"", "b"])
        self.c.call("release", [id])


if __name__ == "__main__":
    run_cases()
