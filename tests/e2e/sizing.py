"""How many workers there are: sizes, replacement while they serve, workers that die at start, and what operators
do to pools."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import BUILD, PATIENCE, run_cases
from wire import Client, Failure

SECONDS = float(os.environ.get("POOLD_TEST_SECONDS", 2))
TEST_MODULES = os.path.join(BUILD, "tests", "unit", "modules", ".libs")


def pool(name, module="bench", **keys):
    return f"[pool {name}]\nhandler = module\nmodule = {module}\n" + "".join(
        f"{key} = {value}\n" for key, value in keys.items())


class SizingCase(ClientCase):
    def pool(self, name):
        return next(p for p in self.c.call("pools") if p["name"] == name)

    def count(self, name, *states):
        return sum(self.pool(name)["workers"][state] for state in states)

    def await_that(self, condition):
        self.poold.await_that(condition, self.id())

    def await_ready(self, name, n):
        self.await_that(lambda: self.count(name, "idle", "busy") == n and
                        len(self.c.call("workers", {"pool": name})) == n)

    def pids(self, name):
        return {w["pid"] for w in self.c.call("workers", {"pool": name}) if w["state"] in ("idle", "busy")}


class Sizes(SizingCase):
    pools = (pool("fixed", workers=2) + pool("spare", workers=4, sizing="dynamic", min_spare=1, max_spare=2,
                                             idle_timeout="50ms") +
             pool("late", workers=2, sizing="ondemand", idle_timeout="50ms") +
             pool("jobs", workers=2, max_jobs=20) + pool("age", workers=2, max_age="100ms") +
             pool("leak", os.path.join(TEST_MODULES, "proof.so"), workers=1, max_rss="40M") +
             pool("small", workers=1, max_rss="8K") + pool("ready", workers=1, standby=1))

    def test_a_dynamic_pool_grows_with_its_work_and_shrinks_without(self):
        self.await_ready("spare", 1)
        ids = self.c.call("submit_many", "spare/sleep", [60_000_000] * 2, {"attached": True})
        self.await_that(lambda: (self.count("spare", "busy"), self.count("spare", "idle")) == (2, 1))
        ids += self.c.call("submit_many", "spare/sleep", [60_000_000] * 4, {"attached": True})
        self.await_that(lambda: self.count("spare", "busy") == 4)
        spare = self.pool("spare")  # one answer: between two, what was handed ahead may come back
        self.assertEqual(spare["queued"] + spare["handed_ahead"], 2)
        self.c.call("cancel", ids)
        self.c.call("wait", ids)
        self.await_that(lambda: 1 <= self.count("spare", "idle") <= 2 and
                        self.count("spare", "busy", "leaving", "starting") == 0)

    def test_an_ondemand_pool_has_no_worker_without_work(self):
        self.assertEqual(self.c.call("call", "late/echo", 7), 7)
        self.await_that(lambda: not self.c.call("workers", {"pool": "late"}))
        self.assertEqual(self.c.call("call", "late/echo", 8), 8)
        self.assertGreaterEqual(self.pool("late")["spawned"], 2)

    def serve(self, name, until):
        """Keeps a pool at work; its two workers serve all the while."""
        self.await_ready(name, 2)
        with Client(self.folder.socket) as looker:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                ids = self.c.call("submit_many", name + "/noop_serial", [None] * 50)
                for _ in range(10):
                    workers = next(p for p in looker.call("pools") if p["name"] == name)["workers"]
                    self.assertGreaterEqual(workers["idle"] + workers["busy"], 2, workers)
                self.assertEqual({s for _, s in self.c.call("wait", ids)}, {"done"})
                self.c.call("release", ids)
                if until():
                    return
        self.fail("nothing was replaced")

    def test_replacement_after_max_jobs_is_warm(self):
        self.serve("jobs", lambda: self.pool("jobs")["spawned"] >= 40)
        self.assertEqual(self.pool("jobs")["deaths"], 0)

    def test_replacement_after_max_age_is_warm(self):
        first = self.pids("age")
        self.serve("age", lambda: not first & self.pids("age"))
        self.assertEqual(self.pool("age")["deaths"], 0)

    def test_a_worker_that_grew_beyond_max_rss_is_replaced(self):
        self.await_ready("leak", 1)
        first = self.pids("leak")
        for _ in range(100):
            self.c.call("call", "leak/leak", None)
        self.await_that(lambda: not first & self.pids("leak"))
        self.assertEqual(self.pool("leak")["deaths"], 0)

    def test_who_is_on_standby_takes_the_place_of_who_dies(self):
        self.await_ready("ready", 2)
        self.assertEqual(self.pool("ready")["workers"]["standby"], 1)
        before = self.pids("ready")
        running = self.c.call("submit", "ready/sleep", 60_000_000)
        self.await_that(lambda: self.count("ready", "busy") == 1)
        waiting = self.c.call("submit", "ready/noop_serial", None)
        self.assertEqual((self.c.call("poll", waiting), self.count("ready", "idle")), ("queued", 1))
        dead = self.c.call("info", running)["worker_pid"]
        os.kill(dead, signal.SIGKILL)
        self.assertEqual(self.c.call("wait", [running, waiting]), [[running, "lost"], [waiting, "done"]])
        by_pid = {w["pid"]: w["answered"] for w in self.c.call("workers", {"pool": "ready"})}
        self.assertEqual([by_pid[pid] for pid in before - {dead}], [1])
        self.await_ready("ready", 2)
        self.assertEqual(self.pool("ready")["deaths"], 1)

    def test_max_rss_below_a_fresh_worker_fails_the_pool(self):
        self.await_that(lambda: self.pool("small")["state"] == "failed")
        self.assertIn("max_rss of 8 KiB is below the size of a fresh worker", self.pool("small")["reason"])
        self.assertIn("max_rss", self.fails("internal", "submit", "small/noop", None).message)
        self.await_that(lambda: not self.c.call("workers", {"pool": "small"}))

    def test_resize_grows_at_once_and_never_kills_a_job(self):
        self.await_ready("fixed", 2)
        self.assertIs(self.c.call("resize", "fixed", {"workers": 4}), True)
        self.await_ready("fixed", 4)
        ids = self.c.call("submit_many", "fixed/sleep", [300_000] * 4)
        self.await_that(lambda: self.count("fixed", "busy") == 4)
        self.assertIs(self.c.call("resize", "fixed", {"workers": 2}), True)
        more = self.c.call("submit_many", "fixed/noop", [None] * 20)
        self.assertEqual({s for _, s in self.c.call("wait", ids + more)}, {"done"})
        self.await_ready("fixed", 2)
        self.assertEqual(self.pool("fixed")["deaths"], 0)

    def test_resize_names_what_is_wrong(self):
        self.fails("unknown_pool", "resize", "no-such", {"workers": 1})
        self.fails("bad_request", "resize", None, {"workers": 1})
        self.fails("unknown_option", "resize", "fixed", {"wokers": 1})
        for options, word in (({"workers": 0}, "4096"), ({"workers": 5000}, "4096"),
                              ({"min_spare": 1, "max_spare": 2}, "dynamic")):
            self.assertIn(word, self.fails("bad_request", "resize", "fixed", options).message)
        for options in {"min_spare": 5}, {"max_spare": 0}:
            self.fails("bad_request", "resize", "spare", options)


class Operators(SizingCase):
    pools = pool("a", workers=2) + pool("b", workers=1) + "[pool run]\nhandler = exec\nworkers = 2\n"

    def tearDown(self):
        self.c.call("resume")
        super().tearDown()

    def test_pause_takes_all_inboxes_back(self):
        fifo = self.folder.at("fifo")
        os.mkfifo(fifo)
        gate = os.open(fifo, os.O_RDWR)  # so that what is in it stays
        self.addCleanup(os.close, gate)
        running = self.c.call("submit_many", "run/exec", [["sh", "-c", "echo on; read x <" + fifo]] * 2)
        for id in running:
            self.c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
        waiting = self.c.call("submit_many", "run/exec", [["true"]] * 50)
        self.assertIs(self.c.call("pause", "run"), True)
        self.assertEqual((self.pool("run")["state"], self.pool("run")["paused"]), ("paused", True))
        self.assertEqual((self.pool("run")["handed_ahead"], self.pool("run")["queued"]), (0, 50))
        waiting += [self.c.call("submit", "run/exec", ["true"])]
        os.write(gate, b"\n\n")
        self.assertEqual({s for _, s in self.c.call("wait", running)}, {"done"})
        self.assertEqual(self.c.call("call", "b/echo", 1), 1)  # others go on
        self.assertEqual(self.c.call("wait", waiting, {"timeout": 0}), [])
        self.assertIs(self.c.call("resume", "run"), True)
        self.assertEqual({s for _, s in self.c.call("wait", waiting)}, {"done"})

    def test_drain_tells_what_is_left_and_can_wait(self):
        ids = self.c.call("submit_many", "a/sleep", [100_000] * 5)
        left, = self.c.call("drain", "a")
        self.assertEqual((left["name"], left["draining"], left["jobs"]), ("a", True, 5))
        self.assertIn("drained", self.fails("draining", "submit", "a/noop", None).message)
        self.assertEqual(self.c.call("drain", "a", {"wait": True, "timeout": 0.01})[0]["draining"], True)
        self.fails("bad_request", "drain", "a", {"wait": True, "timeout": 0})
        left, = self.c.call("drain", "a", {"wait": True})
        self.assertEqual(left, {"name": "a", "draining": True, "jobs": 0, "running": 0, "workers": 0})
        self.assertEqual({s for _, s in self.c.call("wait", ids)}, {"done"})
        self.assertEqual(self.pool("a")["state"], "draining")
        self.assertEqual(self.c.call("call", "b/echo", 1), 1)
        self.c.call("resume", "a")
        self.await_ready("a", 2)
        self.assertEqual(self.c.call("call", "a/echo", 1), 1)

    def test_a_drain_of_all_ends_with_a_resume(self):
        self.c.call("pause")
        id = self.c.call("submit", "a/noop", None)
        with Client(self.folder.socket) as other:
            number = other.send("drain", None, {"wait": True})
            self.await_that(lambda: self.pool("b")["draining"])
            self.c.call("resume")
            left = other.answer(number)
        self.assertEqual([p["name"] for p in left], ["a", "b", "run"])
        self.assertEqual({p["draining"] for p in left}, {False})
        self.assertEqual(self.c.call("wait", [id]), [[id, "done"]])


class Broken(SizingCase):
    pools = (pool("init", os.path.join(TEST_MODULES, "bad_init_aborts.so"), workers=4) +
             pool("preload", os.path.join(TEST_MODULES, "bad_preload_aborts.so"), workers=4) +
             pool("job", workers=1) + pool("many", workers=32))

    def test_a_module_that_aborts_in_init(self):
        self.await_that(lambda: self.pool("init")["failed_starts"] >= 5)
        p = self.pool("init")
        self.assertEqual(p["state"], "degraded")
        self.assertIn("no licence for this", p["reason"])
        self.assertLessEqual(p["spawned"], 7)
        self.assertIn("no licence for this", self.fails("internal", "submit", "init/nothing", None).message)

    def test_a_module_that_aborts_in_preload(self):
        self.await_that(lambda: self.pool("preload")["state"] == "failed")
        self.assertEqual(self.pool("preload")["spawned"], 0)
        self.assertIn("signal 6", self.fails("internal", "submit", "preload/nothing", None).message)

    def test_a_module_that_aborts_in_its_first_job(self):
        waiting = []
        while True:
            with Client(self.folder.socket) as c:
                failure = None
                try:
                    waiting.append(c.call("submit", "job/crash", 6))
                except Exception as e:
                    failure = e
            if failure:
                break
            self.c.call("wait", waiting)
        self.assertIn("a worker died in its first job: signal 6", str(failure))
        self.assertLessEqual(self.pool("job")["spawned"], 7)
        self.assertEqual(self.pool("job")["state"], "degraded")
        self.assertEqual({self.c.call("poll", id) for id in waiting}, {"lost"})
        self.await_ready("job", 1)
        self.assertEqual(self.c.call("call", "job/echo", 1), 1)
        self.assertEqual(self.pool("job")["state"], "ready")

    def test_of_many_workers_few_die_in_first_jobs(self):
        self.await_ready("many", 32)
        lost, refused, end = [], 0, time.monotonic() + SECONDS
        while time.monotonic() < end or not refused:
            try:
                lost.append(self.c.call("submit", "many/crash", 6))
                self.c.call("wait", lost[-1:])
            except Failure as failure:
                self.assertIn("a worker died in its first job: signal 6", failure.message)
                refused += 1
        self.assertEqual({self.c.call("poll", id) for id in lost}, {"lost"})
        p = self.pool("many")
        self.assertLessEqual(p["spawned"] - 32, 20)
        self.assertLessEqual(len(lost), 20)
        self.assertGreaterEqual(self.count("many", "idle"), 20)
        self.assertEqual(p["state"], "degraded")
        log = [line for line in self.poold.said().splitlines() if "many" in line]
        self.assertLessEqual(len(log), 100)
        print(f"{p['spawned'] - 32} forks, {len(lost)} lost, {refused} refused, {len(log)} lines")

        def is_answered():
            try:
                return self.c.call("call", "many/echo", 1) == 1
            except Failure:
                return False
        self.await_that(is_answered)  # when the time for the next trial has come
        self.assertEqual(self.pool("many")["state"], "ready")
        self.await_ready("many", 32)


if __name__ == "__main__":
    run_cases()
