"""Wherever a worker or a zygote dies, it costs at most the one job that it had received: no job runs twice, none
is lost that had not begun, none that was answered, and the pool is whole again.

POOLD_TEST_ROUNDS: how often each case.
"""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, PATIENCE, DaemonCase, Folder, Poold, run_cases
from wire import Client

ROUNDS = int(os.environ.get("POOLD_TEST_ROUNDS", 5))
MORTAL = os.path.join(BUILD, "tests", "lib", ".libs", "mortal.so")
# A zygote that dies often starts later and later: so they are many, and each dies a few times.
ZYGOTES = max(5, ROUNDS // 4)
BEHIND = 4


def pools(n, folder, more=""):
    return "".join(f"\n[pool {name}]\nhandler = module\nmodule = {MORTAL}\nworkers = 1\n"
                   f"env = MORTAL={folder}\n{more}"
                   for name in ["mortal"] + [f"zygote{i}" for i in range(n)])


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


class MortalCase(DaemonCase):
    n_pools = 0
    more = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder(pools="")
        with open(cls.folder.config, "a") as f:
            f.write(pools(cls.n_pools, cls.folder.path, cls.more))
        try:
            cls.poold = Poold(cls.folder).await_ready()
        except BaseException:
            cls.folder.__exit__()
            raise

    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.close()

    # ---- what the cases are made of

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)

    def worker(self, pool="mortal", state="idle"):
        """The pid of the pool's one worker, as soon as it is in this state."""
        found = []

        def look():
            found[:] = [w["pid"] for w in self.c.call("workers", {"pool": pool}) if w["state"] == state]
            return found
        self.until(look, f"no worker is {state}")
        return found[0]

    def stop_worker(self):
        pid = self.worker()
        os.kill(pid, signal.SIGSTOP)
        self.until(lambda: self.stat(pid) == "T", "it does not stop")
        return pid

    def stat(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "Z"

    def kill(self, pid):
        """Dead when it returns: one that is merely hit may still receive, though it runs nothing."""
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.stat(pid) == "Z", "it does not die")

    def submit(self, name, options=None, pool="mortal"):
        return self.c.call("submit", f"{pool}/{name}", None, options or {})

    def behind(self, pool="mortal"):
        return self.c.call("submit_many", f"{pool}/live", [None] * BEHIND)

    def running_deaf(self, options=None):
        id = self.submit("deaf", options)
        self.until(lambda: "progress" in self.c.call("info", id), "it does not run")
        return id

    def state(self, id):
        return self.c.call("wait", [id])[0][1]

    def ran(self, id):
        try:
            with open(self.folder.at("runs")) as f:
                return f.read().split().count(str(id))
        except FileNotFoundError:
            return 0

    def assert_end(self, id, state, runs, others=()):
        """This job ended so and ran so often, and the others are done and ran once each."""
        self.assertEqual(self.state(id), state)
        self.assertEqual([s for _, s in self.c.call("wait", list(others))], ["done"] * len(others))
        self.assertEqual(self.ran(id), runs)
        self.assertEqual([self.ran(other) for other in others], [1] * len(others))
        failure = self.c.call("info", id).get("error")
        self.c.call("release", [id, *others])
        return failure

    def rounds(self, case, parts=1):
        for _ in range(max(ROUNDS // parts, 1)):
            if os.path.exists(self.folder.at("runs")):
                os.truncate(self.folder.at("runs"), 0)
            case()
        self.worker()


class Workers(MortalCase):
    def test_before_it_received_anything(self):
        def case():
            pid = self.stop_worker()
            ids = self.behind()
            self.until(lambda: self.c.call("poll", ids[0]) == "running", "it is not handed over")
            os.kill(pid, signal.SIGKILL)
            self.assert_end(ids[0], "done", 1, ids[1:])
        self.rounds(case)

    def test_as_soon_as_it_received(self):
        def case():
            id = self.submit("die")
            failure = self.assert_end(id, "lost", 1, self.behind())
            self.assertEqual(failure[2]["signal"], signal.SIGKILL)
        self.rounds(case)

    def test_while_it_runs(self):
        def case():
            id = self.running_deaf()
            others = self.behind()
            pid = self.c.call("info", id)["worker_pid"]
            os.kill(pid, signal.SIGKILL)
            failure = self.assert_end(id, "lost", 1, others)
            self.assertEqual((failure[2]["pid"], failure[2]["attempt"]), (pid, 1))
        self.rounds(case)

    def test_with_half_an_answer_written(self):
        def case():
            id = self.submit("half")
            failure = self.assert_end(id, "lost", 1, self.behind())
            self.assertEqual(failure[2]["reason"], "protocol")
        self.rounds(case)

    def test_with_its_answer_written(self):
        def case():
            self.assert_end(self.submit("last"), "done", 1, self.behind())
        self.rounds(case)

    def test_while_it_is_idle(self):
        def case():
            self.assert_end(self.submit("live"), "done", 1)
            self.kill(self.worker())
            ids = self.behind()
            self.assert_end(ids[0], "done", 1, ids[1:])
        self.rounds(case)

    def test_before_it_is_ready(self):
        """Killed as soon as it is seen."""
        def case():
            daemon = self.poold.process.pid
            self.assert_end(self.submit("live"), "done", 1)
            pid = self.worker()
            known = set(children_of(daemon))
            self.kill(pid)
            ids = self.behind()
            fresh = set()
            while not fresh:
                fresh = set(children_of(daemon)) - known
            for pid in fresh:
                self.kill(pid)
            for id in ids:
                self.assertIn(self.state(id), ("done", "lost"))
            lost = [id for id in ids if self.c.call("poll", id) == "lost"]
            self.assertLessEqual(len(lost), len(fresh))  # one that was quick
            self.assertTrue(all(self.ran(id) <= 1 for id in ids))
            self.c.call("release", ids)
        self.rounds(case)

    def test_in_init(self):
        def case():
            self.assert_end(self.submit("live"), "done", 1)  # so that no back-off adds up
            pid = self.worker()
            open(self.folder.at("init"), "w").close()
            self.kill(pid)
            ids = self.behind()
            self.assert_end(ids[0], "done", 1, ids[1:])
            self.assertFalse(os.path.exists(self.folder.at("init")))
        self.rounds(case)

    def test_stopped_with_a_job_not_received(self):
        def case():
            self.stop_worker()
            id = self.submit("live")
            self.until(lambda: self.c.call("poll", id) == "running", "it is not handed over")
            self.assertEqual(self.c.call("cancel", [id]), [[id, "cancelled"]])
            self.assert_end(id, "cancelled", 0)
            self.kill(self.worker())
            self.assert_end(self.submit("live"), "done", 1)
        self.rounds(case)

    def test_stopped_with_a_job_that_nobody_asks_for(self):
        def case():
            pid = self.stop_worker()
            ids = self.behind()
            # each of these is news for the daemon, which looks again at what runs late
            while len(self.c.call("wait", ids, {"timeout": 0.1})) < len(ids):
                pass
            self.assert_end(ids[0], "done", 1, ids[1:])
            self.until(lambda: self.stat(pid) == "Z", "it is not replaced")
        self.rounds(case, 4)  # a second each

    def test_stopped_in_the_middle_of_a_job(self):
        def case():
            id = self.running_deaf({"timeout": 0.1, "grace": 0.05})
            others = self.behind()
            try:
                os.kill(self.c.call("info", id)["worker_pid"], signal.SIGSTOP)
            except KeyError:
                pass  # over already, on a slow machine
            self.assert_end(id, "timeout", 1, others)
        self.rounds(case)

    def test_while_its_job_is_cancelled(self):
        def case():
            id = self.running_deaf({"grace": 600})
            others = self.behind()
            pid = self.c.call("info", id)["worker_pid"]
            self.assertEqual(self.c.call("cancel", [id]), [[id, "cancelling"]])
            os.kill(pid, signal.SIGKILL)
            self.assert_end(id, "cancelled", 1, others)
        self.rounds(case)


class Packets(MortalCase):
    def run_short(self):
        """Runs so short, and of results so small, that those behind them share a packet."""
        ids = self.c.call("submit_many", "mortal/pure", [None] * 3000)
        self.c.call("wait", ids)
        self.c.call("release", ids)

    def deaths(self):
        return self.c.call("pools")[0]["deaths"]

    def packet(self, *words):
        """All of it is received at once, as soon as the worker goes on. What ran before may have been long."""
        self.run_short()
        if os.path.exists(self.folder.at("gate")):
            os.unlink(self.folder.at("gate"))
        first = self.submit("pure")  # of a fresh worker, which comes alone
        self.state(first)
        self.c.call("release", [first])
        pid = self.stop_worker()
        ids = self.c.call("submit_many", "mortal/pure", [word.encode() for word in words])
        self.until(lambda: self.c.call("poll", ids[0]) == "running", "it is not handed over")
        os.kill(pid, signal.SIGCONT)
        return ids

    def assert_ends(self, ids, states, runs):
        self.assertEqual([self.state(id) for id in ids], states)
        for id, want in zip(ids, runs):
            self.assertIn(self.ran(id), want if isinstance(want, tuple) else (want,))

    def attempts(self, ids):
        return [self.c.call("info", id)["attempt"] for id in ids]

    def test_killed_in_the_middle(self):
        def case():
            before = self.deaths()
            ids = self.packet("runs", "dies", "runs", "runs")
            # What ran before may not have been told of: then the first one bears it, and the one that kills comes
            # again, alone. Who stands behind it has not begun.
            self.assert_ends(ids, ["done"] * 4, [(1, 2), (2, 3), 1, 1])
            attempts = self.attempts(ids)
            self.assertEqual(attempts[1:], [2, 1, 1])
            self.assertEqual(attempts[0] - 1 + attempts[1] - 1, self.deaths() - before)
            self.c.call("release", ids)
        self.rounds(case, 2)

    def test_killed_from_outside(self):
        def case():
            ids = self.packet("deaf", "runs", "runs")
            self.until(lambda: "progress" in self.c.call("info", ids[0]), "it does not run")
            self.kill(self.c.call("info", ids[0])["worker_pid"])
            self.assert_ends(ids, ["done"] * 3, [2, 1, 1])
            self.assertEqual(self.attempts(ids), [2, 1, 1])
            self.c.call("release", ids)
        self.rounds(case)

    def test_one_does_not_end(self):
        def case():
            ids = self.packet("runs", "deaf", "runs")
            self.assert_ends(ids, ["done"] * 3, [1, 2, 1])
            self.assertEqual(self.attempts(ids), [1, 2, 1])
            self.c.call("release", ids)
        self.rounds(case, 4)  # a second each

    def test_a_later_one_is_cancelled(self):
        def case():
            before = self.deaths()
            ids = self.packet("gate", "runs", "runs", "runs")
            self.until(lambda: "progress" in self.c.call("info", ids[0]), "it does not run")
            self.assertEqual(self.c.call("cancel", [ids[2]]), [[ids[2], "cancelling"]])
            open(self.folder.at("gate"), "w").close()
            self.assert_ends(ids, ["done", "done", "cancelled", "done"], [1, 1, 0, 1])
            self.assertEqual((self.attempts(ids), self.deaths()), ([1] * 4, before))
            self.c.call("release", ids)
        self.rounds(case)

    def test_the_first_is_killed(self):
        def case():
            ids = self.packet("gate", "runs", "runs")
            self.until(lambda: "progress" in self.c.call("info", ids[0]), "it does not run")
            self.assertEqual(self.c.call("cancel", [ids[0]], {"mode": "kill"}), [[ids[0], "cancelling"]])
            self.assert_ends(ids, ["cancelled", "done", "done"], [1, 1, 1])
            self.c.call("release", ids)
        self.rounds(case)

    def test_results_have_no_room_behind_the_first(self):
        def case():
            before = self.deaths()
            ids = self.packet("much", "runs", "much", "runs")
            self.assert_ends(ids, ["done"] * 4, [1, 1, 2, 1])
            self.assertEqual((self.attempts(ids), self.deaths()), ([1] * 4, before))
            self.assertEqual([len(self.c.call("result", id) or b"") for id in ids], [100000, 0] * 2)
            self.c.call("release", ids)
        self.rounds(case, 4)


class Draining(MortalCase):
    def test_while_the_daemon_stops(self):
        for _ in range(ROUNDS):
            id = self.running_deaf({"deliver": True})
            pid = self.c.call("info", id)["worker_pid"]
            others = self.c.call("submit_many", "mortal/live", [None] * BEHIND, {"deliver": True})
            self.poold.process.send_signal(signal.SIGTERM)
            ends = {}
            for _ in others:
                ends.update([self.c.note()[:2]])
            self.assertEqual(ends, dict.fromkeys(others, "aborted"))
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(self.c.note()[:2], [id, "lost"])
            self.assertIsNone(self.c.until_closed())
            self.assertEqual(self.poold.stop(), 0)
            self.assertEqual([self.ran(other) for other in others], [0] * BEHIND)
            os.truncate(self.poold.log, 0)
            self.c.close()
            type(self).poold = Poold(self.folder).await_ready()
            self.c = Client(self.folder.socket)


class ZygoteCase(MortalCase):
    n_pools = ZYGOTES

    def zygotes(self):
        """{pool: pid} of those that fork."""
        found = {}
        workers = {w["pid"] for w in self.c.call("workers")}
        for pid in children_of(self.poold.process.pid):
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    name = f.read().split("\0")[1]
            except (OSError, IndexError):
                continue
            if pid not in workers and name.startswith("zygote"):
                found[name] = pid
        return found

    def sweep(self, hit):
        """Each zygote is hit, then its worker killed: jobs run in a worker of the next one."""
        names = [f"zygote{i}" for i in range(ZYGOTES)]
        for _ in range(-(-ROUNDS // ZYGOTES)):
            workers = {name: self.worker(name) for name in names}
            zygotes = self.zygotes()
            self.assertEqual(sorted(zygotes), sorted(names))
            for name in names:
                hit(zygotes[name])
            for name in names:
                self.kill(workers[name])
            jobs = {name: self.behind(name) for name in names}
            for name in names:
                ids = jobs[name]
                self.assert_end(ids[0], "done", 1, ids[1:])
                self.until(lambda: self.zygotes().get(name, zygotes[name]) != zygotes[name],
                           "the zygote is still there")
        self.assertNotIn("lost", {i["state"] for i in self.c.call("list", {})})


class Zygotes(ZygoteCase):
    def test_zygote_killed(self):
        self.sweep(lambda pid: os.kill(pid, signal.SIGKILL))

    def test_zygote_killed_and_the_next_one_dies_in_preload(self):
        def hit(pid):
            open(self.folder.at("preload"), "w").close()
            os.kill(pid, signal.SIGKILL)
        self.sweep(hit)
        self.assertFalse(os.path.exists(self.folder.at("preload")))


class StoppedZygotes(ZygoteCase):
    # Long enough for all of them to set up at once on a busy machine.
    more = "start_timeout = 3s\n"

    def test_zygote_stopped(self):
        self.sweep(lambda pid: os.kill(pid, signal.SIGSTOP))


if __name__ == "__main__":
    run_cases()
