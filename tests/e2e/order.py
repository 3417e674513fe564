"""What goes first, how that is changed while it waits, and what a waiting job says that it waits for."""

import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client

POOLS = """
[pool default]
handler = exec
workers = 1

[pool bench]
handler = module
module = bench
workers = 1
ahead = 0

[pool aged]
handler = module
module = bench
workers = 1
ahead = 0
ageing = 1ms
"""


class Order(DaemonCase):
    pools = POOLS

    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.close()

    def block(self, pool="bench"):
        """The pool's only worker is busy until this is cancelled."""
        id = self.c.call("submit", f"{pool}/sleep", 60_000_000, {"attached": True})
        while self.c.call("poll", id) != "running":
            pass
        return id

    def submit(self, pool="bench", **options):
        return self.c.call("submit", f"{pool}/noop", None, options)

    def order(self, blocker, ids):
        """In which order they run once the way is free."""
        self.c.call("cancel", [blocker])
        self.assertEqual({state for _, state in self.c.call("wait", ids)}, {"done"})
        return [id for id, _ in self.c.call("wait", ids)]

    # order

    def test_priority_then_first_come_first_served(self):
        blocker = self.block()
        low, a, b, high = (self.submit(priority=n) for n in (-1, 0, 0, 1))
        self.assertEqual(self.order(blocker, [low, a, b, high]), [high, a, b, low])

    def test_a_job_that_waited_long_goes_before_one_of_higher_priority(self):
        blocker = self.block("aged")
        old = self.submit("aged")
        while self.c.call("info", old)["timing"]["queued"] < 0.02:
            pass
        young, highest = self.submit("aged", priority=10), self.submit("aged", priority=2**31 - 1)
        self.assertEqual(self.order(blocker, [old, young, highest]), [highest, old, young])

    # set

    def test_set_priority_counts_for_what_waits(self):
        blocker = self.block()
        a, b, c, d = (self.submit() for _ in range(4))
        self.assertIs(self.c.call("set", c, {"priority": 7}), True)
        self.c.call("set", a, {"priority": -7})
        self.c.call("set", d, {"priority": 3})
        self.c.call("set", d, {"priority": 0})
        self.assertEqual(self.c.call("info", c)["priority"], 7)
        self.assertEqual(self.order(blocker, [a, b, c, d]), [c, b, d, a])

    def test_set_label(self):
        before = self.c.call("stats")["limits"]["bytes"]["used"]
        id = self.c.call("put", 1, {"label": "first"})
        for label in "second", "x" * 256:
            self.c.call("set", id, {"label": label})
            self.assertEqual(self.c.call("info", id)["label"], label)
            self.assertEqual([i["id"] for i in self.c.call("list", {"label": label})], [id])
        self.c.call("set", id, {"label": ""})
        self.assertNotIn("label", self.c.call("info", id))
        self.c.call("set", id)
        self.c.call("release", [id])
        used = self.c.call("stats")["limits"]["bytes"]["used"]
        self.assertEqual(used, before)

    def test_set_ttl_of_what_is_over_counts_from_its_end(self):
        id = self.c.call("put", 1)
        self.c.call("set", id, {"ttl": 0.001})
        while self.c.call("wait", [id]) != [[id, "expired"]]:
            pass
        job = self.submit()
        self.c.call("wait", [job])
        self.c.call("set", job, {"ttl": 3600})
        self.assertEqual(self.c.call("poll", job), "done")

    def test_set_refuses_what_makes_no_sense(self):
        over = self.submit()
        self.c.call("wait", [over])
        failure = self.c.error("set", over, {"priority": 1, "label": "not set either"})
        self.assertEqual(failure.code, "bad_request")
        self.assertIn("done", failure.message)
        self.assertNotIn("label", self.c.call("info", over))
        for options, code in (({"timeout": 1}, "unknown_option"), ({"ttl": 0}, "bad_request"),
                              ({"priority": 2**31}, "bad_request"), ({"label": "x" * 257}, "bad_request"),
                              ({"label": 1}, "bad_request"), ([1], "bad_request")):
            self.assertEqual(self.c.error("set", over, options).code, code, options)
        self.assertEqual(self.c.error("set", 2**52, {"ttl": 1}).code, "unknown_future")

    # waits_for

    def test_a_waiting_job_tells_how_many_stand_before_it(self):
        blocker = self.block()
        ids = [self.submit() for _ in range(5)]
        high = self.submit(priority=1)
        waits_for = [self.c.call("info", id)["waits_for"] for id in ids + [high]]
        self.assertEqual(waits_for, [{"kind": "worker", "pool": "bench", "ahead": n}
                                     for n in (1, 2, 3, 4, 5, 0)])
        self.c.call("cancel", ids[:2])
        self.assertEqual(self.c.call("info", ids[4])["waits_for"]["ahead"], 3)
        [listed] = self.c.call("list", {"after": ids[4] - 1, "before": ids[4] + 1})
        self.assertEqual(listed["waits_for"], {"kind": "worker", "pool": "bench"})
        self.assertNotIn("waits_for", self.c.call("info", blocker))
        self.order(blocker, ids[2:] + [high])
        self.assertNotIn("waits_for", self.c.call("info", ids[4]))

    def test_counting_ends_at_a_thousand(self):
        blocker = self.block()
        ids = self.c.call("submit_many", "bench/noop", [None] * 1200)
        for n, want in (999, 999), (1000, 1000), (1199, 1000):
            self.assertEqual(self.c.call("info", ids[n])["waits_for"]["ahead"], want)
        self.order(blocker, ids)


class Starting(DaemonCase):
    pools = """
[pool default]
handler = exec
workers = 1
"""

    def without_worker(self, c):
        """The moment between a worker's death and its successor."""
        while True:
            workers = c.call("workers")
            if not any(w["pid"] for w in workers):
                return
            for w in workers:
                if w["state"] == "idle":
                    with contextlib.suppress(ProcessLookupError):  # still to be buried
                        os.kill(w["pid"], 9)

    def test_a_job_without_a_worker_waits_for_the_start(self):
        with Client(self.folder.socket) as c:
            waits_for = {}
            while waits_for.get("kind") != "starting":
                self.without_worker(c)
                id = c.call("submit", "exec", ["true"])
                info = c.call("info", id)
                waits_for = info.get("waits_for", {})
                c.call("wait", [id])  # which shows that the pool is well again
            self.assertEqual((waits_for["pool"], waits_for["ahead"]), ("default", 0))
            self.assertGreater(waits_for.get("until", time.time()), info["submitted"] - 1)


if __name__ == "__main__":
    run_cases()
