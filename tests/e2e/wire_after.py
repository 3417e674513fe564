"""Jobs that run after others, on the wire."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client

UNFINISHED = ["delayed", "blocked", "queued", "running", "cancelling"]


class After(DaemonCase):
    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.call("cancel", {"state": UNFINISHED}, {"mode": "kill"})
        self.c.call("wait", {})
        self.c.call("release", {})
        self.c.close()

    def fails(self, code, method, *params):
        failure = self.c.error(method, *params)
        self.assertEqual(failure.code, code, failure.message)
        return failure

    def submit(self, function="bench/noop", input=None, **options):
        return self.c.call("submit", function, input, options)

    def blocker(self):
        return self.submit("bench/sleep", 60_000_000)

    def states(self, *ids):
        return [self.c.call("poll", id) for id in ids]

    def test_a_diamond_runs_in_order(self):
        top = self.submit("bench/sleep", 20_000)
        sides = [self.submit(after=[top]) for _ in range(2)]
        bottom = self.submit("bench/echo", 7, after=sides, deliver=True)
        self.assertEqual(self.c.note()[:3], [bottom, "done", 7])
        info = {id: self.c.call("info", id) for id in [top, *sides, bottom]}
        for side in sides:
            self.assertGreaterEqual(info[side]["started"], info[top]["finished"] - 1e-3)
            self.assertGreaterEqual(info[bottom]["started"], info[side]["finished"] - 1e-3)

    def test_it_is_blocked_and_says_by_whom(self):
        first = self.blocker()
        second = self.submit(after=[first], group="g")
        self.assertEqual(self.states(second), ["blocked"])
        self.assertEqual(self.c.call("info", second)["waits_for"], {"kind": "dependency", "id": first})
        self.assertEqual([i["id"] for i in self.c.call("list", {"state": "blocked"})], [second])
        self.assertEqual(self.c.call("cancel", {"state": "blocked"}), [[second, "cancelled"]])

    def test_a_failure_aborts_the_rest_with_its_root(self):
        first = self.submit("bench/fail", ["no", "reason"])
        ids = [first]
        for _ in range(5):
            ids.append(self.submit(after=[ids[-1]]))
        last = self.submit("bench/echo", 1, after_any=ids)
        self.assertEqual(self.c.call("result", last), 1)
        for id in ids[1:]:
            failure = self.fails("aborted", "result", id)
            self.assertEqual(failure.details, {"cause": "input", "id": first})
            self.assertIn(str(first), failure.message)
            self.assertEqual(self.c.call("info", id)["state"], "aborted")

    def test_a_cancelled_one_is_not_done(self):
        first = self.blocker()
        second = self.submit(after=[first], deliver=True)
        self.c.call("cancel", [first])
        final = self.c.note()
        self.assertEqual(final[:2], [second, "aborted"])
        self.assertEqual(final[3][2], {"cause": "input", "id": first})

    def test_after_what_is_over_already(self):
        done, put = self.submit(), self.c.call("put", 5)
        failed = self.submit("bench/fail", ["no", "reason"])
        self.c.call("wait", [done, failed])
        self.assertEqual(self.c.call("result", self.submit("bench/echo", 1, after=[done, put])), 1)
        self.fails("aborted", "result", self.submit(after=[put, failed]))
        self.assertEqual(self.c.call("result", self.submit("bench/echo", 2, after_any=[failed])), 2)
        self.assertEqual(self.c.call("call", "bench/echo", 3, {"after": [done]}), 3)

    def test_ids_that_are_not_there_refuse_the_submit(self):
        n = len(self.c.call("list", {}))
        gone = self.submit()
        self.c.call("wait", [gone])
        self.c.call("release", [gone])
        for id in gone, 2**53 - 1:
            for key in "after", "after_any":
                self.assertIn(str(id), self.fails("unknown_future", "submit", "bench/noop", None,
                                                  {key: [id]}).message)
                self.fails("unknown_future", "submit_many", "bench/noop", [1, 2], {key: [id]})
        expired = self.submit(ttl=0.01)
        self.c.call("wait", [expired])
        while self.c.call("list", {}):
            pass
        self.fails("expired", "submit", "bench/noop", None, {"after": [expired]})
        self.assertEqual(len(self.c.call("list", {})), n)

    def test_a_key_is_known_though_its_dependency_is_gone(self):
        first = self.submit()
        second = self.submit(after=[first], key="k")
        self.c.call("wait", [second])
        self.c.call("release", [first])
        self.assertEqual(self.submit(after=[first], key="k"), second)
        self.fails("key_conflict", "submit", "bench/noop", None, {"key": "k"})

    def test_what_is_no_list_of_ids_is_refused(self):
        for wrong in 5, "x", {}, [-1], ["a"], [2**53], [1.5]:
            self.fails("bad_request", "submit", "bench/noop", None, {"after": wrong})
        self.fails("too_large", "submit", "bench/noop", None, {"after": [1] * 32769})
        self.fails("unknown_option", "put", 1, {"after": [1]})
        first = self.blocker()
        self.fails("too_large", "submit_many", "bench/noop", [None] * 1001, {"after": [first] * 1000})

    def test_many_wait_for_one(self):
        first = self.blocker()
        ids = self.c.call("submit_many", "bench/noop", [None] * 5000, {"after": [first]})
        chain = [first]
        for _ in range(2000):
            chain.append(self.submit(after=[chain[-1]]))
        self.c.call("cancel", [first], {"mode": "kill"})
        ends = self.c.call("wait", ids + chain[1:])
        self.assertEqual({state for _, state in ends}, {"aborted"})
        self.assertEqual(self.c.call("info", chain[-1])["error"][2], {"cause": "input", "id": first})

    def test_a_delay_comes_first(self):
        first = self.blocker()
        second = self.submit(after=[first], delay=0.05)
        self.assertEqual(self.states(second), ["delayed"])
        while self.states(second) == ["delayed"]:
            pass
        self.assertEqual(self.states(second), ["blocked"])

    def test_a_deadline_ends_a_blocked_job(self):
        first = self.blocker()
        second = self.submit(after=[first], deadline=0.05)
        self.assertEqual(self.fails("timeout", "result", second).details, {"clock": "deadline"})


if __name__ == "__main__":
    run_cases()
