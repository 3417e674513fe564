"""Every limit refuses by name, with value and maximum, and gives back what it held."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import Folder, POOLS, Poold, run_cases
from wire import Client, Failure, fd_ext, future_ext, pack, sealed, sparse

MIB = 1 << 20


class Limits(unittest.TestCase):
    def start(self, limits, pool="max_result = 1M\n"):
        pools = POOLS.replace("workers = 2\n", "workers = 2\n" + pool)
        folder = Folder(pools=f"[limits]\n{limits}\n{pools}")
        self.addCleanup(folder.__exit__)
        self.poold = poold = Poold(folder).await_ready()
        self.addCleanup(lambda: self.assertEqual(poold.stop(), 0))
        return folder

    def refused(self, c, limit, code, *request, **more):
        failure = c.error(*request, **more)
        self.assertEqual(failure.code, code, failure.message)
        self.assertEqual(failure.details["limit"], limit)
        self.assertGreater(failure.details["value"], failure.details["max"])
        self.assertIn(str(failure.details["max"]), failure.message)
        self.assertIn("retry_after", failure.details)

    def test_jobs(self):
        folder = self.start("jobs = 5")
        with Client(folder.socket) as c:
            ids = c.call("submit_many", "bench/sleep", [60_000_000] * 5)
            self.refused(c, "jobs", "quota", "submit", "bench/noop", None)
            self.refused(c, "jobs", "quota", "submit_many", "bench/noop", [1, 2])
            c.call("cancel", ids[:1])
            c.call("wait", ids[:1])
            ids.append(c.call("submit", "bench/noop", None))
            self.refused(c, "jobs", "quota", "submit_many", "bench/noop", [1, 2])
            c.call("cancel", ids)
            c.call("wait", ids)
            c.call("release", ids)
            c.await_zero()

    def test_futures_count_until_they_are_released(self):
        folder = self.start("futures = 3")
        with Client(folder.socket) as c:
            ids = [c.call("put", n) for n in range(3)]
            self.refused(c, "futures", "quota", "put", 4)
            self.refused(c, "futures", "quota", "submit", "bench/noop", None)
            c.call("release", ids[:1])
            c.call("release", [c.call("put", 4)] + ids)
            c.await_zero()

    def test_bytes_inline_and_in_memfds(self):
        folder = self.start("bytes = 3M")
        with Client(folder.socket) as c:
            a = c.call("put", b"x" * (MIB - 100))
            fd = sealed(b"y" * MIB)
            b = c.call("put", fd_ext(0), fds=[fd])
            self.refused(c, "bytes", "quota", "put", fd_ext(0), fds=[fd])
            c.call("release", [a])
            a = c.call("put", fd_ext(0), fds=[fd])
            os.close(fd)
            c.call("release", [a, b])
            c.await_zero()

    def test_memfds_that_claim_more_bytes_than_can_be_counted(self):
        folder = self.start("bytes = 3M")
        with Client(folder.socket) as c:
            fds = [sparse((1 << 63) - 1) for _ in range(3)]
            values = [fd_ext(i) for i in range(3)]
            for options in {}, {"label": "x"}, {"label": "x" * 256, "group": "y" * 128}:
                self.refused(c, "bytes", "quota", "put", values, options, fds=fds)
                self.refused(c, "bytes", "quota", "submit", "bench/noop", values, options, fds=fds)
                self.refused(c, "bytes", "quota", "submit_many", "bench/noop", [1, values], options, fds=fds)
            for fd in fds:
                os.close(fd)
            c.await_zero()

    def test_fds(self):
        folder = self.start("fds = 10")
        with Client(folder.socket) as c:
            fd = sealed(b"y")
            ids = [c.call("put", [fd_ext(0), fd_ext(1)], fds=[fd, fd]) for _ in range(5)]
            self.refused(c, "fds", "quota", "put", fd_ext(0), fds=[fd])
            os.close(fd)
            c.call("release", ids)
            c.await_zero()

    def test_an_object_counts_until_its_last_job_is_through(self):
        folder = self.start("bytes = 4M\nfds = 20")
        with Client(folder.socket) as c:
            def used():
                limits = c.call("stats")["limits"]
                return limits["bytes"]["used"], limits["fds"]["used"]
            fd = sealed(b"y" * (2 * MIB))
            object = c.call("put", fd_ext(0), fds=[fd])
            first = c.call("submit", "bench/sleep", 60_000_000)
            users = [c.call("submit", "bench/sum", future_ext(object), {"after": [first]}) for _ in range(3)]
            self.assertEqual(c.call("release", [object]), 1)
            self.assertEqual(c.error("submit", "bench/sum", future_ext(object)).code, "unknown_future")
            for user in users:  # a job that did not get done can be repeated until it is released
                self.assertGreaterEqual(used()[0], 2 * MIB)
                self.assertGreaterEqual(used()[1], 1)
                self.refused(c, "bytes", "quota", "put", fd_ext(0), fds=[fd])
                c.call("cancel", [user])
                c.call("wait", [user])
                self.assertGreaterEqual(used()[0], 2 * MIB)
                c.call("release", [user])
            again = c.call("put", fd_ext(0), fds=[fd])
            c.call("cancel", [first])
            c.call("wait", [first])
            c.call("release", [again, first])
            few = sealed(b"y")
            objects = [c.call("put", fd_ext(0), fds=[few]) for _ in range(20)]
            self.refused(c, "fds", "quota", "put", fd_ext(0), fds=[few])
            c.call("release", objects)
            os.close(fd)
            os.close(few)
            c.await_zero()

    def test_fds_of_messages_that_are_not_complete(self):
        folder = self.start("fds = 10")
        with Client(folder.socket) as c:
            fd = sealed(b"y")
            put = pack([0, 1, "put", [[fd_ext(i) for i in range(4)]]])
            others = [Client(folder.socket) for _ in range(3)]
            for n, other in enumerate(others[:2], 1):
                other.send_raw(put[:10], [fd] * 4)
                while c.call("stats")["limits"]["fds"]["used"] < 4 * n:
                    pass
            others[2].send_raw(put[:10], [fd] * 4)
            fatal = others[2].until_closed()
            self.assertEqual(fatal[0], "quota")
            self.assertIn("fds", fatal[1])
            # When the rest comes they are the value's.
            others[0].send_raw(put[10:])
            self.assertGreater(others[0].answer(1), 0)
            self.assertEqual(c.call("stats")["limits"]["fds"]["used"], 8)
            c.call("release", [f["id"] for f in c.call("list")])
            os.close(fd)
            for other in others:
                other.close()
            c.await_zero()

    def test_a_job_that_lacks_room_for_the_fds_of_its_result_says_so(self):
        folder = self.start("fds = 10")
        with Client(folder.socket) as c:
            c.call("call", "bench/noop", None)  # a worker is up
            fd = sealed(b"y")
            object = c.call("put", [fd_ext(0), fd_ext(1)], fds=[fd, fd])
            os.close(fd)
            id = c.call("submit", "bench/noop", None)
            self.assertEqual(c.call("info", id)["waits_for"]["kind"], "quota")
            c.call("release", [object])
            self.assertEqual(c.call("wait", [id]), [[id, "done"]])
            c.call("release", [id])
            c.await_zero()

    def test_connections_are_refused_with_a_word(self):
        folder = self.start("connections = 3")
        clients = [Client(folder.socket) for _ in range(3)]
        for c in clients:
            c.call("ping")
        with Client(folder.socket) as c:
            fatal = c.until_closed()
            self.assertEqual(fatal[0], "quota")
            self.assertIn("connections", fatal[1])
        clients.pop().close()
        while True:
            with Client(folder.socket) as c:
                try:
                    self.assertEqual(c.call("ping"), "pong")
                    break
                except Exception:
                    pass  # the daemon has not seen yet that one went
        for c in clients:
            c.close()

    def test_waits(self):
        folder = self.start("waits = 2")
        with Client(folder.socket) as c:
            id = c.call("submit", "bench/sleep", 60_000_000)
            waiting = [c.send("wait", [id]), c.send("result", id)]
            self.refused(c, "waits", "quota", "wait", [id])
            self.refused(c, "waits", "quota", "submit", "bench/noop", None, {"deliver": True})
            self.refused(c, "waits", "quota", "deliver", [id])
            c.call("cancel", [id])
            self.assertEqual(c.answer(waiting[0]), [[id, "cancelled"]])
            with self.assertRaises(Failure):
                c.answer(waiting[1])
            c.call("release", [id])
            c.await_zero()

    def test_long_lists_leave_turns_to_others(self):
        folder = self.start("")
        with Client(folder.socket) as busy, Client(folder.socket) as other:
            ids = busy.call("submit_many", "bench/noop", [None] * 12_000)
            busy.call("wait", ids)
            before = other.call("stats")["counters"]["requests"]
            # Both lie there when the daemon looks.
            self.addCleanup(self.poold.process.send_signal, signal.SIGCONT)
            self.poold.process.send_signal(signal.SIGSTOP)
            os.waitpid(self.poold.process.pid, os.WUNTRACED)
            lists = range(1000, 1300)
            busy.send_raw(b"".join(pack([0, n, "list", [{"label": "none"}]]) for n in lists))
            asked = other.send("stats")
            self.poold.process.send_signal(signal.SIGCONT)
            handled = other.answer(asked)["counters"]["requests"] - before
            self.assertLess(handled, len(lists))
            for msgid in lists:
                self.assertEqual(busy.answer(msgid), [])
            # A page begins where the last one ended, whether that is still there or not.
            page = [f["id"] for f in busy.call("list", {"limit": 2, "before": ids[-1]})]
            self.assertEqual(page, ids[-3:-1])
            busy.call("release", ids[-1:])
            page = [f["id"] for f in busy.call("list", {"limit": 2, "before": ids[-1]})]
            self.assertEqual(page, ids[-3:-1])
            busy.call("release", ids)
            busy.await_zero()

    def test_a_list_that_looks_at_many_goes_on_in_later_turns(self):
        folder = self.start("")
        with Client(folder.socket) as c:
            ids = c.call("submit_many", "bench/noop", [None] * 30_000, {"label": "all", "group": "g"})
            c.call("wait", ids)
            for options in {"label": "none"}, {"label": "none", "owner": "all"}, {"label": "none", "group": "g"}:
                # What is asked behind it is answered before it.
                c.send_raw(pack([0, 1000, "list", [options]]) + pack([0, 1001, "ping", []]))
                while 1000 not in c.answers:
                    c.read_some()
                self.assertEqual(list(c.answers), [1001, 1000])
                self.assertEqual((c.answer(1000), c.answer(1001)), ([], "pong"))
            # What goes meanwhile is not in it, what is there is.
            c.call("release", [ids[5]])  # where the list would begin
            c.send_raw(pack([0, 1000, "list", [{"state": "done", "label": "all", "before": ids[5]}]]) +
                       pack([0, 1001, "release", [ids[1:3] + ids[9:]]]))
            self.assertEqual([f["id"] for f in c.answer(1000)], [ids[0], ids[3], ids[4]])
            c.answer(1001)
            kept = ids[:1] + ids[3:5] + ids[6:9]
            self.assertEqual([f["id"] for f in c.call("list")], kept)
            # Who asks and leaves keeps nothing.
            more = c.call("submit_many", "bench/noop", [None] * 30_000)
            c.call("wait", more)
            with Client(folder.socket) as other:
                other.send_raw(pack([0, 1000, "list", [{"label": "none"}]]) + pack([0, 1001, "ping", []]))
                other.answer(1001)
            c.call("release", kept + more)
            c.await_zero()

    def test_a_list_as_long_as_a_message(self):
        folder = self.start("")
        with Client(folder.socket) as c:
            ids = [c.call("put", None) for _ in range(1500)]
            self.assertEqual(len(c.call("list")), 1000)
            self.assertEqual([f["id"] for f in c.call("list", {"limit": 1500})], ids)
            most = c.call("submit_many", "bench/noop", [None] * 10_000)
            c.call("wait", most)
            self.assertLess(1000, len(c.call("list", {"limit": 1 << 40})))
            c.call("release", ids + most)
            c.await_zero()

    def test_unread_fds_count_until_they_are_read_whoever_closes(self):
        folder = self.start("connections = 3")
        with Client(folder.socket, fds=True) as c:
            fd = sealed(b"u" * 100_000)
            id = c.call("put", fd_ext(0), fds=[fd])
            os.close(fd)

            def counted():
                limits = c.call("stats")["limits"]
                return limits["unread_fds"]["used"], limits["connections"]["used"]

            n_errors = [0]

            def leave_unread():
                """Ends by a message that is none, with 8 fds on their way."""
                other = Client(folder.socket, fds=True)
                for _ in range(8):
                    other.send("result", id)
                other.send_raw(b"\xc1")
                n_errors[0] += 1
                while c.call("stats")["counters"]["protocol_errors"] < n_errors[0]:
                    pass
                c.call("ping")
                return other

            reads, leaves = leave_unread(), leave_unread()
            self.assertEqual(counted(), (16, 3))
            with Client(folder.socket) as third:
                self.assertEqual(third.until_closed()[0], "quota")
            self.assertEqual(reads.until_closed()[0], "bad_request")
            self.assertEqual(len(reads.fds), 8)
            self.assertEqual(counted(), (8, 2))
            leaves.close()
            while counted() != (0, 1):
                pass
            reads.close()
            c.call("release", [id])
            c.await_zero()

    def test_unread_fds_hold_back_their_own_connection_only(self):
        folder = self.start("")
        data = b"u" * 100_000
        with Client(folder.socket, fds=True) as slow, Client(folder.socket, fds=True) as quick:
            fd = sealed(data)
            id = quick.call("put", fd_ext(0), fds=[fd])
            os.close(fd)
            asked = [slow.send("result", id) for _ in range(40)]
            for _ in range(40):
                self.assertEqual(quick.call("result", id), fd_ext(0))
            self.assertLessEqual(quick.call("stats")["limits"]["unread_fds"]["used"], 16)
            for msgid in asked:
                self.assertEqual(slow.answer(msgid), fd_ext(0))
            self.assertEqual(len(slow.fds), 40)
            quick.call("release", [id])
            quick.await_zero()

    def test_total_limits_are_full_not_quota(self):
        folder = self.start("total_futures = 2")
        with Client(folder.socket) as c:
            ids = [c.call("put", n) for n in range(2)]
            self.refused(c, "futures", "full", "put", 3)
            c.call("release", ids)

    def test_a_result_is_reserved_and_a_job_waits_for_room(self):
        folder = self.start("bytes = 5M", pool="max_result = 4M\n")
        with Client(folder.socket) as c:
            c.call("call", "bench/noop", None)  # a worker is up
            fd = sealed(b"h" * (2 * MIB))
            held = c.call("put", fd_ext(0), fds=[fd])
            os.close(fd)
            id = c.call("submit", "bench/noop", None)
            self.assertEqual(c.call("info", id)["waits_for"]["kind"], "quota")
            self.assertEqual(c.call("wait", [id], {"timeout": 0.05}), [])
            c.call("release", [held])
            self.assertEqual(c.call("wait", [id]), [[id, "done"]])
            c.call("release", [id])
            c.await_zero()

    def test_a_result_that_can_never_fit_fails_with_quota(self):
        folder = self.start("bytes = 2M", pool="max_result = 4M\n")
        with Client(folder.socket) as c:
            failure = c.error("call", "bench/noop", None)
            self.assertEqual((failure.code, failure.details["limit"]), ("quota", "max_result"))

    def test_a_result_above_max_result_is_too_large(self):
        folder = self.start("", pool="max_result = 100K\n")
        with Client(folder.socket) as c:
            fd = sealed(b"r" * 200_000)
            failure = c.error("call", "bench/echo", fd_ext(0), fds=[fd])
            os.close(fd)
            self.assertEqual(failure.code, "too_large")
            self.assertEqual((failure.details["limit"], failure.details["max"]), ("max_result", 102_400))
            c.await_zero()

    def test_output_is_cut_and_says_so(self):
        folder = self.start("", pool="output = 10K\n")
        with Client(folder.socket) as c:
            result = c.call("call", "exec", ["sh", "-c", "head -c 50000 /dev/zero; echo e >&2"])
            self.assertEqual((len(result["stdout"]), result["stdout_truncated"]), (10_240, True))
            self.assertEqual((result["stderr"], result["stderr_truncated"]), (b"e\n", False))

    def test_everything_comes_back_when_clients_just_go(self):
        folder = self.start("")
        fd = sealed(b"g" * 100_000)
        with Client(folder.socket) as c:
            for _ in range(20):
                with Client(folder.socket) as gone:
                    ids = gone.call("submit_many", "bench/echo", [fd_ext(0), b"i" * 1000],
                                    {"deliver": True, "attached": True, "ttl": 0.01}, fds=[fd])
                    gone.send("wait", ids)
                    gone.send("call", "bench/sleep", 60_000_000)
                    gone.call("put", b"held", {"attached": True})
            c.await_zero()
        os.close(fd)


if __name__ == "__main__":
    run_cases()
