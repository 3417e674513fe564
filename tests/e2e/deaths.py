"""Who dies costs no more than it must: workers, clients, zygotes, the daemon itself."""

import os
import random
import select
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import Folder, Poold, run_cases
from wire import Client


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


class Deaths(ClientCase):
    def workers(self, pool, state=None):
        return [w for w in self.c.call("workers", {"pool": pool}) if state in (None, w["state"])]

    def await_size(self, pool, n):
        while len(self.workers(pool, "idle")) < n:
            pass

    def started_command(self, script, options=None):
        """A command that has said something, so it runs for certain."""
        id = self.c.call("submit", "exec", ["sh", "-c", "echo on; " + script], options or {})
        self.assertEqual(self.c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})[0], b"on\n")
        return id

    def test_killed_worker_costs_the_one_job_that_it_ran(self):
        running = self.started_command("exec sleep 60")
        others = self.c.call("submit_many", "exec", [["true"]] * 99)
        pid = self.c.call("info", running)["worker_pid"]
        os.kill(pid, signal.SIGKILL)
        failure = self.c.error("result", running)
        self.assertEqual(failure.code, "lost")
        self.assertEqual((failure.details["pid"], failure.details["signal"]), (pid, signal.SIGKILL))
        self.assertEqual(failure.details["attempt"], 1)
        self.assertIn(str(pid), failure.message)
        states = [state for _, state in self.c.call("wait", others)]
        self.assertEqual(states, ["done"] * 99)
        self.await_size("default", 2)

    def test_a_module_that_crashes_tells_signal_or_exit_code(self):
        failure = self.c.error("call", "bench/crash", signal.SIGSEGV)
        self.assertEqual((failure.code, failure.details["signal"]), ("lost", signal.SIGSEGV))
        failure = self.c.error("call", "bench/exit", 7)
        self.assertEqual((failure.code, failure.details["exit_code"]), ("lost", 7))
        self.await_size("bench", 2)

    def test_what_waited_behind_a_dead_worker_runs_elsewhere(self):
        for _ in range(30):
            ids = self.c.call("submit_many", "bench/crash", [9])
            ids += self.c.call("submit_many", "bench/noop_serial", [None] * 6)
            states = dict(self.c.call("wait", ids))
            self.assertEqual([states[id] for id in ids], ["lost"] + ["done"] * 6)

    def test_orphans_of_a_killed_worker_die_with_it(self):
        pidfile = self.folder.at("orphan")
        id = self.c.call("submit", "exec",
                         ["sh", "-c", f"setsid sh -c 'echo $$ > {pidfile}; echo on >&2; exec sleep 60' & "
                          "wait"])
        self.assertEqual(self.c.call("read", id, 0, 3, {"stream": "stderr", "timeout": 60})[0], b"on\n")
        with open(pidfile) as f:
            orphan = os.pidfd_open(int(f.read()))
        os.kill(self.c.call("info", id)["worker_pid"], signal.SIGKILL)
        self.assertEqual(self.c.error("result", id).code, "lost")
        self.assertTrue(select.select([orphan], [], [], 0)[0], "a process of the lost job lives")
        os.close(orphan)

    def test_cancelled_command_leaves_no_process(self):
        pidfile = self.folder.at("cancelled")
        id = self.started_command(f"setsid sleep 60 & echo $! > {pidfile}; echo two; wait")
        while len(self.c.call("read", id, 0, 9, {"stream": "stdout", "timeout": 60})[0]) < 7:
            pass
        with open(pidfile) as f:
            left = os.pidfd_open(int(f.read()))
        self.c.call("cancel", [id])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])
        self.assertTrue(select.select([left], [], [], 0)[0], "a process of the cancelled job lives")
        os.close(left)

    def test_command_that_ignores_sigterm_is_killed_after_its_grace(self):
        id = self.started_command("trap '' TERM; while :; do sleep 60; done", {"grace": 0.1})
        self.assertEqual(self.c.call("cancel", [id]), [[id, "cancelling"]])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])
        id = self.started_command("trap '' TERM; while :; do sleep 60; done",
                                  {"grace": 0.1, "timeout": 0.1})
        self.assertEqual(self.c.call("wait", [id]), [[id, "timeout"]])
        self.await_size("default", 2)

    def test_stopped_worker_is_killed_too(self):
        id = self.started_command("exec sleep 60", {"grace": 0.1})
        os.kill(self.c.call("info", id)["worker_pid"], signal.SIGSTOP)
        self.c.call("cancel", [id])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])

    def test_the_next_in_line_is_never_hit_by_a_cancel(self):
        rng = random.Random(1)
        for _ in range(300):
            ids = self.c.call("submit_many", "bench/spin", [rng.randrange(100)] * 6)
            victim = ids[rng.randrange(6)]
            outcome = self.c.call("cancel", [victim])[0][1]
            for id, state in self.c.call("wait", ids):
                allowed = {"done"} if id != victim else {"done"} if outcome == "too_late" else {"cancelled"}
                self.assertIn(state, allowed)

    def test_killed_client_loses_no_job(self):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            c = Client(self.folder.socket)
            ids = c.call("submit_many", "bench/sleep", [20_000] * 20)
            os.write(write_end, " ".join(map(str, ids)).encode())
            signal.pause()
            os._exit(0)
        os.close(write_end)
        ids = [int(id) for id in os.read(read_end, 4096).split()]
        os.close(read_end)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.assertEqual({state for _, state in self.c.call("wait", ids)}, {"done"})
        self.assertEqual(len(self.c.call("wait", ids)), 20)

    def test_dead_zygote_is_replaced_and_its_workers_go_on(self):
        daemon = self.poold.process.pid
        workers = {w["pid"] for w in self.c.call("workers")}
        zygotes = [p for p in children_of(daemon) if p not in workers]
        id = self.started_command("exec sleep 60")
        for zygote in zygotes:
            os.kill(zygote, signal.SIGKILL)
        os.kill(self.c.call("info", id)["worker_pid"], signal.SIGKILL)
        self.assertEqual(self.c.error("result", id).code, "lost")
        self.await_size("default", 2)
        self.assertEqual(self.c.call("call", "bench/echo", 1), 1)

    def test_no_zombie_and_no_stranger_is_left(self):
        for name in "default", "bench":
            self.await_size(name, 2)
        known = {w["pid"] for w in self.c.call("workers")}
        pools = len(self.c.call("pools"))
        while len(children_of(self.poold.process.pid)) > len(known) + pools:
            pass


class KilledDaemon(unittest.TestCase):
    def start(self, folder):
        poold = Poold(folder)
        self.addCleanup(self.end, poold)
        return poold.await_ready()

    def end(self, poold):
        poold.process.kill()
        poold.process.wait()

    def test_workers_die_with_a_killed_daemon(self):
        with Folder() as folder:
            poold = self.start(folder)
            with Client(folder.socket) as c:
                id = c.call("submit", "exec", ["sh", "-c", "echo on; exec sleep 60"])
                c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
                watched = [os.pidfd_open(pid) for pid in children_of(poold.process.pid)]
                self.end(poold)
            for fd in watched:
                self.assertTrue(select.select([fd], [], [], 60)[0], "a worker outlived its daemon")
                os.close(fd)

    def test_ids_go_on_after_a_kill(self):
        with Folder() as folder:
            ids = []
            for _ in range(3):
                poold = self.start(folder)
                with Client(folder.socket) as c:
                    ids += c.call("submit_many", "bench/noop", [None] * 3)
                self.end(poold)
                os.truncate(poold.log, 0)
        self.assertEqual(ids, sorted(set(ids)))


if __name__ == "__main__":
    run_cases()
