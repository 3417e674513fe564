"""The configuration is read anew while jobs run: all of it takes effect, or nothing of it."""

import os
import shutil
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from broken_configs import CASES, Broken
from pooldtest import BUILD, MODULES, PATHS, PATIENCE, Folder, Poold, run_cases
from wire import Client, Failure

TEST_MODULES = os.path.join(BUILD, "tests", "unit", "modules", ".libs")
NOTHING = {"added": [], "removed": [], "restarted": [], "changed": [], "unchanged": [], "settings": [],
           "needs_restart": []}
# It decides when a worker is ready, which must not look like a result of a reload.
LIVELY = ("state", "reason", "workers", "queued", "handed_ahead", "submitted", "finished", "spawned", "deaths",
          "failed_starts")


def bench(name, module="bench", **keys):
    return f"[pool {name}]\nhandler = module\nmodule = {module}\n" + "".join(
        f"{key} = {value}\n" for key, value in ({"workers": 2} | keys).items())


def command(name="default", **keys):
    return f"[pool {name}]\nhandler = exec\n" + "".join(
        f"{key} = {value}\n" for key, value in ({"workers": 2} | keys).items())


class ReloadCase(unittest.TestCase):
    """Each case has a daemon of its own."""

    pools = command() + bench("bench")
    settings = ""

    def setUp(self):
        self.folder = Folder(pools=self.pools, daemon=self.settings)
        self.addCleanup(self.folder.__exit__)
        with open(self.folder.config) as f:
            self.head = f.read()[:-len(self.settings + self.pools)]
        self.poold = Poold(self.folder).await_ready()
        self.addCleanup(self.stop)
        self.c = self.client()

    def stop(self):
        code = self.poold.stop()
        self.assertEqual(code, 0, self.poold.said())

    def start_again(self, argv=(), env=None):
        self.assertEqual(self.poold.stop(), 0, self.poold.said())
        os.unlink(self.poold.log)
        self.poold = Poold(self.folder, argv, env=env).await_ready()
        self.c = self.client()

    def client(self):
        c = Client(self.folder.socket)
        self.addCleanup(c.close)
        return c

    def write(self, pools, settings="", head=None):
        temporary = self.folder.at("new.conf")
        with open(temporary, "w") as f:
            f.write((head or self.head) + settings + pools)
        os.rename(temporary, self.folder.config)

    def reload(self, pools, settings="", head=None):
        """What changed, of what did."""
        self.write(pools, settings, head)
        return self.changed(self.c.call("reload"))

    def changed(self, answer):
        self.assertEqual(answer.keys(), NOTHING.keys())
        return {key: names for key, names in answer.items() if names and key != "unchanged"}

    def fails(self, code, method, *params):
        failure = self.c.error(method, *params)
        self.assertEqual(failure.code, code, failure.message)
        return failure

    def pool(self, name):
        return next(p for p in self.c.call("pools") if p["name"] == name)

    def pids(self, name):
        return {w["pid"] for w in self.c.call("workers", {"pool": name}) if w["state"] in ("idle", "busy")}

    def await_that(self, condition):
        self.poold.await_that(condition, self.id())

    def await_workers(self, name, n):
        self.await_that(lambda: len(self.pids(name)) == n == len(self.c.call("workers", {"pool": name})))
        return self.pids(name)

    def running(self, function, value):
        """A job that a worker has begun: a pause takes back what none has received."""
        id = self.c.call("submit", function, value)
        pool = function.split("/")[0]

        def has_begun():
            self.c.call("pause", pool)
            state = self.c.call("poll", id)
            self.c.call("resume", pool)
            return state == "running"
        self.await_that(has_begun)
        return id


class Pools(ReloadCase):
    def test_what_is_the_same_in_other_words_changes_nothing(self):
        before = self.await_workers("bench", 2)
        self.assertEqual(self.reload("; a comment\n" + bench("bench") + command(timeout="0s")), {})
        self.assertEqual(self.pids("bench"), before)

    def test_an_added_pool_is_there_with_the_answer(self):
        self.assertEqual(self.reload(self.pools + bench("more")), {"added": ["more"]})
        self.assertEqual(self.c.call("call", "more/echo", 7), 7)
        self.assertEqual([p["name"] for p in self.c.call("pools")], ["default", "bench", "more"])

    def test_a_removed_pool_ends_what_runs_and_aborts_what_waits(self):
        done = self.c.call("submit", "bench/echo", 3)
        self.c.call("wait", [done])
        fifo = self.folder.at("fifo")
        os.mkfifo(fifo)
        gate = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, gate)
        self.reload(self.pools + command("gone"))
        running = self.c.call("submit_many", "gone/exec", [["sh", "-c", "echo on; read line <" + fifo]] * 2)
        for id in running:
            self.c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
        waiting = self.c.call("submit_many", "gone/exec", [["echo", "hi"]] * 5)
        dependent = self.c.call("submit", "exec", ["true"], {"after": [waiting[0]]})
        watcher = self.client()
        answer = watcher.send("wait", waiting)
        self.assertEqual(self.reload(self.pools), {"removed": ["gone"]})
        self.assertEqual({s for _, s in watcher.answer(answer)}, {"aborted"})
        failure = self.fails("aborted", "result", waiting[0])
        self.assertEqual(failure.details["cause"], "pool_removed")
        self.assertIn("removed from the configuration", failure.message)
        self.assertEqual(self.fails("aborted", "result", dependent).details["id"], waiting[0])
        self.assertEqual({self.c.call("poll", id) for id in running}, {"running"})
        self.fails("unknown_pool", "submit", "gone/exec", ["true"])
        self.fails("unknown_pool", "pause", "gone")
        self.fails("unknown_pool", "retry", waiting[0])
        os.write(gate, b"\n\n")
        self.assertEqual({s for _, s in self.c.call("wait", running)}, {"done"})
        self.assertEqual(self.c.call("result", running[0])["stdout"], b"on\n")
        info = self.c.call("info", running[0])
        self.assertEqual((info["pool"], info["function"]), ("gone", "exec"))
        self.assertEqual({i["id"] for i in self.c.call("list", {"pool": "gone"})}, {*running, *waiting})
        # It comes back as another one; the old futures stay what they are.
        self.assertEqual(self.reload(self.pools + command("gone")), {"added": ["gone"]})
        again = self.c.call("retry", waiting[0])
        self.assertEqual(self.c.call("result", again)["stdout"], b"hi\n")
        self.assertEqual(self.c.call("poll", waiting[0]), "aborted")
        for _ in range(2):
            self.assertEqual(self.c.call("stats")["counters"]["submitted"], 10)
            self.c.call("release", [done, again, dependent, *running, *waiting])
        self.assertEqual(self.c.call("stats")["limits"]["futures"]["used"], 0)

    def test_a_removed_pool_ends_a_drain(self):
        self.reload(self.pools + command("gone"))
        id = self.c.call("submit", "gone/exec", ["sh", "-c", "echo on; exec sleep 60"])
        self.c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
        drain = self.client()
        number = drain.send("drain", "gone", {"wait": True})
        self.await_that(lambda: self.pool("gone")["draining"])
        self.reload(self.pools)
        self.assertEqual(drain.answer(number)[0]["running"], 1)
        self.c.call("cancel", [id], {"mode": "kill"})
        self.c.call("release", [id])

    def test_a_job_that_runs_ends_in_its_old_worker(self):
        before = self.await_workers("bench", 2)
        id = self.running("bench/sleep", 500_000)
        pid = self.c.call("info", id)["worker_pid"]
        self.assertIn(pid, before)
        self.assertEqual(self.reload(command() + bench("bench", nice=19)), {"restarted": ["bench"]})
        self.assertEqual(self.c.call("call", "bench/echo", 1), 1)
        self.c.call("wait", [id])
        info = self.c.call("info", id)
        self.assertEqual((info["state"], info["attempt"]), ("done", 1))
        self.await_that(lambda: not self.pids("bench") & before)
        self.await_workers("bench", 2)
        self.assertEqual(self.pool("bench")["deaths"], 0)
        for pid in self.pids("bench"):
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), 19)

    def test_another_file_of_the_module_restarts_its_pool(self):
        module = self.folder.at("own.so")
        shutil.copy(os.path.join(MODULES, "bench.so"), module)
        pools = command() + bench("own", module)
        self.assertEqual(self.reload(pools), {"removed": ["bench"], "added": ["own"]})
        self.assertEqual(self.reload(pools), {})
        functions = {f["name"] for f in self.c.call("functions", {"pool": "own"})}
        waiting = self.running("own/sleep", 100_000)
        shutil.copy(os.path.join(MODULES, "digest.so"), module + ".new")
        os.rename(module + ".new", module)
        self.assertEqual(self.changed(self.c.call("reload")), {"restarted": ["own"]})
        self.assertFalse(functions & {f["name"] for f in self.c.call("functions", {"pool": "own"})})
        self.fails("unknown_function", "submit", "own/sleep", 1)
        self.assertEqual(self.c.call("wait", [waiting]), [[waiting, "done"]])
        self.assertEqual(len(self.c.call("call", "own/sha256", b"x")), 64)

    def test_a_pool_can_be_restarted_whether_or_not_it_changed(self):
        before = self.await_workers("bench", 2)
        self.assertEqual(self.changed(self.c.call("reload", None, {"restart": "bench"})), {"restarted": ["bench"]})
        self.await_that(lambda: not self.pids("bench") & before)
        both = self.changed(self.c.call("reload", None, {"restart": ["default", "bench"]}))
        self.assertEqual(both, {"restarted": ["default", "bench"]})
        self.assertIn("nope", self.fails("bad_request", "reload", None, {"restart": ["bench", "nope"]}).message)
        for wrong in 5, [7], "", "x" * 65, [["bench"]]:
            self.fails("bad_request", "reload", None, {"restart": wrong})
        self.fails("bad_request", "reload", "bench")
        self.fails("unknown_option", "reload", None, {"restrat": "bench"})

    def test_a_pool_that_failed_is_tried_again_when_asked_for(self):
        self.write(command() + bench("bench", max_rss="8K"))
        self.start_again()
        self.await_that(lambda: self.pool("bench")["state"] == "failed")
        self.assertEqual(self.reload(command() + bench("bench", max_rss="1G", nice=1)), {"restarted": ["bench"]})
        self.assertEqual(self.c.call("call", "bench/echo", 1), 1)
        self.assertEqual(self.pool("bench")["state"], "ready")


class Settings(ReloadCase):
    def test_settings_change_in_place(self):
        before = self.await_workers("bench", 2)
        changed = self.reload(command(grace="1s") + bench("bench", workers=3, timeout="50ms", max_result="1M"),
                              "stop_timeout = 3s\nttl = 1ms\nlog_level = debug\n[limits]\njobs = 5\n")
        self.assertEqual(changed, {"changed": ["default", "bench"],
                                   "settings": ["log_level", "stop_timeout", "ttl", "jobs"]})
        self.assertLess(before, self.await_workers("bench", 3))
        self.assertEqual(self.pool("bench")["max_result"], 1 << 20)
        self.assertEqual(self.c.call("stats")["limits"]["jobs"]["max"], 5)
        id = self.c.call("submit", "bench/sleep", 60_000_000, {"ttl": 60})
        self.assertEqual(self.fails("timeout", "result", id).details["clock"], "timeout")
        self.assertEqual(self.reload(self.pools), {"changed": ["default", "bench"], "settings": [
            "log_level", "stop_timeout", "ttl", "jobs"]})
        self.assertTrue(self.await_workers("bench", 2) & before)

    def test_what_needs_a_restart_is_named_until_it_was_restarted(self):
        head = self.head.replace("[daemon]\n", "[daemon]\nsocket_mode = 0666\n")
        self.assertEqual(self.reload(self.pools, head=head), {"needs_restart": ["socket_mode"]})
        self.assertEqual(self.changed(self.c.call("reload")), {"needs_restart": ["socket_mode"]})
        self.assertEqual(self.reload(self.pools), {})

    def test_raised_limits_let_those_go_on_who_wait_for_room(self):
        sleep = bench("bench", max_result="1M")
        self.reload(command(max_result="1M") + sleep, "[limits]\nbytes = 1500K\n")
        ids = self.c.call("submit_many", "bench/sleep", [60_000_000] * 2)
        self.await_that(lambda: sorted(self.c.call("poll", id) for id in ids) == ["queued", "running"])
        self.reload(command(max_result="1M") + sleep, "[limits]\nbytes = 4M\n")
        self.await_that(lambda: {self.c.call("poll", id) for id in ids} == {"running"})
        # Lowered, nobody loses what he has.
        self.reload(command(max_result="1M") + sleep, "[limits]\nbytes = 1050K\njobs = 1\n")
        self.assertEqual({self.c.call("poll", id) for id in ids}, {"running"})
        self.assertEqual(self.fails("quota", "submit", "bench/sleep", 1).details["limit"], "bytes")
        self.c.call("cancel", ids)
        self.await_that(lambda: {self.c.call("poll", id) for id in ids} == {"cancelled"})
        self.c.call("release", ids)
        self.assertEqual(self.c.call("call", "bench/echo", 1), 1)

    def test_limits_that_no_result_would_fit_into_are_refused(self):
        failure = None
        self.write(self.pools, "[limits]\nbytes = 1M\n")
        failure = self.fails("bad_request", "reload")
        self.assertIn("max_result of pool default", failure.message)

    def test_a_resize_holds_until_the_file_says_otherwise(self):
        self.c.call("resize", "bench", {"workers": 3})
        self.assertEqual(self.reload(command() + bench("bench", grace="1s")), {"changed": ["bench"]})
        self.assertEqual(self.pool("bench")["workers"]["wanted"], 3)
        self.assertEqual(self.reload(command() + bench("bench", grace="1s", workers=4)), {"changed": ["bench"]})
        self.assertEqual(self.pool("bench")["workers"]["wanted"], 4)

    def test_what_is_paused_stays_paused(self):
        self.c.call("pause", "bench")
        id = self.c.call("submit", "bench/echo", 1)
        self.reload(command() + bench("bench", nice=19))
        self.assertEqual(self.pool("bench")["state"], "paused")
        self.assertEqual(self.c.call("poll", id), "queued")
        self.c.call("resume")
        self.assertEqual(self.c.call("result", id), 1)


class Asked(ReloadCase):
    def test_by_a_signal(self):
        self.write(self.pools + bench("more"))
        self.poold.process.send_signal(signal.SIGHUP)
        self.await_that(lambda: "reloaded: pool more added" in self.poold.said())
        self.assertEqual(self.c.call("call", "more/echo", 7), 7)
        self.write(self.pools + "nonsense\n")
        before = len(self.poold.said().splitlines())
        self.poold.process.send_signal(signal.SIGHUP)
        self.await_that(lambda: "reload refused, nothing changed" in self.poold.said())
        added = self.poold.said().splitlines()[before:]
        self.assertEqual(len(added), 1, added)
        self.assertIn("poold.conf:", added[0])

    def test_those_who_ask_together_share_one(self):
        others = [self.client() for _ in range(5)]
        self.poold.process.send_signal(signal.SIGSTOP)
        numbers = [c.send("reload") for c in others]
        self.poold.process.send_signal(signal.SIGCONT)
        answers = [self.changed(c.answer(n)) for c, n in zip(others, numbers)]
        self.assertEqual(answers, [{}] * 5)
        self.assertLess(self.poold.said().count("reloaded"), 5)

    def test_who_leaves_meanwhile_takes_nothing_along(self):
        self.write(self.pools + bench("more"))
        with Client(self.folder.socket) as c:
            c.send("reload")
            c.call("ping")
        self.await_that(lambda: "reloaded: pool more added" in self.poold.said())
        self.assertEqual(self.c.call("call", "more/echo", 7), 7)

    def cpu_s(self):
        with open(f"/proc/{self.poold.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_who_asks_while_one_is_prepared_waits_quietly(self):
        self.write(self.pools + bench("slow", os.path.join(TEST_MODULES, "bad_preload_aborts.so")))
        first, second = self.client(), self.client()
        number = first.send("reload")
        self.await_that(lambda: "start 1 of its zygote failed" in self.poold.said())
        began_s, used_s = time.monotonic(), self.cpu_s()
        later = second.send("reload")
        self.write(self.pools)
        with self.assertRaises(Failure):
            first.answer(number)
        self.assertLess(self.cpu_s() - used_s, (time.monotonic() - began_s) / 3)
        self.assertEqual(self.changed(second.answer(later)), {})

    def test_a_stop_ends_one_that_is_under_way(self):
        self.write(self.pools + bench("slow", os.path.join(TEST_MODULES, "bad_preload_aborts.so")))
        other = self.client()
        number = other.send("reload")
        self.await_that(lambda: "start 1 of its zygote failed" in self.poold.said())
        self.c.call("shutdown")
        with self.assertRaises(Failure) as caught:
            other.answer(number)
        self.assertEqual(caught.exception.code, "draining")

    def test_with_nothing_in_the_file(self):
        self.write("", head="\n")
        self.start_again(["--socket", self.folder.socket])
        self.poold.process.send_signal(signal.SIGHUP)
        self.await_that(lambda: "reloaded: nothing changed" in self.poold.said())
        os.unlink(self.folder.config)
        self.assertIn("cannot be opened", self.fails("bad_request", "reload").message)
        self.assertEqual([p["name"] for p in self.c.call("pools")], ["default"])


class Load:
    """Short jobs of all pools, until it is told to stop: each must be done."""

    def __init__(self, case, functions):
        self.case, self.functions = case, functions
        self.stop = threading.Event()
        self.wrong, self.n = [], 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            with Client(self.case.folder.socket) as c:
                while not self.stop.is_set():
                    self.round(c)
        except Exception as e:
            self.wrong.append(e)

    def round(self, c):
        ids = []
        for function, value in self.functions:
            ids += c.call("submit_many", function, [value] * 10)
        states = {s for _, s in c.call("wait", ids, {"timeout": PATIENCE})}
        self.n += len(ids)
        if states != {"done"}:
            self.wrong.append(states)
        if c.call("release", ids) != len(ids):
            self.wrong.append("not all were there")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.stop.set()
        self.thread.join()
        self.case.assertEqual(self.wrong, [])
        self.case.assertGreater(self.n, 0)


# What a check of the files alone does not find: the line of the pool's section and words.
LATE = [
    Broken(bench("x", os.path.join(TEST_MODULES, name + ".so")), 1, ["pool x", *words])
    for name, *words in (
        ("bad_preload_aborts", "signal 6"), ("bad_preload_fails", "preload failed"),
        ("bad_thread_in_preload", "thread"), ("bad_no_functions", "no functions"),
        ("bad_function_twice", "nothing"))
] + [
    Broken(bench("x", max_rss="8K"), 1, ["pool x", "max_rss of 8 KiB", "fresh worker"]),
    Broken("\n" + bench("x", cwd="/", limit_as="1M"), 2, ["pool x"]),
]


class BrokenOnes(ReloadCase):
    pools = command() + bench("bench", os.path.join(MODULES, "bench.so"))

    def state(self):
        return ([{k: v for k, v in p.items() if k not in LIVELY} for p in self.c.call("pools")],
                [self.pids("default"), self.pids("bench")],
                {k: v["max"] for k, v in self.c.call("stats")["limits"].items()},
                {f["name"] for f in self.c.call("functions")})

    def test_nothing_changes_and_each_names_file_line_and_key(self):
        self.await_workers("default", 2)
        self.await_workers("bench", 2)
        before = self.state()
        with Load(self, [("exec", ["true"]), ("bench/noop", None), ("bench/noop_serial", None)]):
            for case in CASES + LATE:
                with self.subTest(case=str(case)):
                    case.place(self.folder.config)
                    failure = self.fails("bad_request", "reload")
                    self.assertTrue(case.is_told_by(failure.message), (failure.message, case.words))
                    if case in CASES:
                        self.assertEqual(len(failure.details["errors"]), 1)
                        self.assertEqual(failure.details["errors"][0]["line"], case.line)
                    self.assertEqual(self.state(), before)
                    case.remove()
        self.assertEqual(self.changed(self.c.call("reload")), {})
        self.assertEqual(self.state(), before)
        self.assertGreaterEqual(len(CASES + LATE), 50)


class Chaos(ReloadCase):
    SECONDS = 4
    ROUND = 0.05

    def test_reloads_without_end_lose_no_job(self):
        turns = [
            command() + bench("bench", nice=19),
            command(workers=3, ageing="0") + bench("bench"),
            command(env="A=b") + bench("bench", max_jobs=5, ahead=0),
            command() + bench("more") + bench("bench", workers=1, ageing="1s"),
            command(workers=1) + bench("bench", workers=4, max_result="1M"),
        ]
        n = 0
        with Load(self, [("exec", ["true"]), ("bench/noop", None), ("bench/noop_serial", None),
                         ("bench/sleep", 1000)]):
            end = time.monotonic() + self.SECONDS
            while time.monotonic() < end:
                began = time.monotonic()
                self.reload(turns[n % len(turns)], f"[limits]\njobs = {1000 + n % 7}\n")
                n += 1
                time.sleep(max(0, self.ROUND - (time.monotonic() - began)))
        self.assertGreater(n, 5)
        self.reload(self.pools)
        self.await_workers("default", 2)
        self.await_workers("bench", 2)
        for p in self.c.call("pools"):
            self.assertEqual((p["state"], p["deaths"], p["failed_starts"]), ("ready", 0, 0), p)
        used = self.c.call("stats")["limits"]
        self.assertEqual([used[k]["used"] for k in ("jobs", "futures", "fds")], [0, 0, 0])


if __name__ == "__main__":
    run_cases()
