"""Time: which clock ends a job, when it starts, when it runs again, and when it never does."""

import math
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import POOLS, run_cases
from wire import Client, sealed, fd_ext

POOLS_OF_TIME = POOLS + "\n[pool one]\nhandler = module\nmodule = bench\nworkers = 1\n"
TIMES = ["timeout", "grace", "ttl", "start_within", "deadline", "delay", "backoff"]


class Clocks(ClientCase):
    pools = POOLS_OF_TIME

    def submit(self, function, input, **options):
        return self.c.call("submit", function, input, options)

    def ends(self, id, code):
        failure = self.c.error("result", id)
        self.assertEqual(failure.code, code, failure.message)
        return failure

    def timed_out(self, id, clock):
        failure = self.ends(id, "timeout")
        self.assertEqual(failure.details, {"clock": clock})
        self.assertEqual(self.c.call("poll", id), "timeout")
        return failure

    def counting(self, script):
        """A command that adds a line to a file at each run: the file, and the input."""
        path = self.folder.at(f"runs.{self.id()}")
        return path, ["sh", "-c", f"echo $POOLD_ATTEMPT >> {path}; {script}"]

    def runs(self, path):
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return [int(line) for line in f]

    # ---- clocks ----

    def test_the_run_time_is_over(self):
        failure = self.timed_out(self.submit("exec", ["sleep", "60"], timeout=0.05), "timeout")
        self.assertIn("0.05", failure.message)

    def test_not_started_within_its_time(self):
        self.blockers(2)
        id = self.submit("bench/noop", None, start_within=0.05)
        failure = self.timed_out(id, "start_within")
        self.assertIn("0.05", failure.message)
        self.assertNotIn("started", self.c.call("info", id))

    def test_what_was_started_in_time_may_run_longer(self):
        id = self.submit("exec", ["sleep", "1.2"], start_within=1)
        self.assertEqual(self.c.call("result", id)["exit_code"], 0)

    def test_the_deadline_ends_what_waits_and_what_runs(self):
        running = self.submit("exec", ["sleep", "60"], deadline=0.5)
        delayed = self.submit("bench/noop", None, delay=60, deadline=0.05)
        self.blockers(2)
        waiting = self.submit("bench/noop", None, deadline=0.05)
        for id in running, delayed, waiting:
            self.timed_out(id, "deadline")
        self.assertEqual(self.c.call("info", running)["attempt"], 1)

    def test_the_earlier_clock_is_named(self):
        for options, clock in [({"timeout": 0.05, "deadline": 30}, "timeout"),
                               ({"timeout": 30, "deadline": 0.05}, "deadline")]:
            self.timed_out(self.submit("exec", ["sleep", "60"], **options), clock)

    def test_call_and_submit_many_have_the_same_clocks(self):
        failure = self.c.error("call", "exec", ["sleep", "60"], {"timeout": 0.05})
        self.assertEqual((failure.code, failure.details), ("timeout", {"clock": "timeout"}))
        failure = self.c.error("call", "bench/noop", None, {"delay": 60, "deadline": 0.05})
        self.assertEqual((failure.code, failure.details), ("timeout", {"clock": "deadline"}))
        ids = self.c.call("submit_many", "exec", [["sleep", "60"]] * 4, {"timeout": 0.05})
        for id in ids:
            self.timed_out(id, "timeout")

    def test_times_that_are_none_are_refused(self):
        for name in TIMES:
            for bad in 0, 0.0, -1, -0.5, math.nan, math.inf, 1e10, "1", None, True:
                failure = self.fails("bad_request", "submit", "bench/noop", None, {name: bad})
                self.assertIn(name, failure.message)
        century = self.submit("bench/noop", None, **dict.fromkeys(
            ["timeout", "start_within", "deadline", "backoff"], 3155760000))
        self.assertIsNone(self.c.call("result", century))

    # ---- delay ----

    def test_a_delayed_job_waits_for_its_time(self):
        asked, before = time.time(), time.monotonic()
        id = self.submit("bench/noop", None, delay=0.3)
        info = self.c.call("info", id)
        self.assertEqual(info["state"], "delayed")
        self.assertEqual(info["waits_for"]["kind"], "delay")
        self.assertGreaterEqual(info["waits_for"]["until"], asked + 0.29)
        self.assertLessEqual(info["waits_for"]["until"], time.time() + 0.31)
        self.c.call("result", id)
        self.assertGreaterEqual(time.monotonic() - before, 0.3)

    def test_a_delayed_job_is_cancelled_at_once(self):
        id = self.submit("bench/noop", None, delay=3600)
        self.assertEqual(self.c.call("cancel", [id]), [[id, "cancelled"]])
        self.ends(id, "cancelled")

    # ---- further runs ----

    def test_it_runs_again_until_it_succeeds(self):
        path, input = self.counting("test $POOLD_ATTEMPT = 3")
        before = time.monotonic()
        id = self.submit("exec", input, retries=5, retry_on=["failed"], backoff=0.05)
        self.assertEqual(self.c.call("result", id)["exit_code"], 0)
        self.assertGreaterEqual(time.monotonic() - before, 0.15)
        self.assertEqual(self.runs(path), [1, 2, 3])
        info = self.c.call("info", id)
        self.assertEqual(info["attempt"], 3)
        self.assertEqual([(a["attempt"], a["state"]) for a in info["attempts"]],
                         [(1, "failed"), (2, "failed"), (3, "done")])
        self.assertEqual([a["error"][0] for a in info["attempts"][:2]], ["exit", "exit"])
        times = [t for a in info["attempts"] for t in (a["started"], a["finished"])]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[2] - times[1], 0.045)
        self.assertGreaterEqual(times[4] - times[3], 0.095)

    def test_the_last_run_decides(self):
        path, input = self.counting("exit $POOLD_ATTEMPT")
        id = self.submit("exec", input, retries=2, retry_on=["failed"])
        self.assertEqual(self.ends(id, "exit").details["exit_code"], 3)
        self.assertEqual(self.runs(path), [1, 2, 3])

    def test_only_the_ends_that_were_named_count(self):
        path, input = self.counting("exit 1")
        self.ends(self.submit("exec", input, retries=3), "exit")
        self.ends(self.submit("exec", input, retries=3, retry_on=["timeout"]), "exit")
        self.ends(self.submit("exec", input, retry_on=["failed"]), "exit")
        self.assertEqual(self.runs(path), [1, 1, 1])

    def test_a_run_that_timed_out_may_be_repeated(self):
        path, input = self.counting("test $POOLD_ATTEMPT = 2 || exec sleep 60")
        id = self.submit("exec", input, retries=1, retry_on=["timeout"], timeout=1.5)
        self.assertEqual(self.c.call("result", id)["exit_code"], 0)
        first = self.c.call("info", id)["attempts"][0]
        self.assertEqual((first["state"], first["error"][2]), ("timeout", {"clock": "timeout"}))

    def test_a_lost_run_may_be_repeated(self):
        path, input = self.counting("test $POOLD_ATTEMPT = 2 || kill -9 $PPID")
        id = self.submit("exec", input, retries=1)
        self.assertEqual(self.c.call("result", id)["exit_code"], 0)
        first = self.c.call("info", id)["attempts"][0]
        self.assertEqual(first["error"][0], "lost")
        self.assertEqual((first["error"][2]["signal"], first["error"][2]["attempt"]),
                         (signal.SIGKILL, 1))

    def test_the_newest_attempts_are_kept(self):
        id = self.submit("bench/fail", ["broken", "once more"], retries=12, retry_on=["failed"])
        self.ends(id, "failed")
        info = self.c.call("info", id)
        self.assertEqual(info["attempt"], 13)
        self.assertEqual([a["attempt"] for a in info["attempts"]], list(range(5, 14)))
        self.assertEqual(info["attempts"][0]["error"][2]["message"], "once more")

    def test_a_deadline_within_the_back_off_ends_it_at_once(self):
        before = time.monotonic()
        id = self.submit("bench/fail", ["broken", ""], retries=3, retry_on=["failed"], backoff=60,
                         deadline=30)
        self.timed_out(id, "deadline")
        self.assertLess(time.monotonic() - before, 20)
        self.assertEqual([a["state"] for a in self.c.call("info", id)["attempts"]], ["failed"])

    def test_a_cancel_between_two_runs_is_the_end(self):
        path, input = self.counting("exit 1")
        id = self.submit("exec", input, retries=3, retry_on=["failed"], backoff=3600)
        while self.c.call("poll", id) != "delayed":
            pass
        self.assertEqual(self.c.call("cancel", [id]), [[id, "cancelled"]])
        self.ends(id, "cancelled")
        self.assertEqual(self.runs(path), [1])

    def test_what_is_read_is_of_one_run(self):
        path, input = self.counting("echo $POOLD_ATTEMPT; test $POOLD_ATTEMPT = 2")
        id = self.submit("exec", input, retries=2, retry_on=["failed"], delay=0.05)

        def read(offset, attempt, timeout=60):
            return self.c.call("read", id, offset, 100, {"stream": "stdout", "timeout": timeout, "attempt": attempt})

        self.assertEqual(read(0, 0, timeout=0), [b"", False, 1])
        self.c.call("wait", [id])
        self.assertEqual(read(0, 1), [b"", True, 2])
        self.assertEqual(read(0, 2), [b"2\n", True, 2])
        self.assertEqual(read(0, 0), [b"2\n", True, 2])
        self.assertEqual(self.c.call("read", id, 0, 100, {"stream": "stdout"}), [b"2\n", True])
        self.fails("bad_request", "read", id, 0, 100, {"attempt": 1})
        self.fails("bad_request", "read", id, 0, 100, {"stream": "stdout", "attempt": "first"})

    def test_a_cancel_wins_over_a_retry(self):
        path, input = self.counting("trap '' TERM; echo on; while :; do sleep 1; done")
        id = self.submit("exec", input, retries=3, retry_on=["timeout", "failed", "lost"],
                         timeout=0.2, grace=0.3)
        while self.c.call("poll", id) != "cancelling":
            pass
        self.assertEqual(self.c.call("cancel", [id]), [[id, "cancelling"]])
        self.ends(id, "cancelled")
        self.assertIn(self.runs(path), ([1], []))  # it may have had no time to begin

    def test_a_job_that_kills_its_workers_is_poison(self):
        for options in {"retries": 1000}, {"retries": 2, "backoff": 0.01}:
            id = self.submit("bench/crash", signal.SIGSEGV, **options)
            failure = self.ends(id, "poison")
            self.assertEqual(self.c.call("poll", id), "failed")
            deaths = failure.details["deaths"]
            self.assertEqual([d["attempt"] for d in deaths], [1, 2, 3])
            self.assertEqual({d["signal"] for d in deaths}, {signal.SIGSEGV})
            self.assertEqual(len({d["pid"] for d in deaths}), 3)

    def test_refused_wishes(self):
        for bad in -1, 1001, 1.5, "1", None:
            self.assertIn("retries", self.fails("bad_request", "submit", "bench/noop", None,
                                                {"retries": bad}).message)
        for bad in "lost", ["done"], [1], {"lost": True}, None:
            self.assertIn("retry_on", self.fails("bad_request", "submit", "bench/noop", None,
                                                 {"retry_on": bad}).message)
        self.assertEqual(self.c.call("hello")["limits"]["retries"], 1000)
        self.assertIn("delay", self.fails("unknown_option", "put", 1, {"delay": 1}).message)

    # ---- method retry ----

    def test_retry_is_a_new_job(self):
        path, input = self.counting(f"test -e {self.folder.at('mended')}")
        id = self.submit("exec", input, label="x", group="g", retries=1, retry_on=["failed"])
        self.ends(id, "exit")
        open(self.folder.at("mended"), "w").close()
        again = self.c.call("retry", id)
        self.assertNotEqual(again, id)
        self.assertEqual(self.c.call("result", again)["exit_code"], 0)
        self.assertEqual(self.runs(path), [1, 2, 1])
        info = self.c.call("info", again)
        self.assertEqual((info["label"], info["group"], info["retry_of"]), ("x", "g", id))
        self.assertEqual(self.c.call("poll", id), "failed")

    def test_retry_has_large_inputs_too(self):
        for input, fds in [b"x" * 200_000, ()], [fd_ext(0), (sealed(b"y" * 300_000),)]:
            id = self.c.call("submit", "bench/fail", input, fds=fds)
            self.ends(id, "failed")
            again = self.c.call("retry", id)
            self.ends(again, "failed")
            bytes = [self.c.call("info", i)["bytes"]["in"] for i in (id, again)]
            self.assertEqual(bytes[0], bytes[1])
            self.assertGreaterEqual(bytes[0], 200_000)
            self.assertEqual(self.c.call("release", [id, again]), 2)

    def test_retry_of_what_cannot_be_repeated(self):
        done = self.submit("bench/noop", None)
        self.c.call("result", done)
        waiting = self.submit("bench/noop", None, delay=3600)
        self.fails("bad_request", "retry", done)
        self.fails("bad_request", "retry", self.c.call("put", 1))
        self.fails("not_ready", "retry", waiting)
        self.fails("unknown_future", "retry", (1 << 53) - 1)
        self.c.call("cancel", [waiting])
        again = self.c.call("retry", waiting)
        self.assertIsNone(self.c.call("result", again))

    def test_nothing_is_held_at_the_end(self):
        with Client(self.folder.socket) as c:
            c.call("release", [i["id"] for i in c.call("list")])
            limits = c.call("stats")["total_limits"]
        for name in "jobs", "futures", "fds":
            self.assertEqual(limits[name]["used"], 0, name)


if __name__ == "__main__":
    run_cases()
