"""What jobs cost is told: bytes by the way they went, times, the work share, and what would help."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client, fd_ext, future_ext, pack, sealed

MIB = 1 << 20
TIMES = {"queued", "handover", "run", "return"}
KINDS = {"input": {"inline", "memfd", "object", "copied"}, "result": {"inline", "memfd", "copied"}}


class Costs(DaemonCase):
    """A daemon of its own for each case: figures are since its start."""

    def setUp(self):
        type(self).setUpDaemon()
        self.c = Client(self.folder.socket, fds=True)

    def tearDown(self):
        for fd in self.c.fds:
            os.close(fd)
        self.c.close()
        type(self).tearDownDaemon()

    @classmethod
    def setUpClass(cls):
        cls.setUpDaemon, cls.tearDownDaemon = super().setUpClass, super().tearDownClass

    @classmethod
    def tearDownClass(cls):
        pass

    def function(self, name):
        return {f["name"]: f for f in self.c.call("functions")}[name]

    def remedies(self, name):
        function, stats = self.function(name), self.c.call("stats")
        for one in function["advice"]:
            self.assertEqual(one["function"], name)
            self.assertGreater(len(one["text"]), 40)
            self.assertIn((name, one["remedy"]), [(a["function"], a["remedy"]) for a in stats["advice"]])
        return [one["remedy"] for one in function["advice"]]

    def many(self, function, input, n):
        ids = []
        while len(ids) < n:
            ids += self.c.call("submit_many", function, [input] * min(1000, n - len(ids)))
        self.c.call("wait", ids)
        return ids

    def send_memfd(self, data, n, function="bench/noop"):
        fd = sealed(data)
        for _ in range(n):
            self.c.call("call", function, fd_ext(0), fds=[fd])
        os.close(fd)

    # advice

    def test_the_same_3_mib_again_and_again(self):
        self.send_memfd(b"\1" * (3 * MIB), 99)
        self.assertEqual(self.remedies("bench/noop"), [])  # too few to tell
        self.send_memfd(b"\1" * (3 * MIB), 101)
        self.assertEqual(self.remedies("bench/noop"), ["put"])
        text = self.function("bench/noop")["advice"][0]["text"]
        self.assertIn("3.0MiB came in 200 times", text)
        # what info tells of one of its jobs, and a list does not
        id = self.c.call("submit", "bench/noop", b"12345678")
        self.c.call("wait", [id])
        self.assertEqual([a["remedy"] for a in self.c.call("info", id)["advice"]], ["put"])
        self.assertNotIn("advice", self.c.call("list", {})[0])

    def test_an_object_is_not_advised_to_be_put(self):
        fd = sealed(b"\1" * (3 * MIB))
        id = self.c.call("put", fd_ext(0), fds=[fd])
        os.close(fd)
        self.many("bench/read8", future_ext(id), 200)
        self.assertNotIn("put", self.remedies("bench/read8"))
        encoded = len(pack(fd_ext(0)))
        self.assertEqual(self.function("bench/read8")["bytes"]["object"], 200 * (3 * MIB + encoded))
        self.assertEqual(self.function("bench/read8")["bytes"]["input"]["memfd"], 0)

    def test_jobs_of_a_few_us(self):
        self.many("bench/noop_serial", None, 99)
        self.assertEqual(self.remedies("bench/noop_serial"), [])
        self.many("bench/noop_serial", None, 3000)
        self.assertEqual(self.remedies("bench/noop_serial"), ["pure"])
        self.assertIn("POOLD_FUNCTION_PURE", self.function("bench/noop_serial")["advice"][0]["text"])
        for _ in range(2000):
            self.c.call("call", "bench/noop", None)
        self.assertEqual(self.remedies("bench/noop"), ["submit_many"])
        self.assertEqual({a["function"] for a in self.c.call("stats")["advice"]},
                         {"bench/noop", "bench/noop_serial"})

    def test_work_is_not_advised(self):
        self.many("bench/sleep", 40_000, 100)
        self.assertEqual(self.remedies("bench/sleep"), [])
        self.assertGreater(self.function("bench/sleep")["work_share"], 0.5)
        self.assertEqual(self.c.call("stats")["advice"], [])

    def test_large_inputs_inline(self):
        value = list(range(40_000))
        for _ in range(120):
            self.c.call("call", "bench/noop", value)
        # the worker reads such an input in the time of the run: that may be what takes most of it
        is_low = self.function("bench/noop")["work_share"] < 0.5
        self.assertEqual(self.remedies("bench/noop"), ["put", "memfd"] if is_low else [])
        self.assertEqual(self.function("bench/noop")["bytes"]["input"],
                         {"inline": 120 * len(pack(value)), "memfd": 0, "object": 0,
                          "copied": 120 * len(pack(value))})

    def test_large_results_without_fds(self):
        with Client(self.folder.socket) as plain:
            for _ in range(120):
                self.assertEqual(len(plain.call("call", "bench/fill", 100_000)), 100_000)
        self.assertEqual(self.function("bench/fill")["bytes"]["result"]["copied"], 120 * 100_000)

    # bytes

    def bytes_of(self, id):
        self.c.call("wait", [id])
        return self.c.call("info", id)["bytes"]

    def test_bytes_by_kind_are_what_was_sent(self):
        inline, copied, large = pack(b"x" * 1000), list(range(40_000)), b"m" * 200_000
        ext = len(pack(fd_ext(0)))
        fd = sealed(large)
        first = self.c.call("submit", "bench/echo", b"x" * 1000)
        second = self.c.call("submit", "bench/noop", copied)
        third = self.c.call("submit", "bench/echo", fd_ext(0), fds=[fd])
        fourth = self.c.call("submit", "bench/noop", future_ext(third))
        os.close(fd)
        got = [self.bytes_of(id) for id in (first, second, third, fourth)]
        want_in = [(len(inline), 0, 0, 0), (len(pack(copied)), 0, 0, len(pack(copied))),
                   (ext, len(large), 0, 0), (len(pack(future_ext(third))), 0, ext + len(large), 0)]
        want_out = [(len(inline), 0, 0), (1, 0, 0), (ext, len(large), 0), (1, 0, 0)]
        for bytes, into, out in zip(got, want_in, want_out):
            self.assertEqual(bytes["input"], dict(zip(("inline", "memfd", "object", "copied"), into)))
            self.assertEqual(bytes["result"], dict(zip(("inline", "memfd", "copied"), out)))
            self.assertEqual((bytes["in"], bytes["out"]), (sum(into[:2]), sum(out[:2])))
        for key in got[0]:
            if key not in KINDS:
                total = sum(bytes[key] for bytes in got)
                self.assertEqual(self.c.call("stats")["work"]["bytes"][key], total, key)
        echo = self.function("bench/echo")
        self.assertEqual(echo["bytes"]["input"], {"inline": len(inline) + ext, "memfd": len(large),
                                                  "object": 0, "copied": 0})
        self.assertEqual((echo["jobs"], echo["mean_in"]), (2, (len(inline) + ext + len(large)) // 2))

    def test_what_a_client_without_fds_reads_is_copied(self):
        with Client(self.folder.socket) as plain:
            id = plain.call("submit", "bench/fill", 100_000)
            plain.call("wait", [id])
            before = self.c.call("info", id)["bytes"]["result"]
            self.assertEqual((before["memfd"], before["copied"]), (100_000, 0))
            plain.call("result", id)
            plain.call("read", id, 0, 50)
        # 5 of the 50 are the head of the encoding
        self.assertEqual(self.c.call("info", id)["bytes"]["result"]["copied"], 100_000 + 45)

    def test_a_copy_of_a_worker_is_of_the_result(self):
        id = self.c.call("submit", "bench/concat", [b"a" * 60_000, b"b" * 60_000])
        result = self.bytes_of(id)
        self.assertEqual(result["input"]["copied"], len(pack([b"a" * 60_000, b"b" * 60_000])))
        self.assertEqual(result["result"]["memfd"], 120_000)

    # times

    def test_times_add_up(self):
        ids = self.many("bench/sleep", 2000, 10)
        infos = [self.c.call("info", id) for id in ids]
        sleep, work = self.function("bench/sleep"), self.c.call("stats")["work"]
        self.assertEqual((sleep["jobs"], sleep["runs"], work["jobs"], work["runs"]), (10, 10, 10, 10))
        for key in TIMES:
            total = sum(i["timing"][key] for i in infos)
            self.assertAlmostEqual(sleep["timing"][key], total, places=5)
            self.assertAlmostEqual(sleep["mean"][key], total / 10, places=6)
            self.assertAlmostEqual(work["timing"][key], total, places=5)
        for info in infos:
            t = info["timing"]
            self.assertAlmostEqual(info["work_share"], t["run"] / (t["run"] + t["handover"] + t["return"]))
        t = sleep["timing"]
        self.assertAlmostEqual(sleep["work_share"], t["run"] / (t["run"] + t["handover"] + t["return"]))
        self.assertEqual(self.c.call("stats")["gauges"]["work_share"], work["work_share"])

    def test_what_did_not_run_has_no_share(self):
        self.assertIsNone(self.function("bench/noop")["work_share"])
        self.assertIsNone(self.c.call("stats")["work"]["work_share"])
        id = self.c.call("submit", "bench/noop", None, {"delay": 1000})
        self.c.call("cancel", [id])
        self.assertNotIn("work_share", self.c.call("info", id))


run_cases()
