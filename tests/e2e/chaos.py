"""Under full load of short jobs a random worker is killed every 10 ms: every job gets one end, no more are lost than
workers were killed, and nothing is left behind.

POOLD_TEST_SECONDS: how long. Then the time until the pool is whole again is asserted, too.
"""

import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import PATIENCE, DaemonCase, run_cases
from wire import Client

SECONDS = float(os.environ.get("POOLD_TEST_SECONDS", 10))
WHOLE_WITHIN = 2 if "POOLD_TEST_SECONDS" in os.environ else PATIENCE
EVERY = 0.01
WORKERS = 4
WINDOW = 200  # jobs that are not final, so that no worker has to wait for one


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return {int(p) for p in f.read().split()}


class Killer:
    """A process of its own: the load must not keep it from its work. Tells how many it killed."""

    def __init__(self, daemon, spared, seed):
        self.told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            stopped = []
            signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
            rng, kills, due = random.Random(seed), 0, time.monotonic()
            while not stopped:
                workers = sorted(children_of(daemon) - spared)
                if workers:
                    kills += self.kill(rng.choice(workers))
                due += EVERY
                time.sleep(max(0, due - time.monotonic()))
            os.write(tell, b"%d" % kills)
            os._exit(0)
        os.close(tell)

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        kills = int(os.read(self.told, 32))
        os.close(self.told)
        os.waitpid(self.pid, 0)
        return kills


class Chaos(DaemonCase):
    pools = f"\n[pool bench]\nhandler = module\nmodule = bench\nworkers = {WORKERS}\n"

    def fds(self):
        return len(os.listdir(f"/proc/{self.poold.process.pid}/fd"))

    def idle(self, c):
        return sum(w["state"] == "idle" for w in c.call("workers"))

    def await_whole(self, c, seconds):
        """How long it took until all workers are there and idle."""
        began = time.monotonic()
        while self.idle(c) < WORKERS:
            self.assertLess(time.monotonic() - began, seconds, "the pool is not whole again")
        return time.monotonic() - began

    def test_random_kills_under_load(self):
        daemon = self.poold.process.pid
        rng = random.Random(11)
        with Client(self.folder.socket) as c, Client(self.folder.socket) as other:
            self.await_whole(other, PATIENCE)
            c.call("ping")
            fds = self.fds()
            spared = children_of(daemon) - {w["pid"] for w in c.call("workers")}
            killer = Killer(daemon, spared, 12)
            ends = {}
            n_submitted = 0
            end = time.monotonic() + SECONDS
            while time.monotonic() < end or len(ends) < n_submitted:
                room = WINDOW - (n_submitted - len(ends)) if time.monotonic() < end else 0
                if room >= WINDOW // 4:
                    batch = c.call("submit_many", "bench/spin", [rng.randrange(500)] * room,
                                   {"deliver": True})
                    n_submitted += len(batch)
                id, state = c.note()[:2]
                self.assertNotIn(id, ends, "told twice")
                ends[id] = state
            kills = killer.stop()
            lost = sum(state == "lost" for state in ends.values())
            whole = self.await_whole(other, WHOLE_WITHIN)
            self.assertEqual(set(ends.values()) - {"lost"}, {"done"})
            self.assertLessEqual(lost, kills)
            ids = sorted(ends)
            for i in range(0, len(ids), 1000):  # whoever asks again hears the same
                for id, state in c.call("wait", ids[i:i + 1000]):
                    self.assertEqual(state, ends[id])
                self.assertEqual(c.call("release", ids[i:i + 1000]), len(ids[i:i + 1000]))
            print(f"{n_submitted} jobs, {kills} kills, {lost} lost; whole again after {whole:.3f} s")
            self.assertGreater(kills, SECONDS)
            self.assertEqual(c.notes, [])
            self.poold.await_that(lambda: len(children_of(daemon)) == WORKERS + len(spared),
                                  "a zombie, or a process that nobody knows")
            self.poold.await_that(lambda: self.fds() <= fds, "fds are left")
            used = c.call("stats")["limits"]
            self.assertEqual([used[k]["used"] for k in ("jobs", "futures", "fds")], [0, 0, 0])


if __name__ == "__main__":
    run_cases()
