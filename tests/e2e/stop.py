"""How the daemon stops: no new jobs, every waiter answered, exit code 0, nothing left behind."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import Folder, Poold, run_cases
from wire import Client, Closed, Failure


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
