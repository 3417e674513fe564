"""How PROTOCOL.md says that jobs end, what it says of commands, and of values of any size, spoken by a client that is
no more than a MessagePack library."""

import os
import re
import resource
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import run_cases
from wire import Client, fd_ext, pack, sealed


class WireJobs(ClientCase):
    # cancelling

    def test_cancel_queued_running_and_late(self):
        running = self.c.call("submit", "exec", ["sh", "-c", "echo on; exec sleep 60"])
        self.c.call("read", running, 0, 9, {"stream": "stdout", "timeout": 60})
        self.assertEqual(self.c.call("cancel", [running], {"mode": "queued"}),
                         [[running, "running"]])
        blockers = self.blockers(8)
        queued = self.c.call("submit", "bench/noop", None)
        self.assertEqual(self.c.call("cancel", [queued], {"mode": "queued"}),
                         [[queued, "cancelled"]])
        self.assertEqual(self.c.call("cancel", [queued]), [[queued, "cancelled"]])
        self.c.call("cancel", blockers + [running], {"reason": "the end"})
        self.assertEqual({state for _, state in self.c.call("wait", blockers + [running])}, {"cancelled"})
        error = self.c.call("info", running)["error"]
        self.assertEqual(error[2]["reason"], "the end")
        self.fails("bad_request", "cancel", [running], {"mode": "gently"})

    def test_time_out_names_its_clock(self):
        id = self.c.call("submit", "bench/sleep", 60_000_000, {"timeout": 0.02})
        self.assertEqual(self.fails("timeout", "result", id).details, {"clock": "timeout"})

    def test_kill_needs_no_grace(self):
        id = self.c.call("submit", "exec", ["sh", "-c", "trap '' TERM; echo on; while :; do sleep 1; done"],
                         {"grace": 1000})
        self.assertEqual(self.c.call("read", id, 0, 10, {"stream": "stdout", "timeout": 60}),
                         [b"on\n", False])
        self.assertEqual(self.c.call("cancel", [id], {"mode": "kill"}), [[id, "cancelling"]])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])

    def test_attached_jobs_go_with_their_connection(self):
        with Client(self.folder.socket) as other:
            gone = other.call("submit", "bench/sleep", 60_000_000, {"attached": True})
            held = other.call("put", 1, {"attached": True})
            stays = other.call("submit", "bench/sleep", 60_000_000)
        self.assertEqual(self.c.call("wait", [gone]), [[gone, "cancelled"]])
        self.fails("unknown_future", "poll", held)
        self.assertNotEqual(self.c.call("poll", stays), "cancelled")
        self.c.call("cancel", [stays])

    # the same form again

    def test_the_same_options_mean_the_same_for_those_who_may_have_them(self):
        for n in range(3):
            id = self.c.call("submit", "bench/echo", n, {"deliver": True})
            self.assertEqual(self.c.note()[:3], [id, "done", n])
        self.fails("bad_request", "call", "bench/echo", 1, {"deliver": True})
        for _ in range(2):
            id = self.c.call("submit", "bench/sleep", 60_000_000, {"timeout": 0.01})
            self.fails("timeout", "result", id)
        self.assertEqual(self.c.call("call", "bench/sleep", 20_000), None)
        self.fails("timeout", "call", "bench/sleep", 60_000_000, {"timeout": 0.01})
        self.fails("unknown_option", "put", 1, {"timeout": 0.01})
        self.fails("bad_request", "submit", "bench/noop", None, {"timeout": 0.01}, {"timeout": 0.01})
        ids = self.c.call("submit_many", "bench/sleep", [60_000_000] * 2, {"timeout": 0.01})
        self.assertEqual({state for _, state in self.c.call("wait", ids)}, {"timeout"})

    def test_texts_in_options_are_those_of_their_own_message(self):
        ids = [self.c.call("submit", "bench/noop", None, {"label": label}) for label in ("abc", "abc", "xyz")]
        self.assertEqual([self.c.call("info", id)["label"] for id in ids], ["abc", "abc", "xyz"])
        same = [self.c.call("submit", "bench/echo", value, {"key": "one of three"}) for value in (1, 1)]
        self.assertEqual(len(set(same)), 1)
        self.fails("key_conflict", "submit", "bench/echo", 2, {"key": "one of three"})

    def test_another_name_is_another_function(self):
        for name, answer in [("bench/echo", 5), ("bench/noop", None)] * 2:
            self.assertEqual(self.c.call("call", name, 5), answer)
            self.fails("unknown_function", "call", name[:-1], 5)
            self.fails("unknown_function", "call", name + "o", 5)
            self.fails("unknown_pool", "call", "b" + name, 5)

    # commands

    def test_command_result(self):
        result = self.c.call("call", "exec", {"argv": "cat; echo err >&2", "shell": True,
                                              "stdin": b"in", "env": {"A": "b"}})
        self.assertEqual((result["exit_code"], result["signal"]), (0, None))
        self.assertEqual((result["stdout"], result["stderr"]), (b"in", b"err\n"))
        self.assertFalse(result["stdout_truncated"] or result["stderr_truncated"])
        self.assertGreater(result["rusage"]["maxrss_kib"], 0)

    def test_command_environment(self):
        id = self.c.call("submit", "exec", ["sh", "-c", "echo $POOLD_JOB_ID $POOLD_ATTEMPT "
                                            "$POOLD_SUBMIT_UID $TRACEPARENT"],
                         {"trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        self.assertEqual(self.c.call("result", id)["stdout"].decode().split(),
                         [str(id), "1", str(os.geteuid()),
                          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])

    def test_command_gets_nothing_of_the_daemon(self):
        result = self.c.call("call", "exec", ["sh", "-c", "ulimit -Sn; env; ls /proc/self/fd"])
        lines = result["stdout"].decode().split()
        self.assertEqual(lines[0], str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        self.assertFalse([l for l in lines if re.match("(NOTIFY|LISTEN|WATCHDOG)_", l)])
        self.assertLessEqual([l for l in lines if l.isdigit()][1:], ["0", "1", "2", "3"])  # 3: ls itself

    def test_command_failures(self):
        failure = self.fails("exit", "call", "exec", ["sh", "-c", "echo out; exit 3"])
        self.assertEqual((failure.details["exit_code"], failure.details["stdout"]), (3, b"out\n"))
        failure = self.fails("signal", "call", "exec", ["sh", "-c", "kill -9 $$"])
        self.assertEqual(failure.details["signal"], 9)
        self.assertEqual(self.fails("exit", "call", "exec", ["/no/such"]).details["exit_code"], 127)
        self.assertEqual(self.fails("exit", "call", "exec", ["/etc/passwd"]).details["exit_code"], 126)

    def test_stream_is_read_while_the_command_runs(self):
        folder = self.folder.at("fifo")
        os.mkfifo(folder)
        id = self.c.call("submit", "exec", ["sh", "-c", f"echo one; read x < {folder}; echo two"])
        self.assertEqual(self.c.call("read", id, 0, 100, {"stream": "stdout", "timeout": 60}),
                         [b"one\n", False])
        self.assertEqual(self.c.call("read", id, 4, 100, {"stream": "stdout"}), [b"", False])
        more = self.c.send("read", id, 4, 100, {"stream": "stdout", "timeout": 60})
        with open(folder, "w") as f:
            f.write("\n")
        self.assertEqual(self.c.answer(more)[0], b"two\n")
        self.c.call("wait", [id])
        self.assertEqual(self.c.call("read", id, 0, 100, {"stream": "stdout"}), [b"one\ntwo\n", True])
        self.assertEqual(self.c.call("read", id, 0, 100, {"stream": "stderr"}), [b"", True])
        os.unlink(folder)

    def test_only_commands_have_streams(self):
        self.fails("bad_request", "read", self.c.call("put", 1), 0, 1, {"stream": "stdout"})
        self.fails("bad_request", "read", self.c.call("put", 1), 0, 1, {"stream": "stdlog"})

    # values of any size

    def test_large_result_with_and_without_fds(self):
        data = os.urandom(3 << 20)
        fd = sealed(data)
        id = self.c.call("submit", "bench/echo", fd_ext(0), fds=[fd])
        os.close(fd)
        failure = self.fails("too_large", "result", id)
        self.assertGreater(failure.details["value"], failure.details["max"])
        with Client(self.folder.socket, fds=True) as other:
            self.assertEqual(other.call("result", id), fd_ext(0))
            got, = other.fds
            self.assertEqual(os.pread(got, len(data) + 1, 0), data)
        pieces, eof = b"", False
        while not eof:
            piece, eof = self.c.call("read", id, len(pieces), 1 << 30)
            pieces += piece
        self.assertEqual(pieces, pack(data))

    def test_failed_command_keeps_its_details_whatever_it_wrote(self):
        id = self.c.call("submit", "default/exec", ["sh", "-c", "head -c 3000000 /dev/zero; echo e >&2; exit 3"])
        details = self.fails("exit", "result", id).details
        for d in details, self.c.call("info", id)["error"][2]:
            self.assertEqual((d["exit_code"], d["stdout"], d["stderr"], d["stdout_truncated"]), (3, None, b"e\n", False))

    def test_times_of_a_future_are_the_same_in_every_answer(self):
        id = self.c.call("submit", "bench/sleep", 60_000_000)
        self.c.call("cancel", [id])
        details = self.fails("cancelled", "result", id).details
        info = self.c.call("info", id)
        for _ in range(1000):
            self.assertEqual(self.c.error("result", id).details, details)
            self.assertEqual(self.c.call("info", id), info)

    def test_middle_result_is_inline_without_fds(self):
        data = os.urandom(300_000)
        fd = sealed(data)
        id = self.c.call("submit", "bench/echo", [1, fd_ext(0), 2], {"deliver": True}, fds=[fd])
        os.close(fd)
        self.assertEqual(self.c.note()[:3], [id, "done", [1, data, 2]])
        self.assertEqual(self.c.call("result", id), [1, data, 2])

    def test_final_of_a_result_that_does_not_fit(self):
        fd = sealed(b"z" * (2 << 20))
        id = self.c.call("submit", "bench/echo", fd_ext(0), {"deliver": True}, fds=[fd])
        os.close(fd)
        final = self.c.note()
        self.assertEqual(final[:3], [id, "done", None])
        self.assertEqual(final[3][0], "too_large")

    def test_bad_fd_is_refused_with_its_reason(self):
        read_end, write_end = os.pipe()
        bad = [read_end, os.open("/dev/zero", os.O_RDONLY), os.open("/", os.O_RDONLY),
               os.open("/proc/self/stat", os.O_RDONLY), sealed(b"x", 0), sealed(b"x", 0x7),
               sealed(b"x", 0x10 | 0x7)]
        for fd in bad:
            self.assertTrue(self.fails("bad_fd", "submit", "bench/echo", fd_ext(0), fds=[fd]).message)
            os.close(fd)
        os.close(write_end)
        self.assertEqual(self.c.call("ping"), "pong")


if __name__ == "__main__":
    run_cases()
