"""Eight clients put values, use and release them, while clients and workers are killed at random: every answer is
that of the value that was named, and in the end no byte, fd or mapping is left.

POOLD_TEST_ROUNDS: how many values.
"""

import os
import random
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client, Failure, fd_ext, future_ext, sealed

ROUNDS = int(os.environ.get("POOLD_TEST_ROUNDS", 8000))
CLIENTS = 8
WORKERS = 3
BATCH = 8  # rounds that a client has under way
KILL_ONE_IN = 8  # batches: a client; as often a worker
SIZES = 5, 3000, 70_000, 150_000  # the last two travel beside the message

ref = future_ext


def killed(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class Round:
    """One value: put, used once or twice, released while it may still be in use."""

    def __init__(self, c, rng, options):
        self.c, self.rng, self.options = c, rng, options
        self.byte, self.size = rng.randrange(1, 256), rng.choice(SIZES)
        data = bytes([self.byte]) * self.size
        if self.size <= 65536:
            self.put = c.send("put", data, options)
        else:
            fd = sealed(data)
            self.put = c.send("put", fd_ext(0), options, fds=[fd])
            os.close(fd)

    def use(self):
        object = self.c.answer(self.put)
        kind = self.rng.randrange(4)
        if kind == 0:  # the result takes the way of the value
            job = self.submit("echo", ref(object))
        elif kind == 1:  # what was decoded is kept
            job = self.submit("kept", ref(object))
        elif kind == 2:  # by way of another job, which is released before it is through
            first = self.submit("concat", [ref(object), ref(object)])
            job = self.submit("sum", ref(first))
            self.c.send("release", [first])
        else:
            job = self.submit("sum", ref(object))
        self.released = self.c.send("release", [object])
        self.kind = kind
        self.result = self.c.send("result", job, {"release": True})

    def submit(self, function, input):
        return self.c.call("submit", "bench/" + function, input, self.options)

    def check(self):
        assert self.c.answer(self.released) == 1
        try:
            got = self.c.answer(self.result)
        except Failure as failure:
            # of a job whose worker was killed, of one under which three were, or of the one that waited for it
            assert failure.code in ("lost", "poison", "aborted"), failure
            return
        total = self.byte * self.size
        if self.kind == 0 and self.size > 65536:
            self.take_fd(bytes([self.byte]) * self.size)
        elif self.kind == 0:
            assert got == bytes([self.byte]) * self.size
        elif self.kind == 1:
            assert got >> 32 == total, (got >> 32, total)
        else:
            assert got == total * (2 if self.kind == 2 else 1), (got, total)

    def take_fd(self, content):
        """Fds come in the order in which the jobs ended."""
        for fd in self.c.fds:
            if os.pread(fd, 1 << 20, 0) == content:
                self.c.fds.remove(fd)
                os.close(fd)
                return
        raise AssertionError("no fd with this content")


def run_client(path, group, seed, tell):
    """Until it is killed. Tells of each batch by a byte; of what went wrong by another."""
    try:
        rng = random.Random(seed)
        with Client(path, fds=True) as c:
            # what the one before left behind; what the daemon reads of it later goes in the end
            c.call("release", {"group": group})
            while True:
                rounds = [Round(c, rng, {"group": group}) for _ in range(BATCH)]
                for r in rounds:
                    r.use()
                for r in rounds:
                    r.check()
                c.answers.clear()
                os.write(tell, b".")
    except BaseException:
        traceback.print_exc()
        os.write(tell, b"!")
    finally:
        os._exit(1)


class Churn(DaemonCase):
    pools = f"\n[pool bench]\nhandler = module\nmodule = bench\nworkers = {WORKERS}\n"

    def start(self, place):
        self.n_started += 1
        pid = os.fork()
        if pid == 0:
            run_client(self.folder.socket, f"client-{place}", self.n_started, self.tell)
        self.clients[place] = pid

    def end(self, place):
        os.kill(self.clients[place], signal.SIGKILL)
        os.waitpid(self.clients.pop(place), 0)

    def worker_pids(self, c):
        return [w["pid"] for w in c.call("workers") if w["state"] == "idle"]

    def memfds(self, pids):
        """What they have open or mapped of shared memory."""
        found = []
        for pid in pids:
            try:
                with open(f"/proc/{pid}/maps") as f:
                    found += [line for line in f if "/memfd:" in line]
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    if "/memfd:" in (link := os.readlink(f"/proc/{pid}/fd/{fd}")):
                        found.append(link)
            except (FileNotFoundError, ProcessLookupError):
                found.append(f"{pid} is gone")
        return found

    def fds(self):
        return len(os.listdir(f"/proc/{self.poold.process.pid}/fd"))

    def used(self, c):
        limits = c.call("stats")["limits"]
        return {k: limits[k]["used"] for k in ("bytes", "jobs", "futures", "fds", "connections")}

    def await_idle(self, c):
        self.poold.await_that(lambda: len(self.worker_pids(c)) == WORKERS, "all workers")

    def test_nothing_is_left_of_values_that_were_put_used_and_released(self):
        rng = random.Random(4)
        self.clients, self.n_started = {}, 0
        told, self.tell = os.pipe()
        n_rounds = n_clients = n_workers = 0
        with Client(self.folder.socket) as c:
            self.await_idle(c)
            before, fds = self.used(c), self.fds()
            began = time.monotonic()
            try:
                for place in range(CLIENTS):
                    self.start(place)
                while n_rounds < ROUNDS:
                    batches = os.read(told, 256)
                    self.assertEqual(batches.count(b"!"), 0, "a client failed")
                    n_rounds += BATCH * len(batches)
                    for _ in batches:
                        if rng.randrange(KILL_ONE_IN) == 0:
                            place = rng.randrange(CLIENTS)
                            self.end(place)
                            self.start(place)
                            n_clients += 1
                        if rng.randrange(KILL_ONE_IN) == 0:
                            pids = [w["pid"] for w in c.call("workers") if w["pid"]]
                            n_workers += killed(rng.choice(pids)) if pids else 0
            finally:
                for place in list(self.clients):
                    self.end(place)
                os.close(told)
                os.close(self.tell)
            seconds = time.monotonic() - began
            self.poold.await_that(lambda: self.used(c)["connections"] == 1, "the clients to be gone")
            c.call("wait", {})
            c.call("release", {})
            self.await_idle(c)
            print(f"{n_rounds} rounds, {n_clients} clients and {n_workers} workers killed, {seconds:.1f} s")
            self.assertEqual(self.used(c), before)
            self.poold.await_that(lambda: self.fds() == fds, "the daemon's fds to be as before")
            # what workers keep of values that nobody asks for goes by itself
            self.poold.await_that(
                lambda: not self.memfds([self.poold.process.pid] + self.worker_pids(c)),
                "memfds to go")
            self.assertEqual(len(self.worker_pids(c)), WORKERS)
            self.assertEqual(self.used(c), before)
            print(f"nothing is left after {time.monotonic() - began - seconds:.1f} s")


if __name__ == "__main__":
    run_cases()
