"""Futures as inputs (ext type 2), on the wire: what a job gets, what becomes of it when they end badly, what is
refused."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client, Closed, fd_ext, future_ext, msgpack, sealed

UNFINISHED = ["delayed", "blocked", "queued", "running", "cancelling"]
ref = future_ext


class Inputs(DaemonCase):
    def setUp(self):
        self.c = Client(self.folder.socket, fds=True)

    def tearDown(self):
        self.c.call("cancel", {"state": UNFINISHED}, {"mode": "kill"})
        self.c.call("wait", {})
        self.c.call("release", {})
        self.assertEqual(self.used("futures"), 0)
        self.assertEqual(self.used("fds"), 0)
        self.c.close()

    def used(self, limit):
        return self.c.call("stats")["limits"][limit]["used"]

    def fails(self, code, method, *params, fds=()):
        failure = self.c.error(method, *params, fds=fds)
        self.assertEqual(failure.code, code, failure.message)
        return failure

    def submit(self, function="bench/noop", input=None, **options):
        return self.c.call("submit", function, input, options)

    def blocker(self, us=60_000_000):
        return self.submit("bench/sleep", us)

    def put_bytes(self, data):
        fd = sealed(data)
        try:
            return self.c.call("put", fd_ext(0), fds=[fd])
        finally:
            os.close(fd)

    def result_bytes(self, value):
        """A byte string, inline or beside."""
        if isinstance(value, bytes):
            return value
        self.assertEqual(value, fd_ext(0))
        fd = self.c.fds.pop()
        try:
            return os.pread(fd, 1 << 26, 0)
        finally:
            os.close(fd)

    # what a job gets

    def test_a_value_stands_anywhere_in_an_input(self):
        a, b = self.c.call("put", {"k": [1, 2]}), self.submit("bench/echo", "b")
        self.assertEqual(self.c.call("call", "bench/echo", ref(a)), {"k": [1, 2]})
        self.assertEqual(self.c.call("call", "bench/echo", [ref(b), {"x": ref(a)}, ref(b), 7]),
                         ["b", {"x": {"k": [1, 2]}}, "b", 7])

    def test_byte_strings_beside_keep_their_places(self):
        small, one, two = self.c.call("put", b"-"), self.put_bytes(b"1" * 100_000), self.put_bytes(b"2" * 70_000)
        own = sealed(b"0" * 80_000)
        # the value of a future may have several, of its own and of others
        both = self.c.call("submit", "bench/echo", [ref(two), "x", ref(one)])
        got = self.c.call("call", "bench/concat", [ref(two), fd_ext(0), ref(small), ref(one)], fds=[own])
        os.close(own)
        self.assertEqual(self.result_bytes(got), b"2" * 70_000 + b"0" * 80_000 + b"-" + b"1" * 100_000)
        again = self.c.call("call", "bench/echo", [ref(one), ref(both), ref(two)])
        self.assertEqual(again, [fd_ext(0), [fd_ext(1), "x", fd_ext(0)], fd_ext(1)]
                         if len(self.c.fds) == 2 else [fd_ext(0), [fd_ext(1), "x", fd_ext(2)], fd_ext(3)])

    def test_long_encodings_travel_in_memfds(self):
        long = list(range(40_000))
        a, b = self.c.call("put", long), self.c.call("put", list(range(39_000)))
        for _ in range(3):
            self.assertEqual(self.c.call("call", "bench/add", ref(a)), sum(long))
        # beside an input that lies in one itself, and with fds inside
        fd = sealed(b"x" * 9)
        mixed = self.c.call("put", [fd_ext(0), *range(40_000)], fds=[fd])
        os.close(fd)
        for _ in range(3):
            self.assertIsNone(self.c.call("call", "bench/noop", [ref(b), ref(mixed), *range(40_000)]))
        for first in b, mixed:
            self.fails("too_large", "call", "bench/echo", [ref(first), 1])

    def test_many_values_travel_as_one_memfd(self):
        ids = self.c.call("submit_many", "bench/echo", [i for i in range(1000)])
        self.assertEqual(self.c.call("call", "bench/add", [ref(i) for i in ids]), 499_500)
        parts = [bytes([i]) * 5000 for i in range(200)]
        ids = [self.c.call("put", part) for part in parts]
        big = self.put_bytes(b"big" * 30_000)
        got = self.c.call("call", "bench/concat", [ref(big), *[ref(i) for i in ids]])
        self.assertEqual(self.result_bytes(got), b"big" * 30_000 + b"".join(parts))

    def test_a_job_without_a_result_gives_nil(self):
        self.assertEqual(self.c.call("call", "bench/echo", [ref(self.submit())]), [None])

    def test_a_command_reads_a_future(self):
        object = self.put_bytes(b"line\n" * 50_000)
        count = self.submit("exec", {"argv": ["wc", "-l"], "stdin": ref(object)})
        again = self.submit("exec", {"argv": ["sh", "-c", "read n; echo $((n + 1))"], "stdin": ref(count)})
        self.assertEqual(self.c.call("result", again)["stdout"], b"50001\n")
        number = self.c.call("put", 5)
        self.assertIn("stdin", self.fails("failed", "call", "exec",
                                          {"argv": ["cat"], "stdin": ref(number)}).message)

    # chains and trees

    def test_a_chain_of_a_thousand(self):
        ids = [self.submit("bench/echo", 1)]
        for _ in range(1000):
            ids.append(self.submit("bench/add", [ref(ids[-1]), 1]))
            self.c.call("release", ids[-2:-1])
        self.assertEqual(self.c.call("result", ids[-1]), 1001)
        self.assertEqual(self.used("futures"), 1)

    def test_a_tree_reduces_a_thousand_parts(self):
        level = self.c.call("submit_many", "bench/echo", [i for i in range(1000)])
        while len(level) > 1:
            level = self.c.call("submit_many", "bench/add",
                                [[ref(i) for i in level[n:n + 10]] for n in range(0, len(level), 10)])
        self.assertEqual(self.c.call("result", level[0]), 499_500)

    def test_submit_many_names_futures(self):
        a, first = self.c.call("put", 5), self.blocker(20_000)
        ids = self.c.call("submit_many", "bench/add", [[ref(a), n] for n in range(100)], {"after": [first]})
        self.assertEqual(sorted(self.c.call("wait", ids)), [[id, "done"] for id in ids])
        self.assertEqual([self.c.call("result", id) for id in ids], [5 + n for n in range(100)])

    # what keeps a value

    def test_the_last_user_frees(self):
        before = self.used("bytes")
        object = self.put_bytes(b"\1" * 1_000_000)
        blocker = self.blocker()
        job = self.submit("bench/sum", ref(object), after=[blocker])
        self.assertEqual(self.c.call("release", [object]), 1)
        self.fails("unknown_future", "poll", object)
        self.fails("unknown_future", "submit", "bench/sum", ref(object))
        self.assertGreater(self.used("bytes"), before + 1_000_000)
        self.c.call("cancel", [blocker], {"mode": "kill"})
        self.fails("aborted", "result", job)
        self.c.call("release", [blocker])
        # it may be tried again, so it has its input still
        self.assertGreater(self.used("bytes"), before + 1_000_000)
        again = self.c.call("retry", job)
        self.assertEqual(self.c.call("result", again), 1_000_000)
        self.c.call("release", [job])
        self.c.call("release", [again])
        self.assertLess(self.used("bytes"), before + 100_000)

    def test_an_expired_object_stays_for_its_jobs(self):
        object = self.c.call("put", 41, {"ttl": 0.01})
        blocker = self.blocker()
        job = self.submit("bench/add", [ref(object), 1], after_any=[blocker])
        while self.c.call("wait", [object], {"timeout": 0}) != [[object, "expired"]]:
            pass
        self.fails("expired", "submit", "bench/echo", ref(object))
        self.c.call("cancel", [blocker])
        self.assertEqual(self.c.call("result", job), 42)

    def test_a_chain_of_the_aborted_is_forgotten_at_once(self):
        ids = [self.blocker()]
        for _ in range(3000):
            ids.append(self.submit("bench/echo", ref(ids[-1])))
        self.c.call("cancel", ids[:1])
        self.c.call("wait", ids)
        self.assertEqual(self.c.call("info", ids[-1])["error"][2], {"cause": "input", "id": ids[0]})
        self.c.call("release", ids[:-1])
        self.c.call("release", ids[-1:])
        self.assertEqual(self.used("futures"), 0)

    # bad ends

    def test_it_is_blocked_and_says_by_whom(self):
        first = self.blocker()
        second = self.submit("bench/echo", ref(first))
        info = self.c.call("info", second)
        self.assertEqual(info["state"], "blocked")
        self.assertEqual({k: info["waits_for"][k] for k in ("kind", "id")}, {"kind": "dependency", "id": first})
        self.assertEqual(self.c.call("cancel", [second]), [[second, "cancelled"]])
        self.assertEqual(self.c.call("poll", first), "running")

    def test_a_failed_input_aborts_with_its_root(self):
        first = self.submit("bench/fail", ["no", "reason"])
        second = self.submit("bench/echo", [ref(first)])
        third = self.submit("bench/echo", [ref(second)], retries=3, retry_on=["failed", "lost"])
        for id in second, third:
            failure = self.fails("aborted", "result", id)
            self.assertEqual(failure.details, {"cause": "input", "id": first})
        self.assertEqual(self.fails("aborted", "call", "bench/echo", ref(third)).details["id"], first)
        self.assertEqual(self.c.call("poll", self.c.call("retry", third)) in ("blocked", "aborted"), True)

    def test_the_real_end_of_an_input_counts(self):
        count = self.folder.at("count")
        first = self.submit("exec", {"argv": f"echo >> {count}; test $(wc -l < {count}) -ge 3", "shell": True},
                            retries=5, retry_on=["failed"])
        second = self.submit("bench/echo", [ref(first)])
        self.assertEqual(self.c.call("result", second)[0]["exit_code"], 0)

    def test_a_lost_job_has_its_inputs_again(self):
        object, big = self.c.call("put", 9), self.put_bytes(b"\1" * 100_000)
        first = self.submit("bench/crash", ref(object), retries=1)
        self.fails("lost", "result", first)
        self.assertEqual(self.c.call("info", first)["attempt"], 2)
        # fresh workers have no cache
        self.assertEqual(self.c.call("call", "bench/sum", ref(big)), 100_000)

    # what is refused

    def test_ids_that_are_not_there_refuse_the_submit(self):
        gone = self.c.call("put", 1)
        self.c.call("release", [gone])
        for id in gone, 2**53 - 1:
            self.assertIn(str(id), self.fails("unknown_future", "submit", "bench/echo", [ref(id)]).message)
            self.fails("unknown_future", "call", "bench/echo", ref(id))
        known = self.c.call("put", 1)
        self.assertIn(str(gone), self.fails("unknown_future", "submit_many", "bench/echo",
                                            [ref(known), [ref(known), ref(gone)], 3]).message)
        # neither itself nor what the same request makes
        for n in 1, 2, 3:
            self.fails("unknown_future", "submit_many", "bench/echo", [1, 2, ref(known + n)])
        self.assertEqual(self.used("futures"), 1)

    def test_what_is_no_id_is_refused(self):
        for id in 2**53, 2**64 - 1:
            self.fails("bad_request", "submit", "bench/echo", [ref(id)])
        for payload in b"", b"\0", b"\0" * 4, b"\0" * 7, b"\0" * 9, b"\0" * 16:
            with Client(self.folder.socket) as other:
                with self.assertRaises(Closed):
                    other.call("submit", "bench/echo", [msgpack.ExtType(2, payload)])

    def test_futures_stand_in_inputs_only(self):
        a = self.c.call("put", 1)
        self.fails("bad_request", "put", ref(a))
        self.fails("bad_request", "put", {"x": [ref(a)]})
        self.fails("bad_request", "submit", ref(a), 1)
        self.fails("bad_request", "poll", ref(a))
        self.fails("bad_request", "wait", [ref(a)])
        self.fails("bad_request", "submit", "bench/echo", 1, {"label": ref(a)})
        self.fails("bad_request", "submit", "bench/echo", 1, {"after": [ref(a)]})

    def test_too_many_are_refused(self):
        ids = [self.c.call("put", n) for n in range(1025)]
        self.assertEqual(self.c.call("call", "bench/add", [ref(i) for i in ids[:1024]]), 523_776)
        self.fails("too_large", "submit", "bench/add", [ref(i) for i in ids])
        # each counts once
        self.assertEqual(self.c.call("call", "bench/add", [ref(ids[1])] * 5000), 5000)

    def test_more_fds_than_a_run_may_have(self):
        ids = [self.put_bytes(b"\1" * 70_000) for _ in range(65)]
        self.assertEqual(len(self.result_bytes(self.c.call("call", "bench/concat", [ref(i) for i in ids[:64]]))),
                         64 * 70_000)
        self.assertIn("job_fds", self.fails("too_large", "submit", "bench/concat", [ref(i) for i in ids]).message)
        # known only when they are done
        blocker = self.blocker()
        late = self.c.call("submit_many", "bench/echo", [ref(i) for i in ids], {"after_any": [blocker]})
        job = self.submit("bench/concat", [ref(i) for i in late])
        self.c.call("cancel", [blocker])
        failure = self.fails("too_large", "result", job)
        self.assertEqual(failure.details, {"limit": "job_fds", "value": 65, "max": 64})
        self.assertEqual(self.c.call("call", "bench/noop", None), None)

    def test_a_key_knows_what_it_named(self):
        a, b = self.c.call("put", 1), self.c.call("put", 1)
        job = self.submit("bench/add", [ref(a)], key="k")
        self.c.call("wait", [job])
        self.c.call("release", [a])
        self.assertEqual(self.submit("bench/add", [ref(a)], key="k"), job)
        self.fails("key_conflict", "submit", "bench/add", [ref(b)], {"key": "k"})


if __name__ == "__main__":
    run_cases()
