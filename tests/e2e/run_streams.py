"""poolctl run and submit: the command has poolctl's own files, pipes and terminal, or files by name; what it cannot have is
relayed; keys at the terminal do what one expects."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import PATIENCE, POOLCTL, run_cases


class Case(ClientCase):
    def setUp(self):
        super().setUp()
        self.env = dict(os.environ, POOLD_SOCKET=self.folder.socket, LC_ALL="C.UTF-8")

    def poolctl(self, *words, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([POOLCTL, *words], env=self.env, timeout=PATIENCE, **more)

    def start(self, *words, **more):
        process = subprocess.Popen([POOLCTL, *words], env=self.env, **more)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def at(self, name, content=None):
        path = self.folder.at(name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content)
        return path

    def content(self, name):
        with open(self.at(name), "rb") as f:
            return f.read()

    def await_that(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)

    def read_all(self, sock):
        got = b""
        while piece := sock.recv(1 << 16):
            got += piece
        return got


class Files(Case):
    def test_the_offset_is_shared_as_with_any_command(self):
        path = self.at("lines", b"one\ntwo\nthree\n")
        with open(path, "rb") as lines, open(self.at("out"), "wb") as out:
            for _ in range(2):
                self.poolctl("run", "--", "sh", "-c", "read -r line; echo got $line", stdin=lines, stdout=out)
            subprocess.run(["sh", "-c", "read -r line; echo left $line"], stdin=lines, stdout=out)
        self.assertEqual(self.content("out"), b"got one\ngot two\nleft three\n")

    def test_poolctl_moves_no_byte(self):
        path = self.at("sparse", b"")
        os.truncate(path, 256 << 20)
        with open(path, "rb") as source:
            process = self.start("run", "--", "wc", "-c", stdin=source, stdout=subprocess.PIPE)
            self.assertEqual(process.stdout.read(), b"%d\n" % (256 << 20))
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            with open(f"/proc/{process.pid}/io") as f:
                fields = dict(line.split(": ") for line in f)
        self.assertLess(int(fields["rchar"]) + int(fields["wchar"]), 2 << 20)  # its libraries are read, too
        process.stdout.close()

    def test_input_by_name_is_the_file_itself(self):
        path = self.at("in", b"before")
        id = self.poolctl("submit", "-q", "--delay", "300ms", "--input", path, "--", "cat", stdout=subprocess.PIPE).stdout
        with open(path, "r+b") as f:
            f.write(b"changed")
        self.assertEqual(self.poolctl("result", id.strip().decode(), stdout=subprocess.PIPE).stdout, b"changed")

    def test_each_run_reads_all_of_it(self):
        path = self.at("in", b"all of it\n")
        script = "cat; exit $((POOLD_ATTEMPT < 3))"
        for words in ("--input", path), ():
            with open(path, "rb") as source:
                ran = self.poolctl("run", "--retries", "5", *words, "--", "sh", "-c", script, stdin=source,
                                   stdout=subprocess.PIPE)
            self.assertEqual((ran.returncode, ran.stdout), (0, b"all of it\n" * 3))

    def test_a_pipe_is_read_to_its_end_by_submit(self):
        ran = self.poolctl("submit", "-q", "--input", "-", "--", "cat", stdin=None, input=b"piped", stdout=subprocess.PIPE)
        id = ran.stdout.strip().decode()
        self.assertEqual(self.poolctl("result", id, stdout=subprocess.PIPE).stdout, b"piped")

    def test_output_by_name(self):
        script = "echo out; echo err >&2"
        out, err = self.at("out", b"old\n"), self.at("err")
        self.poolctl("submit", "--wait", "-o", out, "-e", err, "--", "sh", "-c", script, stdout=subprocess.DEVNULL)
        self.assertEqual((self.content("out"), self.content("err")), (b"out\n", b"err\n"))
        ran = self.poolctl("submit", "-q", "--wait", "--append", "--stdout", out, "--stderr", out, "--", "sh", "-c",
                           script, stdout=subprocess.PIPE)
        self.assertEqual(self.content("out"), b"out\nout\nerr\n")
        id = ran.stdout.strip().decode()
        told = self.poolctl("result", id, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((told.returncode, told.stdout), (0, b""))
        self.assertIn(b"a file of its submitter's own", told.stderr)
        told = self.poolctl("logs", id, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(told.returncode, 1)
        self.assertIn(b"went to a file of its client's own", told.stderr)

    def test_output_by_name_that_cannot_be(self):
        ran = self.poolctl("submit", "-o", "/no/such/folder/out", "--", "true", stderr=subprocess.PIPE)
        self.assertEqual(ran.returncode, 1)
        self.assertIn(b"/no/such/folder/out: No such file", ran.stderr)
        for words in ("--append", "--", "true"), ("-f", "bench/noop", "-o", self.at("out")):
            self.assertEqual(self.poolctl("submit", *words, stderr=subprocess.DEVNULL).returncode, 2)

    def test_an_early_end_of_the_output(self):
        process = self.start("run", "--", "sh", "-c", "echo on; exec >&-; sleep 600", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.read(), b"on\n")
        self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 130)
        process.stdout.close()

    def test_a_reader_of_the_input_that_goes(self):
        process = self.start("run", "--", "sh", "-c", "exec <&-; sleep 600", stdin=subprocess.PIPE)
        def breaks():
            try:
                os.write(process.stdin.fileno(), b"x")
            except BrokenPipeError:
                return True
            return False
        self.await_that(breaks, "somebody reads it")
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 130)

    def test_closed_ones(self):
        ran = subprocess.run(["sh", "-c", f"exec '{POOLCTL}' run -- sh -c 'cat; echo err >&2' <&- >&-"], env=self.env,
                             stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual((ran.returncode, ran.stderr), (0, b"err\n"))


class Relays(Case):
    def sockets(self):
        a, b = socket.socketpair()
        self.addCleanup(a.close)
        a.settimeout(PATIENCE)
        return a, b

    def test_sockets(self):
        (to, stdin), (out, stdout), (err, stderr) = self.sockets(), self.sockets(), self.sockets()
        process = self.start("run", "--", "sh", "-c", "cat; echo err >&2; exit 3", stdin=stdin, stdout=stdout,
                             stderr=stderr)
        for s in stdin, stdout, stderr:
            s.close()
        big = os.urandom(3 << 20)
        got = b""
        to.setblocking(False)
        left = memoryview(big)
        while len(got) < len(big):
            readable, writable, _ = select.select([out], [to] if left else [], [], PATIENCE)
            self.assertTrue(readable or writable)
            if writable:
                left = left[to.send(left[:1 << 16]):]
                if not left:
                    to.shutdown(socket.SHUT_WR)
            if readable:
                piece = out.recv(1 << 16)
                self.assertTrue(piece, "it ended early")
                got += piece
        self.assertEqual(got, big)
        self.assertEqual((self.read_all(out), self.read_all(err)), (b"", b"err\n"))
        self.assertEqual(process.wait(PATIENCE), 3)

    def test_one_that_nobody_reads_any_more(self):
        out, stdout = self.sockets()
        process = self.start("run", "--", "yes", stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
        stdout.close()
        self.assertTrue(out.recv(10))
        out.close()
        self.assertEqual(process.wait(PATIENCE), 125)
        self.assertIn(b"cannot write to standard output", process.stderr.read())
        process.stderr.close()

    def test_one_that_nobody_writes_to(self):
        """The job's end does not wait for it."""
        to, stdin = self.sockets()
        process = self.start("run", "--", "true", stdin=stdin)
        stdin.close()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(to.recv(1), b"")

    def test_interrupted(self):
        out, stdout = self.sockets()
        process = self.start("run", "--", "sh", "-c", "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.05; done",
                             stdout=stdout)
        stdout.close()
        self.assertEqual(out.recv(3), b"up\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), 130)
        self.assertEqual(self.read_all(out), b"bye\n")


class Terminal(Case):
    """poolctl at a terminal, as a shell would have started it."""

    def begin(self, *words):
        try:
            pid, self.master = pty.fork()
        except OSError as why:
            self.skipTest(f"no terminals: {why}")
        if pid == 0:
            os.execve(POOLCTL, [POOLCTL, *words], self.env)
        self.addCleanup(os.close, self.master)
        self.pid = pid
        self.addCleanup(self.kill)
        self.screen = b""

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def type(self, keys):
        os.write(self.master, keys)

    def until(self, word):
        while word not in self.screen:
            self.assertTrue(select.select([self.master], [], [], PATIENCE)[0], self.screen)
            try:
                self.screen += os.read(self.master, 4096)
            except OSError:
                self.fail(f"no {word}: {self.screen}")
        before, _, self.screen = self.screen.partition(word)
        return before

    def end(self):
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def modes(self):
        return termios.tcgetattr(self.master)

    def jobs(self):
        return self.c.call("list", {"state": "running"})

    def command_state(self):
        """T: its shell is stopped."""
        worker = self.jobs()[0]["worker_pid"]
        with open(f"/proc/{worker}/task/{worker}/children") as f:
            child = f.read().split()[0]
        with open(f"/proc/{child}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]

    def test_the_command_has_the_terminal(self):
        self.begin("run", "--", "sh", "-c", "test -t 0 -a -t 1 -a -t 2 && read -r line && echo got $line; exit 4")
        self.type(b"a line\n")
        self.until(b"got a line\r\n")
        self.assertEqual(self.end(), 4)

    def test_interrupt_cancels(self):
        self.begin("run", "--", "sh", "-c", "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.05; done")
        self.until(b"up")
        self.type(b"\x03")
        self.until(b"bye")
        self.assertEqual(self.end(), 130)

    def test_stop_stops_both_and_both_go_on(self):
        self.begin("run", "--", "sh", "-c", "echo up; read -r line; echo got $line")
        self.until(b"up")
        for _ in range(2):
            self.type(b"\x1a")
            _, status = os.waitpid(self.pid, os.WUNTRACED)
            self.assertTrue(os.WIFSTOPPED(status), status)
            self.await_that(lambda: self.command_state() == "T", "the command is not stopped")
            os.kill(self.pid, signal.SIGCONT)
            self.await_that(lambda: self.command_state() != "T", "the command does not go on")
        self.type(b"more\n")
        self.until(b"got more")
        self.assertEqual(self.end(), 0)

    def test_modes_are_set_right_again(self):
        self.begin("run", "--", "sh", "-c", "stty raw -echo; echo mess; kill -9 $$")
        before = self.modes()
        self.until(b"mess")
        self.until(b"killed")
        self.assertEqual(self.end(), 137)
        self.assertEqual(self.modes(), before)

    def test_a_terminal_of_its_own(self):
        self.begin("run", "--pty", "--", "sh", "-c",
                   "trap 'echo int; exit 5' INT; : </dev/tty && echo has one; while :; do sleep 0.05; done")
        before = self.modes()
        self.until(b"has one")
        self.assertFalse(self.modes()[3] & termios.ICANON, "keys do not go through as they are")
        self.type(b"\x03")
        self.until(b"int")
        self.assertEqual(self.end(), 5)
        self.assertEqual(self.modes(), before)

    def test_a_stop_sets_the_terminal_right_meanwhile(self):
        self.begin("run", "--pty", "--", "sh", "-c", "echo up; read -r line; echo got $line")
        before = self.modes()
        self.until(b"up")
        raw = self.modes()
        os.kill(self.pid, signal.SIGTSTP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status), status)
        self.assertEqual(self.modes(), before)
        os.killpg(self.pid, signal.SIGCONT)
        self.await_that(lambda: self.modes() == raw, "the terminal is not raw again")
        self.type(b"more\r")
        self.until(b"got more")
        self.assertEqual(self.end(), 0)
        self.assertEqual(self.modes(), before)

    def test_its_size_follows(self):
        self.begin("run", "--pty", "--", "sh", "-c", "trap 'stty size; exit' WINCH; echo up; while :; do sleep 0.05; done")
        self.until(b"up")
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        self.until(b"33 77")
        self.assertEqual(self.end(), 0)

    def test_job_control_inside(self):
        self.begin("run", "--pty", "--", "bash", "--norc", "-i")
        self.type(b"PS1=; sleep 600; echo st''opped\n")
        self.until(b"sleep 600; echo")
        self.await_that(self.sleeps, "no sleep")
        self.type(b"\x1a")
        self.until(b"stopped\r\n")
        self.type(b"kill -9 %1; exit 6\n")
        self.type(b"exit 6\n")
        self.assertEqual(self.end(), 6)

    def sleeps(self):
        return subprocess.run(["pgrep", "-f", "^sleep 600$"], stdout=subprocess.DEVNULL).returncode == 0

    def test_the_way_out(self):
        self.begin("run", "--pty", "--grace", "100ms", "--", "sh", "-c", "trap '' INT TERM HUP; echo up; sleep 600")
        before = self.modes()
        self.until(b"up")
        self.type(b"\x1d\x1d\x1d")
        self.assertEqual(self.end(), 130)
        self.assertEqual(self.modes(), before)

    def test_a_poolctl_that_is_killed(self):
        """The job ends with it, and the terminal is as before."""
        self.begin("run", "--pty", "--", "sh", "-c", "echo up; sleep 600")
        before = self.modes()
        self.until(b"up")
        os.kill(self.pid, signal.SIGKILL)
        self.end()
        self.await_that(lambda: not self.jobs(), "the job goes on")

    def test_no_terminal(self):
        ran = self.poolctl("run", "--pty", "--", "true", stderr=subprocess.PIPE)
        self.assertEqual(ran.returncode, 125)
        self.assertIn(b"standard input is no terminal", ran.stderr)


run_cases()
