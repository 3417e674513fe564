"""A signal reaches the command that it is for: not one that came before or after it on the same worker."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client

ROUNDS = int(os.environ.get("POOLD_TEST_ROUNDS", 200))


class Signals(DaemonCase):
    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.close()

    def started(self, script, options=None):
        id = self.c.call("submit", "exec", ["sh", "-c", "echo on; " + script], options or {})
        self.assertEqual(self.c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})[0], b"on\n")
        return id

    def end(self, id):
        self.c.call("wait", [id])
        failure = self.c.call("info", id)["error"]
        return failure[0], failure[2]

    def test_the_number_is_the_one_that_was_sent(self):
        for signo in signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL, 40, 64:
            id = self.started("exec sleep 60")
            self.assertEqual(self.c.call("signal", id, int(signo)), True)
            code, details = self.end(id)
            self.assertEqual((code, details["signal"]), ("signal", int(signo)))

    def test_the_whole_group_gets_it(self):
        id = self.started("(trap 'echo child; exit 5' USR2; echo two; while :; do sleep 0.05; done) & "
                          "trap 'wait $!; exit $?' USR2; while :; do sleep 0.05; done")
        while self.c.call("read", id, 0, 9, {"stream": "stdout", "timeout": 60})[0] != b"on\ntwo\n":
            pass
        self.c.call("signal", id, int(signal.SIGUSR2))
        code, details = self.end(id)
        self.assertEqual((code, details["exit_code"]), ("exit", 5))
        self.assertIn(b"child", details["stdout"])

    def test_a_stopped_command_goes_on_and_hears_a_cancel(self):
        id = self.started("sleep 0.1; exit 4")
        self.c.call("signal", id, int(signal.SIGSTOP))
        self.assertEqual(self.c.call("wait", [id], {"timeout": 0.3}), [])
        self.c.call("signal", id, int(signal.SIGCONT))
        self.assertEqual(self.end(id)[1]["exit_code"], 4)
        id = self.started("exec sleep 60", {"grace": 600})
        self.c.call("signal", id, int(signal.SIGSTOP))
        self.c.call("cancel", [id])
        self.assertEqual(self.c.call("wait", [id], {"timeout": 60}), [[id, "cancelled"]])

    def test_one_that_is_ending_can_be_told_too(self):
        id = self.started("trap 'echo heard' TERM; trap 'exit 0' USR1; while :; do sleep 0.05; done",
                          {"grace": 600})
        self.c.call("cancel", [id])
        while b"heard" not in self.c.call("read", id, 0, 99, {"stream": "stdout", "timeout": 60})[0]:
            pass
        self.c.call("signal", id, int(signal.SIGUSR1))
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])

    def test_what_takes_no_signals_says_so(self):
        blockers = [self.started("exec sleep 60") for _ in range(2)]
        waiting = self.c.call("submit", "exec", ["true"])
        self.assertEqual(self.c.error("signal", waiting, 15).code, "not_ready")
        self.c.call("cancel", blockers)
        self.assertEqual(self.c.call("wait", [waiting]), [[waiting, "done"]])
        failure = self.c.error("signal", waiting, 15)
        self.assertEqual((failure.code, "done" in failure.message), ("bad_request", True))
        sleeping = self.c.call("submit", "bench/sleep", 200_000)
        failure = self.c.error("signal", sleeping, 15)
        self.assertEqual((failure.code, "bench" in failure.message), ("bad_request", True))
        self.assertEqual(self.c.call("wait", [sleeping]), [[sleeping, "done"]])
        value = self.c.call("put", 1)
        self.assertEqual(self.c.error("signal", value, 15).code, "bad_request")
        for number in 0, 65, -1, "TERM", 1.5, None:
            self.assertEqual(self.c.error("signal", waiting, number).code, "bad_request")
        self.assertEqual(self.c.error("signal", 1 << 52, 15).code, "unknown_future")

    def test_neighbours_on_the_same_worker_are_never_hit(self):
        hits = 0
        for i in range(ROUNDS):
            ids = self.c.call("submit_many", "exec", [["true"]] * 6)
            victim = ids[i % 6]
            answers = [self.c.send("signal", victim, int(signal.SIGUSR1)) for _ in range(8)]
            states = dict(self.c.call("wait", ids))
            for msgid in answers:
                try:
                    self.c.answer(msgid)
                except Exception as failure:
                    self.assertIn(failure.code, ("not_ready", "bad_request"))
            for id in ids:
                if id != victim:
                    self.assertEqual(states[id], "done")
                else:
                    self.assertIn(states[id], ("done", "failed"))
                    hits += states[id] == "failed"
            self.c.call("release", ids)
        print(f"{ROUNDS} rounds, {hits} hit, no neighbour")


if __name__ == "__main__":
    run_cases()
