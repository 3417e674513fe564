"""The option admit_within: a full store lets wait who asks for it, in order, and never for what only he could do."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import Folder, POOLS, Poold, run_cases
from wire import Client, Failure, fd_ext, pack, sealed

MIB = 1 << 20
LONG = 60_000_000  # a job that somebody has to end
FOR_EVER = {"admit_within": 1000}
SHORT = {"admit_within": 0.05}


class Admission(unittest.TestCase):
    def start(self, limits, pool="max_result = 1M\n", extra=""):
        pools = POOLS.replace("workers = 2\n", "workers = 2\n" + pool) + extra
        self.folder = Folder(pools=f"[limits]\n{limits}\n{pools}")
        self.addCleanup(self.folder.__exit__)
        self.poold = Poold(self.folder).await_ready()
        self.addCleanup(lambda: self.assertEqual(self.poold.stop(), 0, self.poold.said()))
        return self.client()

    def client(self, **more):
        c = Client(self.folder.socket, **more)
        self.addCleanup(c.close)
        return c

    def configure(self, old, new):
        with open(self.folder.config) as f:
            text = f.read()
        self.assertIn(old, text)
        with open(self.folder.config, "w") as f:
            f.write(text.replace(old, new))

    def used(self, c, limit, of="limits"):
        return c.call("stats")[of][limit]["used"]

    def waiting(self, c, n):
        """So many requests stand in the lobby, and nobody has been let in meanwhile."""
        self.assertEqual(self.used(c, "waits"), n)
        self.assertEqual(self.used(c, "parked_bytes") > 0, n > 0)

    def refused(self, c, msgid, code, limit):
        with self.assertRaises(Failure) as caught:
            c.answer(msgid)
        failure = caught.exception
        self.assertEqual((failure.code, failure.details["limit"]), (code, limit), failure.message)
        self.assertGreater(failure.details["value"], failure.details["max"])
        return failure

    def end(self, c, ids):
        c.call("cancel", ids)
        c.call("wait", ids)

    def await_zero(self, c):
        c.call("release", {})
        c.await_zero()

    # who waits, and for what

    def test_a_job_waits_for_the_end_of_another(self):
        c = self.start("jobs = 3")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 3)
        waits = c.send("submit", "bench/echo", "late", FOR_EVER)
        self.assertEqual(c.call("ping"), "pong")  # requests behind it do not wait
        self.waiting(c, 1)
        self.end(c, ids[:1])
        late = c.answer(waits)
        self.end(c, ids)
        self.assertEqual(c.call("result", late), "late")
        self.await_zero(c)

    def test_a_call_waits_too(self):
        c = self.start("jobs = 2")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        calls = [c.send("call", "bench/echo", n, FOR_EVER) for n in range(3)]
        self.waiting(c, 3)
        self.end(c, ids)
        self.assertEqual([c.answer(call) for call in calls], [0, 1, 2])
        self.await_zero(c)

    def test_a_job_in_the_end_that_nobody_is_told_of(self):
        c = self.start("jobs = 1")
        ids = [c.call("submit", "bench/sleep", LONG)]
        c.notify("submit", "bench/echo", 1, FOR_EVER | {"group": "told"})
        self.waiting(c, 1)
        self.end(c, ids)
        while not c.call("list", {"group": "told"}):
            pass

    def test_an_object_waits_for_one_that_goes_by_time(self):
        c = self.start("futures = 3")
        kept = [c.call("put", n) for n in range(2)] + [c.call("put", 2, {"ttl": 0.3})]
        self.assertEqual(c.error("put", 3).code, "quota")
        late = c.call("put", 3, FOR_EVER)
        self.assertEqual(c.error("poll", kept[2]).code, "expired")
        self.assertEqual(c.call("result", late), 3)
        self.await_zero(c)

    def test_a_value_waits_for_bytes_and_keeps_its_fds_in_order(self):
        c = self.start("bytes = 8M\nfds = 40")
        big = sealed(b"x" * (6 * MIB))
        job = c.call("submit", "bench/sleep", LONG)
        c.call("put", fd_ext(0), {"ttl": 0.3}, fds=[big])
        fds = [sealed(b"a" * MIB), sealed(b"b" * MIB)]
        # the indexes are not in the order of use, and one of them comes twice
        waits = c.send("put", [fd_ext(1), fd_ext(0), fd_ext(1)], FOR_EVER, fds=fds)
        many = c.send("submit_many", "bench/echo", [fd_ext(1), fd_ext(0), [fd_ext(0), fd_ext(1)]], FOR_EVER,
                      fds=[sealed(b"c"), sealed(b"d")])
        self.assertEqual(self.used(c, "parked_fds"), 4)
        a, b = b"a" * MIB, b"b" * MIB
        id = c.answer(waits)
        self.assertEqual(c.call("read", id, 0, 1 << 10)[0][6:], b[:(1 << 10) - 6])
        self.assertEqual(c.call("read", id, MIB + 6, 1 << 10)[0][5:], a[:(1 << 10) - 5])
        self.assertEqual([c.call("result", id) for id in c.answer(many)], [b"d", b"c", [b"c", b"d"]])
        self.assertEqual(self.used(c, "parked_fds"), 0)
        self.end(c, [job])
        self.await_zero(c)

    def test_all_inputs_of_submit_many_or_none(self):
        c = self.start("jobs = 4")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 4)
        waits = c.send("submit_many", "bench/echo", list(range(3)), FOR_EVER)
        for i in range(3):
            self.waiting(c, 1)
            self.assertEqual(self.used(c, "jobs"), 4 - i)
            self.end(c, ids[i:i + 1])
        self.assertEqual([c.call("result", id) for id in c.answer(waits)], [0, 1, 2])
        self.end(c, ids)
        self.await_zero(c)

    def test_a_limit_of_all(self):
        c = self.start("jobs = 3\ntotal_jobs = 3\nfutures = 5\ntotal_futures = 5")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 3)
        waits = c.send("submit", "bench/echo", 1, FOR_EVER)
        self.waiting(c, 1)
        self.end(c, ids)
        self.assertEqual(c.call("result", c.answer(waits)), 1)

    # order

    def test_a_small_one_does_not_overtake_a_large_one(self):
        c, other = self.start("jobs = 4"), self.client()
        ids = c.call("submit_many", "bench/sleep", [LONG] * 4)
        large = c.send("submit_many", "bench/sleep", [LONG] * 3, FOR_EVER)
        self.waiting(c, 1)
        small = other.send("submit", "bench/echo", 1, FOR_EVER)
        self.waiting(other, 2)
        self.end(c, ids[:1])
        self.waiting(other, 2)
        self.end(c, ids[1:3])
        ids += c.answer(large)
        self.waiting(other, 1)
        self.end(c, ids)
        self.assertEqual(other.call("result", other.answer(small)), 1)
        self.await_zero(c)

    def test_who_does_not_wait_takes_what_there_is(self):
        c = self.start("jobs = 3")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        large = c.send("submit_many", "bench/echo", [1, 2], FOR_EVER)
        ids.append(c.call("submit", "bench/sleep", LONG))
        self.waiting(c, 1)
        self.end(c, ids)
        self.assertEqual(len(c.answer(large)), 2)

    def test_who_wants_nothing_of_that_limit_does_not_wait(self):
        c = self.start("jobs = 2")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        waits = c.send("submit", "bench/echo", 1, FOR_EVER)
        c.call("put", 1, FOR_EVER)
        self.waiting(c, 1)
        self.end(c, ids)
        c.answer(waits)

    # no

    def test_the_time_is_over(self):
        c = self.start("jobs = 3")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        large = c.send("submit_many", "bench/echo", [1, 2], SHORT)
        small = c.send("submit", "bench/echo", 1, SHORT)
        self.refused(c, large, "quota", "jobs")
        try:  # it was behind the other one, which leaves room for it
            c.call("release", [c.answer(small)])
        except Failure as failure:
            self.assertEqual(failure.code, "quota")
        self.end(c, ids)
        self.await_zero(c)

    def test_what_only_the_waiter_could_release_is_not_waited_for(self):
        c = self.start("futures = 3\nbytes = 8M\nfds = 10")
        for ttl in {}, {"ttl": 200_000}:
            kept = [c.call("put", n, ttl) for n in range(3)]
            self.refused(c, c.send("put", 4, FOR_EVER), "quota", "futures")
            self.refused(c, c.send("submit", "bench/echo", 4, FOR_EVER), "quota", "futures")
            self.refused(c, c.send("call", "bench/echo", 4, FOR_EVER), "quota", "futures")
            c.call("release", kept)
        fd = sealed(b"x" * (5 * MIB))
        kept = [c.call("put", fd_ext(0), fds=[fd]), c.call("put", 1, {"ttl": 500})]
        self.refused(c, c.send("put", fd_ext(0), FOR_EVER, fds=[fd]), "quota", "bytes")
        c.call("release", kept)
        os.close(fd)
        self.await_zero(c)

    def test_what_was_hoped_for_does_not_come(self):
        c = self.start("futures = 3")
        kept = [c.call("put", n) for n in range(2)]
        job = c.call("submit", "bench/sleep", LONG)
        waits = c.send("put", 3, FOR_EVER)
        self.waiting(c, 1)
        self.end(c, [job])
        self.refused(c, waits, "quota", "futures")
        c.call("release", [job])
        brief = c.call("put", 3, {"ttl": 500})
        waits = c.send("put", 4, FOR_EVER)
        self.waiting(c, 1)
        c.call("set", brief, {"ttl": 200_000})
        self.refused(c, waits, "quota", "futures")
        c.call("release", kept)
        self.await_zero(c)

    def test_what_never_fits_is_refused_at_once(self):
        c = self.start("jobs = 3\nbytes = 8M")
        ids = [c.call("submit", "bench/sleep", LONG)]
        self.refused(c, c.send("submit_many", "bench/echo", [0] * 4, FOR_EVER), "quota", "jobs")
        fd = sealed(b"x" * (9 * MIB))
        self.refused(c, c.send("put", fd_ext(0), FOR_EVER, fds=[fd]), "quota", "bytes")
        os.close(fd)
        self.end(c, ids)
        self.await_zero(c)

    def test_the_lobby_is_limited(self):
        c = self.start("jobs = 1\nbytes = 64M")
        job = c.call("submit", "bench/sleep", LONG)
        limit = c.call("stats")["limits"]["parked_bytes"]["max"]
        size = 900_000
        ids = [c.send("submit", "bench/echo", b"x" * size, FOR_EVER) for _ in range(limit // size)]
        self.waiting(c, len(ids))
        self.refused(c, c.send("submit", "bench/echo", b"x" * size, FOR_EVER), "quota", "parked_bytes")
        self.end(c, [job])
        for id in ids:
            c.answer(id)
        self.await_zero(c)
        job = c.call("submit", "bench/sleep", LONG)
        limit = c.call("stats")["limits"]["parked_fds"]["max"]
        fd = sealed(b"x")
        other = self.client()
        for _ in range(limit // 4):
            other.send("submit", "bench/echo", [fd_ext(i) for i in range(4)], FOR_EVER, fds=[fd] * 4)
        self.waiting(other, limit // 4)
        self.refused(c, c.send("submit", "bench/echo", [fd_ext(i) for i in range(4)], FOR_EVER, fds=[fd] * 4),
                     "quota", "parked_fds")
        other.close()
        os.close(fd)
        self.end(c, [job])
        self.await_zero(c)

    def test_a_request_that_is_wrong_does_not_wait(self):
        c = self.start("jobs = 1")
        job = c.call("submit", "bench/sleep", LONG)
        for request, code in ((("submit", "bench/nosuch", 1, FOR_EVER), "unknown_function"),
                              (("submit", "nosuch/noop", 1, FOR_EVER), "unknown_pool"),
                              (("submit", "bench/noop", 1, FOR_EVER | {"after": [1 << 50]}), "unknown_future"),
                              (("submit", "bench/noop", 1, {"admit_within": 0}), "bad_request"),
                              (("submit", "bench/noop", 1, {"admit_within": "soon"}), "bad_request"),
                              (("call", "bench/noop", 1, FOR_EVER | {"deliver": True}), "bad_request"),
                              (("wait", [job], FOR_EVER), "unknown_option")):
            self.assertEqual(c.error(*request).code, code)
        self.end(c, [job])
        self.await_zero(c)

    def test_a_key_that_is_known_does_not_wait(self):
        c = self.start("jobs = 2")
        ids = [c.call("submit", "bench/sleep", LONG, {"key": "k"}), c.call("submit", "bench/sleep", LONG)]
        waits = c.send("submit", "bench/echo", 1, FOR_EVER)
        self.assertEqual(c.call("submit", "bench/sleep", LONG, {"key": "k"} | FOR_EVER), ids[0])
        self.assertEqual(c.error("submit", "bench/sleep", 1, {"key": "k"} | FOR_EVER).code, "key_conflict")
        self.end(c, ids)
        c.answer(waits)
        self.await_zero(c)

    # what comes between

    def test_a_connection_that_closes_takes_its_requests_along(self):
        c, other = self.start("jobs = 2"), self.client()
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        fd = sealed(b"x")
        other.send("submit_many", "bench/echo", [fd_ext(0)] * 2, FOR_EVER, fds=[fd])
        self.waiting(other, 1)
        mine = c.send("submit", "bench/echo", 1, FOR_EVER)
        self.waiting(c, 2)
        os.close(fd)
        other.close()
        self.end(c, ids[:1])
        self.assertEqual(c.call("result", c.answer(mine)), 1)
        self.end(c, ids)
        self.await_zero(c)

    def stop_answers(self, stop):
        c = self.start("jobs = 2")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        waits = [c.send("submit", "bench/echo", n, FOR_EVER) for n in range(2)]
        self.waiting(c, 2)
        stop(c)
        for id in waits:
            with self.assertRaises(Failure) as caught:
                c.answer(id)
            self.assertEqual(caught.exception.code, "draining")
        return c, ids

    def test_a_pool_that_is_drained(self):
        c, ids = self.stop_answers(lambda c: c.send("drain", "bench"))
        self.end(c, ids)

    def test_a_daemon_that_finishes(self):
        c, ids = self.stop_answers(lambda c: c.send("shutdown", None, {"mode": "finish"}))
        ended = c.send("wait", ids)  # the daemon is gone when they are
        c.call("cancel", ids)
        c.answer(ended)

    def test_a_daemon_that_stops(self):
        self.stop_answers(lambda c: self.poold.process.send_signal(signal.SIGTERM))

    def test_a_reload_that_raises_the_limit_lets_in(self):
        c = self.start("jobs = 2")
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        waits = c.send("submit", "bench/sleep", LONG, FOR_EVER)
        large = c.send("submit_many", "bench/sleep", [LONG] * 2, FOR_EVER)
        self.waiting(c, 2)
        self.configure("jobs = 2", "jobs = 3")
        c.call("reload")
        ids.append(c.answer(waits))
        self.waiting(c, 1)
        self.configure("jobs = 3", "jobs = 1")
        c.call("reload")  # it fits no more
        self.refused(c, large, "quota", "jobs")
        self.end(c, ids)
        self.await_zero(c)

    def test_a_pool_that_goes(self):
        guest = "\n[pool guest]\nhandler = module\nmodule = bench\n"
        c = self.start("jobs = 2", extra=guest)
        ids = c.call("submit_many", "bench/sleep", [LONG] * 2)
        waits = [c.send("submit", pool + "/noop", 1, FOR_EVER) for pool in ("bench", "guest")]
        self.waiting(c, 2)
        self.configure(guest, "\n")
        c.call("reload")
        with self.assertRaises(Failure) as caught:
            c.answer(waits[1])
        self.assertEqual(caught.exception.code, "unknown_pool")
        self.waiting(c, 1)
        self.end(c, ids)
        c.answer(waits[0])
        self.await_zero(c)


if __name__ == "__main__":
    run_cases()
