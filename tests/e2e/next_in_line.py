"""The job next in line on the same worker is never hit by the cancel or the time-out of the one before it.

POOLD_TEST_ROUNDS: how many rounds.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import run_cases

ROUNDS = int(os.environ.get("POOLD_TEST_ROUNDS", 400))
SEED = int(os.environ.get("POOLD_TEST_SEED", random.randrange(1 << 32)))

# One worker, so that the second job can stand nowhere but behind the first.
POOLS = """
[pool line]
handler = module
module = bench
workers = 1
ahead = 4
"""


class NextInLine(ClientCase):
    pools = POOLS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.random = random.Random(SEED)

    def setUp(self):
        super().setUp()
        self.counts = {}
        # A function with a history of short runs is handed over ahead of need, behind one whose runs are not long.
        self.c.call("wait", self.c.call("submit_many", "line/noop_serial", [None] * 50))

    def tearDown(self):
        super().tearDown()
        print(f"{self.id()}: seed {SEED}: {self.counts}")

    def pair(self, first_us, options):
        """A job that runs about as long as its end takes to come, and the next in line."""
        first = self.c.send("submit", "line/spin", first_us, options)
        second = self.c.send("submit", "line/noop_serial", None)
        return self.c.answer(first), self.c.answer(second)

    def note(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def judge(self, first, second):
        """The second one ran, once, whatever became of the first."""
        states = dict(self.c.call("wait", [first, second]))
        info = self.c.call("info", second)
        self.assertEqual((states[second], info.get("attempt"), info.get("error")), ("done", 1, None),
                         f"seed {SEED}: job {second} was hit by the end of {first} ({states[first]})")
        self.note(states[first])
        self.c.call("release", [first, second])

    def test_time_out(self):
        n = 0
        while n < ROUNDS // 2 or not self.counts.get("timeout"):  # where clocks are late, until one was in time
            timeout_us = self.random.randrange(50, 600)
            first_us = max(1, timeout_us + self.random.randrange(-150, 300 + n))
            self.judge(*self.pair(first_us, {"timeout": timeout_us / 1e6}))
            n += 1

    def test_cancel(self):
        for _ in range(ROUNDS - ROUNDS // 2):
            first_us = self.random.randrange(1, 900)
            first, second = self.pair(first_us, {})
            self.c.call("wait", [first], {"timeout": self.random.randrange(1, first_us + 200) / 1e6})
            mode = self.random.choice(["term", "term", "kill"])
            [[_, outcome]] = self.c.call("cancel", [first], {"mode": mode})
            self.note(f"{mode}: {outcome}")
            self.judge(first, second)


if __name__ == "__main__":
    run_cases()
