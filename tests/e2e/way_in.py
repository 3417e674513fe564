"""What a client may do to its connection without anybody else noticing: cuts, quotas, shapes of values."""

import os
import select
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import DaemonCase, POOLS, run_cases
from wire import Client, fd_ext, pack, sealed

PING = pack([0, 1, "ping", []])


class WayIn(ClientCase):
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

    # ends

    def gone_at_once(self, leave):
        """A client speaks and leaves while the daemon looks elsewhere: one event tells of both. It must be missed."""
        with Client(self.folder.socket) as c:
            c.send_raw(PING)
            select.select([c.socket], [], [])  # the answer lies there, unread
            os.kill(self.poold.process.pid, signal.SIGSTOP)
            try:
                os.waitid(os.P_PID, self.poold.process.pid, os.WSTOPPED)
                leave(c)
            finally:
                os.kill(self.poold.process.pid, signal.SIGCONT)
        self.poold.await_that(
            lambda: self.c.call("stats")["total_limits"]["connections"]["used"] == 1, "it to be missed")

    def test_who_leaves_behind_a_word_without_an_answer(self):
        word = pack([2, "release", [[]]])

        def with_answers_unread(c):
            c.send_raw(word)
            c.close()

        def with_nothing_unread(c):
            c.answer(1)
            c.send_raw(word)
            c.close()

        def with_half_a_word(c):
            c.send_raw(word[:-1])
            c.close()

        def by_halves(c):
            c.send_raw(word)
            c.socket.shutdown(socket.SHUT_WR)

        for leave in (with_answers_unread, with_nothing_unread, with_half_a_word, by_halves):
            with self.subTest(leave.__name__):
                self.gone_at_once(leave)

    def test_what_comes_behind_fds_is_read_too(self):
        """A receive ends behind the bytes that came with fds, and short."""
        with Client(self.folder.socket) as c:
            os.kill(self.poold.process.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, self.poold.process.pid, os.WSTOPPED)
            try:
                fd = sealed(b"x" * 70_000)
                c.send_raw(PING)
                c.send_raw(pack([0, 2, "put", [fd_ext(0)]]), fds=[fd])
                c.send_raw(pack([0, 3, "ping", []]))
                os.close(fd)
            finally:
                os.kill(self.poold.process.pid, signal.SIGCONT)
            self.assertEqual([c.answer(1), c.answer(3)], ["pong", "pong"])
            c.call("release", [c.answer(2)])

    # what lies unsent

    def test_what_lies_unsent_stays_charged(self):
        """Results that were released with the answer, to a client that does not read."""
        n = 60
        with Client(self.folder.socket) as c:
            ids = [c.call("put", b"x" * 100_000) for _ in range(n)]
            before = self.used()
            for id in ids:
                c.send("result", id, {"release": True})
            self.assertEqual(before["fds"], n)
            while self.used()["futures"] == n:
                pass  # until some are sent
            used = self.used()
            held = [os.readlink(f"/proc/{self.poold.process.pid}/fd/{fd}")
                    for fd in os.listdir(f"/proc/{self.poold.process.pid}/fd")]
            self.assertEqual(sum("poold-value" in name for name in held), used["fds"])
            for _ in range(n):
                self.assertEqual(len(c.answer(c.msgid - n + 1 + _)), 100_000)
        self.assertEqual(self.used(), {})

    def test_a_memfd_named_many_times_counts_each_time(self):
        fd = sealed(b"x" * 100_000)
        with Client(self.folder.socket, fds=True) as c:
            id = c.call("put", [fd_ext(0)] * 1000, fds=[fd])
            self.assertEqual(len(c.call("result", id)), 1000)
        os.close(fd)
        failure = self.c.error("result", id)
        self.assertEqual(failure.code, "too_large")
        self.assertGreater(failure.details["value"], 100_000 * 1000)
        self.assertEqual(self.c.call("read", id, 3, 10)[0], b"\xc6\0\1\x86\xa0xxxxx")
        fd = sealed(b"xyz")
        small = self.c.call("put", [fd_ext(0)] * 20_000, fds=[fd])
        os.close(fd)
        self.assertEqual(self.c.call("result", small), [b"xyz"] * 20_000)
        self.c.call("release", [id, small])
        self.assertEqual(self.used(), {})

    # too much at once

    def talker(self):
        flood = pack([2, "nothing", []]) * 5000
        pid = os.fork()
        if pid:
            return pid
        try:
            with Client(self.folder.socket) as c:
                while True:
                    c.socket.sendall(flood)
        finally:
            os._exit(0)

    def test_one_who_never_stops_talking_does_not_keep_others_waiting(self):
        talkers = [self.talker() for _ in range(3)]
        try:
            while self.c.call("stats")["counters"]["ignored_notifications"] < 500_000:
                pass
        finally:
            for pid in talkers:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def test_lists_of_ids_have_an_end(self):
        ids = [(1 << 53) - 1 - i for i in range(32769)]
        for method in "wait", "cancel", "release", "deliver":
            failure = self.c.error(method, ids)
            self.assertEqual(failure.code, "too_large")
            self.assertIn("32768", failure.message)
        self.assertEqual(len(self.c.call("cancel", ids[1:])), 32768)
        self.assertEqual(len(self.c.call("wait", ids[1:])), 32768)
        self.assertEqual(self.c.error("submit_many", "bench/noop", [None] * 100_001).code, "too_large")
        self.assertEqual(self.used(), {})

    def test_the_reason_is_that_of_the_cancel(self):
        id = self.c.call("submit", "exec", ["sh", "-c", "echo up; exec sleep 60"])
        # Handed over is not received: until it says so, it can still be taken back.
        self.c.call("read", id, 0, 2, {"stream": "stdout", "timeout": 60})
        self.assertEqual(self.c.call("cancel", [id], {"mode": "queued", "reason": "too late"}),
                         [[id, "running"]])
        self.c.call("cancel", [id])
        self.assertNotIn("reason", self.c.error("result", id).details)
        self.c.call("release", [id])

    # what is held

    def test_held_objects_that_are_released_hold_no_wait(self):
        for _ in range(3):
            self.c.call("release", [self.c.call("put", 1, {"attached": True})])
        self.assertEqual(self.used(), {})


class Quota(DaemonCase):
    pools = "[limits]\nbytes = 3M\n" + POOLS.replace("module = bench\n", "module = bench\nmax_result = 1M\n")

    def test_room_that_an_answer_gave_back_is_used_at_once(self):
        with Client(self.folder.socket) as c:
            c.call("call", "bench/noop", None)  # a worker is up
            fd = sealed(b"x" * 900_000)
            ids = [c.call("put", fd_ext(0), fds=[fd]) for _ in range(3)]
            os.close(fd)
            job = c.call("submit", "bench/noop", None, {"deliver": True})
            self.assertEqual(c.call("info", job)["waits_for"]["kind"], "quota")
            c.call("result", ids[0], {"release": True})
            self.assertEqual(c.note()[:2], [job, "done"])  # nothing else wakes the daemon
            c.call("release", ids + [job])

    def test_a_full_quota_lets_a_release_in_piece_by_piece(self):
        with Client(self.folder.socket, fds=True) as c:
            limits = c.call("stats")["limits"]["bytes"]
            fd = sealed(b"x" * (limits["max"] - limits["used"] - 4096))
            id = c.call("put", fd_ext(0), fds=[fd])
            os.close(fd)
            limits = c.call("stats")["limits"]["bytes"]
            self.assertLess(limits["max"] - limits["used"], 4096)
            request = pack([0, 77, "release", [[id] * 2000]])
            c.send_raw(request[:1000])
            with Client(self.folder.socket) as other:
                other.call("ping")
            c.send_raw(request[1000:])
            self.assertEqual(c.answer(77), 1)


if __name__ == "__main__":
    run_cases()
