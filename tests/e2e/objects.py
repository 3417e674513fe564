"""Objects: put once, used by many jobs; what it costs in memory and in bytes, and what is left of them."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import SANITIZERS, DaemonCase, pss_kib, run_cases
from wire import Client, Failure, fd_ext, future_ext, sealed

ref = future_ext
MIB = 1 << 20

POOLS = """
[pool bench]
handler = module
module = bench
workers = 2

[pool one]
handler = module
module = bench
workers = 1

[pool none]
handler = module
module = bench
workers = 1
cache = 0

[limits]
bytes = 400M
"""


class Objects(DaemonCase):
    pools = POOLS

    def setUp(self):
        self.c = Client(self.folder.socket, fds=True)

    def tearDown(self):
        self.c.call("release", {})
        self.c.close()

    def put(self, data):
        fd = sealed(data)
        try:
            return self.c.call("put", fd_ext(0), fds=[fd])
        finally:
            os.close(fd)

    def used(self, limit):
        return self.c.call("stats")["limits"][limit]["used"]

    def worker_pids(self, pool):
        return [w["pid"] for w in self.c.call("workers", {"pool": pool})]

    def maps_of(self, pid):
        """Of shared memory that is a value."""
        with open(f"/proc/{pid}/maps") as f:
            return [line for line in f if "/memfd:" in line]

    def inodes_of(self, pid):
        return {line.split()[4] for line in self.maps_of(pid)}

    def all_pids(self):
        return [self.poold.process.pid] + self.worker_pids("bench") + self.worker_pids("one") + self.worker_pids("none")

    def test_a_thousand_jobs_share_one_object(self):
        size = 64 * MIB
        before = sum(pss_kib(pid) for pid in self.all_pids())
        object = self.put(b"\1" * size)
        ids = self.c.call("submit_many", "bench/kept", [ref(object)] * 1000)
        self.c.call("wait", ids)
        got = [divmod(self.c.call("result", id), 1 << 32) for id in ids]
        self.assertEqual({total for total, _ in got}, {size})
        # once in each worker, not in each job
        self.assertLessEqual(max(n for _, n in got), 1)
        after = sum(pss_kib(pid) for pid in self.all_pids())
        if not SANITIZERS:
            self.assertLessEqual(after - before, size * 1.1 / 1024)
        info = self.c.call("info", ids[0])["bytes"]
        self.assertGreaterEqual(info["object"], size)
        self.assertLess(info["in"] + info["out"], 100)

    def fresh_worker(self):
        """Of pool one: nothing of other tests is in its cache."""
        with self.assertRaises(Failure):
            self.c.call("call", "one/exit", 1)
        self.c.call("call", "one/noop", None)
        [pid] = self.worker_pids("one")
        return pid

    def test_the_second_use_maps_nothing(self):
        object, other = self.put(b"\1" * MIB), self.put(b"\2" * MIB)
        pid = self.fresh_worker()
        before = len(os.listdir(f"/proc/{pid}/fd"))
        for _ in range(5):
            self.assertEqual(self.c.call("call", "one/sum", ref(object)), MIB)
            self.assertEqual(len(self.maps_of(pid)), 1)
            self.assertEqual(len(os.listdir(f"/proc/{pid}/fd")), before + 1)
        for _ in range(3):
            self.assertIsInstance(self.c.call("call", "one/concat", [ref(object), ref(other), ref(object)]), object_type)
        self.assertEqual(len(self.maps_of(pid)), 2)
        # an answer's own fd is closed when it has been sent
        self.poold.await_that(lambda: len(os.listdir(f"/proc/{pid}/fd")) == before + 2, "fds to be closed")

    def test_without_a_cache_nothing_stays(self):
        object = self.put(b"\1" * MIB)
        [pid] = self.worker_pids("none")
        for n in 1, 2, 3:
            self.assertEqual(divmod(self.c.call("call", "none/kept", ref(object)), 1 << 32), (MIB, n))
        self.assertEqual(self.maps_of(pid), [])

    def test_a_worker_that_died_is_set_up_again(self):
        object = self.put(b"\1" * MIB)
        self.fresh_worker()
        for _ in range(2):
            self.assertEqual(divmod(self.c.call("call", "one/kept", ref(object)), 1 << 32), (MIB, 1))
            with self.assertRaises(Failure):
                self.c.call("call", "one/exit", 1)

    def test_only_so_many_are_kept(self):
        pid = self.fresh_worker()
        for n in range(100):
            object = self.put(bytes([n]) * 70_000)
            self.assertEqual(self.c.call("call", "one/sum", ref(object)), n * 70_000)
            self.c.call("release", [object])
        self.assertLessEqual(len(self.maps_of(pid)), 64)
        self.assertLess(self.used("bytes"), MIB)
        self.assertEqual(self.used("fds"), 0)
        # and what nobody asks for goes by itself
        self.poold.await_that(lambda: not self.maps_of(pid), "the mappings to go")

    def test_what_is_released_is_mapped_no_more(self):
        """At once, and not only after a while: then what was used before it would go first."""
        older, newer = self.put(b"\1" * MIB), self.put(b"\2" * MIB)
        pid = self.fresh_worker()
        self.c.call("call", "one/sum", ref(older))
        before = self.inodes_of(pid)
        self.c.call("call", "one/sum", ref(newer))
        self.assertEqual(len(self.inodes_of(pid)), 2)
        self.c.call("release", [newer])
        self.poold.await_that(lambda: len(self.inodes_of(pid)) == 1, "one to go")
        self.assertEqual(self.inodes_of(pid), before)

    def test_what_is_released_while_it_is_used_is_mapped_until_then(self):
        older, newer = self.put(b"\1" * MIB), self.put(b"\2" * MIB)
        pid = self.fresh_worker()
        self.c.call("call", "one/sum", ref(older))
        before = self.inodes_of(pid)
        job = self.c.call("submit", "one/sum", ref(newer), {"delay": 0.01})
        self.c.call("release", [newer])
        self.assertEqual(self.c.call("result", job), 2 * MIB)
        self.poold.await_that(lambda: self.inodes_of(pid) == before, "the newer one to go")

    def test_a_full_store_answers(self):
        kept = self.put(b"\1" * (300 * MIB))
        with self.assertRaises(Failure) as failure:
            self.put(b"\2" * (200 * MIB))
        self.assertEqual(failure.exception.code, "quota")
        # what is released while it is used is not given back before
        job = self.c.call("submit", "bench/sleep", 60_000_000)
        user = self.c.call("submit", "bench/sum", ref(kept), {"after": [job]})
        self.c.call("release", [kept])
        with self.assertRaises(Failure):
            self.put(b"\2" * (200 * MIB))
        self.c.call("cancel", [job], {"mode": "kill"})
        self.c.call("wait", [user])
        self.c.call("release", [user])
        self.c.call("release", [self.put(b"\2" * (200 * MIB))])

    def test_nothing_of_a_tree_passes_the_client(self):
        parts = self.c.call("submit_many", "bench/echo", [b"%07d" % n * 1000 for n in range(20)])
        with Client(self.folder.socket, fds=True) as c:
            level = parts
            while len(level) > 1:
                level = c.call("submit_many", "bench/concat",
                               [[ref(i) for i in level[n:n + 4]] for n in range(0, len(level), 4)])
            self.assertEqual(c.call("wait", level), [[level[0], "done"]])
            self.assertEqual(c.fds, [])
        info = self.c.call("info", level[0])["bytes"]
        self.assertGreaterEqual(info["object"], 140_000)
        self.assertLess(info["in"], 200)
        self.assertEqual(self.c.call("call", "bench/read8", ref(level[0])), int.from_bytes(b"00000000", "little"))


object_type = (bytes, type(fd_ext(0)))

if __name__ == "__main__":
    run_cases()
