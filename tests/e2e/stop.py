"""How the daemon stops: no new jobs, every waiter answered, exit code 0, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, POOLD, Folder, Poold, run_cases
from wire import Client, Closed, Failure


MORTAL = os.path.join(BUILD, "tests", "lib", ".libs", "mortal.so")
ONE = "[pool one]\nhandler = exec\nworkers = 1\ngrace = 100ms\n"
SLOW = "[pool slow]\nhandler = exec\ngrace = 1h\n"


class Stop(unittest.TestCase):
    def start(self, settings=""):
        folder = Folder(daemon=settings)
        self.addCleanup(folder.__exit__)
        poold = Poold(folder)
        self.addCleanup(poold.process.wait)
        self.addCleanup(poold.process.kill)
        return folder, poold.await_ready()

    def test_running_jobs_may_finish_and_waiting_ones_are_aborted(self):
        folder, poold = self.start()
        fifo = folder.at("fifo")
        os.mkfifo(fifo)
        os.mkfifo(fifo + "2")
        with Client(folder.socket) as c:
            running = c.call("submit", "exec", ["sh", "-c", f"echo on; read x < {fifo}; echo $x"])
            c.call("read", running, 0, 3, {"stream": "stdout", "timeout": 60})
            blocker = c.call("submit", "exec", ["sh", "-c", f"echo on; read x < {fifo}2"])
            c.call("read", blocker, 0, 3, {"stream": "stdout", "timeout": 60})
            waiting = c.call("submit", "exec", ["true"])
            answers = [c.send("result", id) for id in (running, waiting)]
            poold.process.send_signal(signal.SIGTERM)
            with self.assertRaises(Failure) as caught:
                c.answer(answers[1])
            self.assertEqual(caught.exception.code, "aborted")
            self.assertEqual(caught.exception.details, {"cause": "shutdown"})
            self.assertEqual(c.error("submit", "exec", ["true"]).code, "draining")
            for name in fifo, fifo + "2":
                with open(name, "w") as f:
                    f.write("end\n")
            self.assertEqual(c.answer(answers[0])["stdout"], b"on\nend\n")
            self.assertIsNone(c.until_closed())
        self.assertEqual(poold.stop(), 0)
        self.assertFalse(os.path.exists(folder.socket))

    def test_what_still_runs_is_aborted_when_the_time_is_over(self):
        folder, poold = self.start("stop_timeout = 100ms\n")
        with Client(folder.socket) as c:
            ids = [c.call("submit", "exec", ["sh", "-c", "echo on; " + script], {"grace": 0.1})
                   for script in ("exec sleep 60", "trap '' TERM; while :; do sleep 60; done")]
            for id in ids:
                c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
            answers = [c.send("result", id) for id in ids]
            poold.process.send_signal(signal.SIGTERM)
            for msgid in answers:
                with self.assertRaises(Failure) as caught:
                    c.answer(msgid)
                self.assertEqual(caught.exception.code, "aborted")
        self.assertEqual(poold.stop(), 0)

    def test_no_job_holds_the_stop_with_a_grace_of_its_own(self):
        folder, poold = self.start("stop_timeout = 100ms\n[pool stubborn]\nhandler = exec\n"
                                   "workers = 2\ngrace = 100ms\n")
        with Client(folder.socket) as c:
            script = "trap '' TERM; echo on; while :; do sleep 60; done"
            ids = [c.call("submit", "stubborn/exec", ["sh", "-c", script], {"grace": 3e9})
                   for _ in range(2)]
            for id in ids:
                c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
            self.assertEqual(c.call("cancel", ids[:1]), [[ids[0], "cancelling"]])
            answers = [c.send("result", id) for id in ids]
            poold.process.send_signal(signal.SIGTERM)
            for msgid, code in zip(answers, ("cancelled", "aborted")):
                with self.assertRaises(Failure) as caught:
                    c.answer(msgid)
                self.assertEqual(caught.exception.code, code)
        self.assertEqual(poold.stop(), 0)

    def test_every_waiter_is_answered(self):
        folder, poold = self.start("stop_timeout = 50ms\n")
        clients = [Client(folder.socket) for _ in range(20)]
        ids = clients[0].call("submit_many", "bench/sleep", [60_000_000] * 10, {"deliver": True})
        answers = [c.send("wait", ids) for c in clients]
        reading = [c.send("read", ids[0], 0, 1, {"timeout": 60}) for c in clients]
        for c in clients:
            c.call("ping")
        poold.process.send_signal(signal.SIGTERM)
        for c, wait, read in zip(clients, answers, reading):
            self.assertEqual({state for _, state in c.answer(wait)}, {"aborted"})
            with self.assertRaises(Failure):
                c.answer(read)
        self.assertEqual(sorted(clients[0].note()[0] for _ in ids), ids)
        for c in clients:
            self.assertIsNone(c.until_closed())
            c.close()
        self.assertEqual(poold.stop(), 0)

    def test_shutdown_is_answered_before_the_socket_closes(self):
        folder, poold = self.start()
        with Client(folder.socket) as c:
            self.assertEqual(c.call("shutdown", None, {}), True)
            self.assertIsNone(c.until_closed())
        self.assertEqual(poold.stop(), 0)

    def busy(self, settings=""):
        """A daemon with a job that runs until a line is written into the fifo, and one that waits for it."""
        folder, poold = self.start(settings + ONE)
        os.mkfifo(folder.at("fifo"))
        c = Client(folder.socket)
        self.addCleanup(c.close)
        script = f"echo on; read x < {folder.at('fifo')}; echo $x"
        running = c.call("submit", "one/exec", ["sh", "-c", script], {"grace": 60})
        c.call("read", running, 0, 3, {"stream": "stdout", "timeout": 60})
        return folder, poold, c, running, c.call("submit", "one/exec", ["echo", "waited"])

    def state_of(self, c, msgid):
        """done, or the code of the failure."""
        try:
            c.answer(msgid)
            return "done"
        except Failure as failure:
            return failure.code

    def test_finish_lets_waiting_jobs_run_and_serves_meanwhile(self):
        folder, poold, c, running, waiting = self.busy()
        blocked = c.call("submit", "one/exec", ["true"], {"after": [waiting]})
        delayed = c.call("submit", "one/exec", ["true"], {"delay": 0.3})
        self.assertEqual(c.call("shutdown", None, {"mode": "finish"}), True)
        for refused in (("submit", "one/exec", ["true"]), ("put", 1), ("submit", "bench/noop", 1)):
            failure = c.error(*refused)
            self.assertEqual((failure.code, "stopping" in failure.message), ("draining", True), failure)
        with Client(folder.socket) as late:
            self.assertEqual(late.call("poll", waiting), "queued")
            asked = late.send("result", waiting)
            wait = late.send("wait", [running, waiting, blocked, delayed])
            with open(folder.at("fifo"), "w") as f:
                f.write("end\n")
            self.assertEqual(late.answer(asked)["stdout"], b"waited\n")
            self.assertEqual({state for _, state in late.answer(wait)}, {"done"})
            self.assertIsNone(late.until_closed())
        self.assertEqual(poold.process.wait(60), 0)

    def test_finish_has_an_end_if_it_is_told_one(self):
        folder, poold, c, running, waiting = self.busy("stop_timeout = 1h\n")
        answers = [c.send("result", id) for id in (running, waiting)]
        self.assertEqual(c.call("shutdown", None, {"mode": "finish", "timeout": 0.2}), True)
        self.assertEqual([self.state_of(c, msgid) for msgid in answers], ["aborted"] * 2)
        self.assertEqual(poold.process.wait(60), 0)

    def test_a_finish_can_be_hastened(self):
        for haste in ("term", "kill", "signal"):
            folder, poold, c, running, waiting = self.busy("stop_timeout = 100ms\n")
            answers = [c.send("result", id) for id in (running, waiting)]
            self.assertEqual(c.call("shutdown", None, {"mode": "finish"}), True)
            if haste == "signal":
                poold.process.send_signal(signal.SIGTERM)
            else:
                self.assertEqual(c.call("shutdown", None, {"mode": haste}), True)
            self.assertEqual([self.state_of(c, msgid) for msgid in answers], ["aborted"] * 2, haste)
            self.assertEqual(poold.process.wait(60), 0)

    def test_less_haste_does_not_hold_a_stop(self):
        folder, poold, c, running, waiting = self.busy("stop_timeout = 1h\n")
        answers = [c.send("result", id) for id in (running, waiting)]
        self.assertEqual(c.call("shutdown", None, {"mode": "term"}), True)
        self.assertEqual(self.state_of(c, answers[1]), "aborted")
        self.assertEqual(c.call("shutdown", None, {"mode": "finish"}), True)
        self.assertEqual(c.call("shutdown", None, {}), True)
        self.assertEqual(c.call("poll", running), "running")
        self.assertEqual(c.call("shutdown", None, {"timeout": 0.1}), True)
        self.assertEqual(self.state_of(c, answers[0]), "aborted")
        self.assertEqual(poold.process.wait(60), 0)

    def test_kill_gives_running_jobs_no_time(self):
        folder, poold, c, running, waiting = self.busy("stop_timeout = 1h\n" + SLOW)
        script = "trap '' TERM; echo on; while :; do sleep 60; done"
        stubborn = c.call("submit", "slow/exec", ["sh", "-c", script])
        c.call("read", stubborn, 0, 3, {"stream": "stdout", "timeout": 60})
        c.call("cancel", [stubborn])
        answers = [c.send("result", id) for id in (running, waiting, stubborn)]
        self.assertEqual(c.call("shutdown", None, {"mode": "kill"}), True)
        self.assertEqual([self.state_of(c, msgid) for msgid in answers], ["aborted", "aborted", "cancelled"])
        self.assertIsNone(c.until_closed())
        self.assertEqual(poold.process.wait(60), 0)

    def test_each_signal_is_a_step_on(self):
        folder, poold, c, running, waiting = self.busy("stop_timeout = 1h\n" + SLOW)
        script = "trap 'echo rung' TERM; echo on; while :; do sleep 0.05; done"
        stubborn = c.call("submit", "slow/exec", ["sh", "-c", script])
        c.call("read", stubborn, 0, 3, {"stream": "stdout", "timeout": 60})
        answers = [c.send("result", id) for id in (waiting, running, stubborn)]
        poold.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.state_of(c, answers[0]), "aborted")
        self.assertEqual(c.call("poll", stubborn), "running")
        poold.process.send_signal(signal.SIGINT)
        while b"rung" not in c.call("read", stubborn, 0, 99, {"stream": "stdout", "timeout": 60})[0]:
            pass
        self.assertEqual(c.call("poll", stubborn), "cancelling")
        poold.process.send_signal(signal.SIGTERM)
        self.assertEqual([self.state_of(c, msgid) for msgid in answers[1:]], ["aborted"] * 2)
        poold.process.send_signal(signal.SIGTERM)
        self.assertEqual(poold.process.wait(60), 0)

    def test_modes_are_checked(self):
        folder, poold = self.start()
        with Client(folder.socket) as c:
            for options in ({"mode": "now"}, {"mode": 1}, {"timeout": 0}, {"timeout": -1},
                            {"mode": "kill", "timeout": 1}):
                self.assertEqual(c.error("shutdown", None, options).code, "bad_request", options)
            self.assertEqual(c.error("shutdown", "default").code, "bad_request")
            self.assertEqual(c.error("shutdown", None, {"when": 1}).code, "unknown_option")
            self.assertEqual(c.call("ping"), "pong")

    def test_a_signal_that_came_before_anything_else_is_no_death_by_it(self):
        for sig in signal.SIGTERM, signal.SIGINT:
            folder = Folder()
            self.addCleanup(folder.__exit__)

            def pending():
                signal.pthread_sigmask(signal.SIG_BLOCK, [sig])
                os.kill(os.getpid(), sig)

            with open(folder.at("poold.log"), "wb") as log:
                got = subprocess.run([POOLD, "--config", folder.config], stderr=log, preexec_fn=pending,
                                     timeout=60)
            with open(folder.at("poold.log")) as log:
                self.assertEqual(got.returncode, 0, log.read())

    def test_a_long_preload_does_not_hold_the_stop(self):
        took = []
        for _ in range(3):  # on a busy machine one of them will do
            folder = Folder(pools=f"[pool stuck]\nhandler = module\nmodule = {MORTAL}\n")
            self.addCleanup(folder.__exit__)
            with open(folder.config, "a") as f:
                f.write(f"env = MORTAL={folder.path}\n")
            open(folder.at("stuck"), "w").close()
            poold = Poold(folder)
            self.addCleanup(poold.process.kill)
            poold.await_that(lambda: "stuck\n" in poold.said(), "its preload")
            since = time.monotonic()
            self.assertEqual(poold.stop(), 0)
            took.append(time.monotonic() - since)
            if min(took) < 1.9:  # it waits for answers and workers for 2 s
                return
        self.fail(f"it took {took} s")

    def test_interrupt_from_the_terminal(self):
        folder, poold = self.start()
        self.assertEqual(poold.stop(signal.SIGINT), 0)

    def test_a_client_that_never_reads_does_not_hold_the_stop(self):
        folder, poold = self.start()
        c = Client(folder.socket)
        id = c.call("put", b"x" * 60_000)
        for _ in range(30):
            c.send("result", id)
        with Client(folder.socket) as other:
            other.call("ping")
        self.assertEqual(poold.stop(), 0)
        c.close()

    def test_a_second_daemon_on_the_same_place_is_refused(self):
        folder, poold = self.start()
        second = Poold(folder)
        self.assertEqual(second.process.wait(60), 1)
        with Client(folder.socket) as c:
            self.assertEqual(c.call("ping"), "pong")
        self.assertEqual(poold.stop(), 0)

    def test_a_broken_configuration_is_told_with_its_line(self):
        folder, poold = self.start()
        self.assertEqual(poold.stop(), 0)
        with open(folder.config, "a") as f:
            f.write("[pool broken]\nhandler = exec\nworkres = 3\n")
        second = Poold(folder)
        self.assertEqual(second.process.wait(60), 1)
        self.assertIn("workres", second.said())
        self.assertIn("workers", second.said())
        self.assertIn("poold.conf:", second.said())


if __name__ == "__main__":
    run_cases()
