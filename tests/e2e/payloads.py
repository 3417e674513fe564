#!/usr/bin/python3
"""Values in shared memory: every way in and out, and that nothing of it is left in the daemon."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import CleanCase  # noqa: E402
from pooldtest import BUILD, PATIENCE, POOLD, POOLS, Folder, Poold, run_cases  # noqa: E402
from wire import Client, fd_ext, sealed  # noqa: E402

PROGRAM = os.path.join(BUILD, "tests", "e2e", "payloads")


class Payloads(CleanCase):
    def test_every_way_in_and_out(self):
        env = dict(os.environ, POOLD_SOCKET=self.folder.socket)
        got = subprocess.run([PROGRAM], env=env, text=True, timeout=PATIENCE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(got.returncode, 0, got.stdout)

    def test_the_same_memfd_many_times_in_a_value_and_a_message(self):
        fd = sealed(b"s" * 70_000)
        ids = self.c.call("submit_many", "bench/echo", [fd_ext(0)] * 50 + [[fd_ext(0)] * 50], fds=[fd])
        os.close(fd)
        self.assertEqual({state for _, state in self.c.call("wait", ids)}, {"done"})
        self.assertEqual(self.c.call("release", ids), 51)

    def test_large_ones_that_are_let_go_at_once(self):
        """Closed beside the loop, more than may wait there."""
        for _ in range(3):
            fd = sealed(b"l" * (1 << 20))
            for _ in range(10):
                ids = self.c.call("submit_many", "bench/noop", [fd_ext(0)] * 50, {"ttl": 0.001}, fds=[fd])
                self.c.call("wait", ids)
            os.close(fd)

    def test_of_connections_that_go_without_a_word(self):
        for _ in range(50):
            with Client(self.folder.socket) as gone:
                fd = sealed(b"m" * (1 << 20))
                gone.send("call", "bench/noop", fd_ext(0), fds=[fd])
                gone.send("put", fd_ext(0), {"attached": True}, fds=[fd])
                gone.send_raw(b"\x94\x00\x01\xa4call\x92\xa1x\xd9", fds=[fd])
                os.close(fd)


class SmallFiles(CleanCase):
    """Where no file may be large, no memfd may: that is told, and nobody dies of SIGXFSZ."""

    most = 256 << 10

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder(POOLS)
        command = ["prlimit", f"--fsize={cls.most}", POOLD, "--config", cls.folder.config]
        cls.poold = Poold(cls.folder, command=command).await_ready()

    def test_what_a_client_without_fds_sends(self):
        with Client(self.folder.socket) as c:
            self.assertEqual(c.call("call", "bench/noop", list(range(50_000))), None)
            failure = c.error("call", "bench/noop", ["x" * 1000] * 400)
            self.assertIn("File too large", failure.message)
            self.assertEqual(c.call("ping"), "pong")

    def test_what_a_function_makes(self):
        failure = self.c.error("call", "bench/fill", self.most + 1)
        self.assertEqual((failure.code, failure.details["limit"]), ("too_large", "RLIMIT_FSIZE"))
        result = self.c.call("call", "bench/fill", self.most)
        self.assertEqual(result, fd_ext(0))
        os.close(self.c.fds.pop())

    def test_what_a_command_writes(self):
        result = self.c.call("call", "exec", ["sh", "-c", "head -c 300000 /dev/zero"])
        self.assertTrue(result["stdout_truncated"])
        self.assertEqual(os.fstat(self.c.fds[-1]).st_size, self.most)
        os.close(self.c.fds.pop())

    def test_what_is_only_passed_on(self):
        fd = sealed(b"p" * (2 * self.most))
        self.assertEqual(self.c.call("call", "bench/echo", fd_ext(0), fds=[fd]), fd_ext(0))
        os.close(fd)
        os.close(self.c.fds.pop())


del CleanCase
run_cases()
