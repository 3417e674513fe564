"""A command has its client's own files as its standard input, output and error: which ones are taken, that not a byte
of them passes the daemon or a worker, and that nobody holds them longer than the command needs them."""

import fcntl
import os
import select
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import PATIENCE, run_cases
from wire import Client, Failure, fd_ext, sealed

MIB = 1 << 20


class Case(ClientCase):
    def setUp(self):
        super().setUp()
        self.open = []
        self.await_idle()
        self.fds = self.daemon_fds()

    def tearDown(self):
        for fd in self.open:
            os.close(fd)
        self.c.call("release", {})
        self.await_that(lambda: self.daemon_fds() <= self.fds, "fds are left in the daemon")
        self.await_that(lambda: self.c.call("stats")["limits"]["fds"]["used"] == 0, "fds are charged")
        super().tearDown()

    def await_that(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)

    def await_idle(self):
        self.await_that(lambda: all(p["workers"]["idle"] == p["workers"]["wanted"] for p in self.c.call("pools")),
                        "workers are missing")

    def daemon_fds(self):
        return len(os.listdir(f"/proc/{self.poold.process.pid}/fd"))

    def own(self, *fds):
        self.open += fds
        return fds if len(fds) > 1 else fds[0]

    def shut(self, fd):
        self.open.remove(fd)
        os.close(fd)

    def pipe(self):
        return self.own(*os.pipe2(os.O_CLOEXEC))

    def file(self, content=b"", flags=os.O_RDWR):
        fd, path = tempfile.mkstemp(dir=self.folder.path)
        os.write(fd, content)
        os.close(fd)
        return self.own(os.open(path, flags | os.O_CLOEXEC))

    def submit(self, argv, options=None, **streams):
        """Streams are fds; the same fd is sent once."""
        fds = list(dict.fromkeys(streams.values()))
        spec = {"argv": argv} | {name: fd_ext(fds.index(fd)) for name, fd in streams.items()}
        if isinstance(argv, str):
            spec["shell"] = True
        return self.c.call("submit", "exec", spec, options or {}, fds=fds)

    def run_to_end(self, argv, options=None, **streams):
        id = self.submit(argv, options, **streams)
        self.c.call("wait", [id])
        return id

    def details(self, id):
        error = self.c.call("info", id)["error"]
        return error[0], error[2]

    def read_all(self, fd):
        """Up to the end of the file, which must come."""
        got = b""
        while select.select([fd], [], [], PATIENCE)[0]:
            piece = os.read(fd, 1 << 16)
            if not piece:
                return got
            got += piece
        self.fail(f"no end of file after {got[:100]!r}")


class Kinds(Case):
    def test_files(self):
        source, target, error = self.file(b"b\na\n"), self.file(), self.file()
        id = self.run_to_end("sort; echo oops >&2", stdin=source, stdout=target, stderr=error)
        self.assertEqual(os.pread(target, 100, 0), b"a\nb\n")
        self.assertEqual(os.pread(error, 100, 0), b"oops\n")
        result = self.c.call("result", id)
        self.assertEqual([result[k] for k in ("exit_code", "stdout", "stderr")], [0, None, None])
        self.assertFalse(result["stdout_truncated"] or result["stderr_truncated"])
        # The very files: their offset has moved here too.
        self.assertEqual(os.lseek(source, 0, os.SEEK_CUR), 4)
        self.assertEqual(os.lseek(target, 0, os.SEEK_CUR), 4)

    def test_it_goes_on_where_the_file_stands(self):
        source = self.file(b"one\ntwo\n")
        os.lseek(source, 4, os.SEEK_SET)
        id = self.run_to_end(["cat"], stdin=source)
        self.assertEqual(self.c.call("result", id)["stdout"], b"two\n")

    def test_pipes(self):
        (r1, w1), (r2, w2), (r3, w3) = self.pipe(), self.pipe(), self.pipe()
        id = self.submit("cat; echo done >&2", stdin=r1, stdout=w2, stderr=w3)
        for fd in r1, w2, w3:
            self.shut(fd)
        os.write(w1, b"through")
        self.shut(w1)
        self.assertEqual(self.read_all(r2), b"through")
        self.assertEqual(self.read_all(r3), b"done\n")
        self.assertEqual(self.c.call("result", id)["exit_code"], 0)

    def test_nothing(self):
        null = self.own(os.open("/dev/null", os.O_RDWR))
        id = self.run_to_end("cat; x=$(readlink /proc/$$/fd/1); echo $x >&2; echo lost", stdin=null, stdout=null)
        self.assertEqual(self.c.call("result", id)["stderr"], b"/dev/null\n")

    def test_a_terminal(self):
        master, slave = self.own(*os.openpty())
        self.run_to_end("test -t 0 && test -t 1 && echo yes; ls /dev/tty && cat /dev/tty", stdin=slave, stdout=slave)
        self.assertEqual(os.read(master, 100), b"yes\r\n/dev/tty\r\n")

    def test_memfds(self):
        """Sealed it is a value, read from its beginning by each run; else a file like any other."""
        source = self.own(sealed(b"value"))
        os.lseek(source, 3, os.SEEK_SET)
        id = self.run_to_end(["cat"], stdin=source)
        self.assertEqual(self.c.call("result", id)["stdout"], b"value")
        target = self.own(os.memfd_create("out"))
        self.run_to_end("echo in memory", stdout=target)
        self.assertEqual(os.pread(target, 100, 0), b"in memory\n")

    def test_one_file_for_several(self):
        both = self.file()
        self.run_to_end("echo out; echo err >&2; echo out", stdout=both, stderr=both)
        self.assertEqual(os.pread(both, 100, 0), b"out\nerr\nout\n")
        all_three = self.file(b"line\n")
        self.run_to_end("read line; echo $line $line; echo err >&2", stdin=all_three, stdout=all_three,
                        stderr=all_three)
        self.assertEqual(os.pread(all_three, 100, 0), b"line\nline line\nerr\n")

    def test_only_one_of_them(self):
        target = self.file()
        result = self.c.call("result", self.run_to_end("echo out; echo err >&2", stdout=target))
        self.assertEqual((result["stdout"], result["stderr"]), (None, b"err\n"))

    def test_many_jobs_share_one(self):
        target = self.file(flags=os.O_RDWR | os.O_APPEND)
        ids = self.c.call("submit_many", "exec", [{"argv": ["echo", str(i)], "stdout": fd_ext(0)} for i in range(20)],
                          fds=[target])
        self.c.call("wait", ids)
        self.assertEqual(sorted(map(int, os.pread(target, 1000, 0).split())), list(range(20)))

    def test_call(self):
        target = self.file()
        self.c.call("call", "exec", {"argv": ["echo", "hi"], "stdout": fd_ext(0)}, fds=[target])
        self.assertEqual(os.pread(target, 100, 0), b"hi\n")

    def test_nothing_else_leaks_into_the_command(self):
        target = self.file()
        id = self.run_to_end("ls /proc/self/fd", stdin=self.file(), stderr=target)
        # 3 is the folder that ls reads
        self.assertEqual(self.c.call("result", id)["stdout"].split(), [b"0", b"1", b"2", b"3"])

    def test_what_cannot_start_says_so_there(self):
        error = self.file()
        code, details = self.details(self.run_to_end(["no-such-command"], stderr=error))
        self.assertEqual((code, details["exit_code"]), ("exit", 127))
        self.assertIn(b"no-such-command: command not found", os.pread(error, 200, 0))
        reader, writer = self.pipe()
        self.shut(reader)
        code, details = self.details(self.run_to_end(["no-such-command"], stderr=writer))
        self.assertEqual((code, details["exit_code"]), ("exit", 127))

    def test_hello_names_them(self):
        self.assertLessEqual({"stdout", "stderr", "ctty"}, set(self.c.call("hello")["features"]))


class Refused(Case):
    def bad(self, reason, **streams):
        fds = list(dict.fromkeys(streams.values()))
        spec = {"argv": ["true"]} | {name: fd_ext(fds.index(fd)) for name, fd in streams.items()}
        failure = self.fails("bad_fd", "submit", "exec", spec, fds=fds)
        self.assertIn(reason, failure.message)

    def test_other_kinds(self):
        a, b = socket.socketpair()
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        others = [os.open("/", os.O_RDONLY), os.open("/dev/zero", os.O_RDWR), os.open("/dev/full", os.O_RDWR),
                  os.eventfd(0), os.pidfd_open(os.getpid())]
        self.own(*others)
        epoll = select.epoll()
        self.addCleanup(epoll.close)
        others.append(epoll.fileno())
        for name in "stdin", "stdout", "stderr":
            self.bad("socket", **{name: a.fileno()})
            for fd in others:
                self.bad("no regular file" if name == "stdin" or fd != others[0] else "not open for writing",
                         **{name: fd})

    def test_the_wrong_way_round(self):
        reader, writer = self.pipe()
        self.bad("not open for reading", stdin=writer)
        self.bad("not open for writing", stdout=reader)
        self.bad("not open for writing", stderr=self.file(flags=os.O_RDONLY))
        self.bad("not open for reading", stdin=writer, stdout=writer)
        place = self.own(os.open(self.folder.config, os.O_PATH))
        self.bad("O_PATH", stdin=place)

    def test_sealed_against_writing(self):
        self.bad("sealed against writing", stdout=self.own(sealed(b"x")))
        part = self.own(os.memfd_create("part", os.MFD_ALLOW_SEALING))
        fcntl.fcntl(part, fcntl.F_ADD_SEALS, 0x10)  # F_SEAL_FUTURE_WRITE
        self.bad("sealed against writing", stderr=part)

    def test_where_it_is_a_value_it_must_be_a_sealed_memfd(self):
        source = self.file(b"x")
        for spec in (["cat", fd_ext(0)], {"argv": ["cat", fd_ext(0)]}, {"argv": ["cat"], "stdin": [fd_ext(0)]},
                     {"argv": ["cat"], "env": {"X": fd_ext(0)}}, {"argv": ["cat"], "stdin": fd_ext(0), "cwd": fd_ext(0)},
                     fd_ext(0), {"argv": ["cat"], "stdin": fd_ext(0), "x": {"stdout": fd_ext(0)}}):
            self.fails("bad_fd", "submit", "exec", spec, fds=[source])
        for method, *params in (("call", "digest/sha256", fd_ext(0)), ("put", fd_ext(0)),
                                ("submit", "bench/echo", {"stdout": fd_ext(0)})):
            self.fails("bad_fd", method, *params, fds=[source])
            self.fails("bad_fd", method, *params, fds=[self.pipe()[0]])

    def test_what_is_no_fd(self):
        for name, value in ("stdout", "text"), ("stderr", 1), ("stdout", {}), ("ctty", "yes"):
            id = self.c.call("submit", "exec", {"argv": ["true"], name: value})
            self.c.call("wait", [id])
            code, details = self.details(id)
            self.assertEqual((code, details["code"]), ("failed", "bad_request"))

    def test_all_or_none(self):
        reader, writer = self.pipe()
        a, b = socket.socketpair()
        specs = [{"argv": ["true"], "stdout": fd_ext(0)}, {"argv": ["true"], "stdout": fd_ext(1)}]
        self.fails("bad_fd", "submit_many", "exec", specs, fds=[writer, a.fileno()])
        a.close()
        b.close()
        self.shut(writer)
        self.assertEqual(self.read_all(reader), b"")

    def test_indexes_that_do_not_fit_close_the_connection(self):
        target = self.file()
        for spec, fds in (({"argv": ["true"], "stdout": fd_ext(1)}, 2), ({"argv": ["true"], "stdout": fd_ext(0)}, 0),
                          ({"argv": ["true"], "stdout": fd_ext(0)}, 2), ({"argv": ["true"]}, 1)):
            with Client(self.folder.socket) as c:
                try:
                    c.send("submit", "exec", spec, fds=[target] * fds)
                    self.assertEqual(c.until_closed()[0], "bad_fd")
                except BrokenPipeError:
                    pass


class Ends(Case):
    def test_a_reader_that_goes_breaks_the_pipe(self):
        reader, writer = self.pipe()
        id = self.submit(["yes"], stdout=writer)
        self.shut(writer)
        self.assertEqual(os.read(reader, 2), b"y\n")
        self.shut(reader)
        self.c.call("wait", [id])
        code, details = self.details(id)
        self.assertEqual((code, details["signal"], details["stdout"]), ("signal", int(signal.SIGPIPE), None))

    def test_a_pipe_ends_when_the_command_closes_it(self):
        """While the command runs on."""
        (r1, w1), (r2, w2) = self.pipe(), self.pipe()
        id = self.submit("echo on; exec >&- <&-; exec sleep 600", stdin=r1, stdout=w2)
        self.shut(r1)
        self.shut(w2)
        self.assertEqual(self.read_all(r2), b"on\n")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
        self.await_that(lambda: self.breaks(w1), "the daemon or the worker reads the pipe")
        self.assertEqual(self.c.call("poll", id), "running")
        self.c.call("cancel", [id], {"mode": "kill"})
        self.c.call("wait", [id])

    def breaks(self, writer):
        return bool(select.select([], [writer], [], 0)[1]) and self.write_fails(writer)

    def write_fails(self, writer):
        try:
            os.write(writer, b"x")
        except BrokenPipeError:
            return True
        return False

    def test_while_it_may_run_again_they_are_kept(self):
        reader, writer = self.pipe()
        id = self.submit("echo run $POOLD_ATTEMPT; exec >&-; exit $((POOLD_ATTEMPT < 3))",
                         {"retries": 5, "retry_on": ["failed"]}, stdout=writer)
        self.shut(writer)
        self.assertEqual(self.read_all(reader), b"run 1\nrun 2\nrun 3\n")
        self.assertEqual(self.c.call("wait", [id]), [[id, "done"]])

    def test_after_the_end_there_is_no_retry(self):
        reader, writer = self.pipe()
        id = self.submit("echo bad; exit 1", {"retries": 1, "retry_on": ["failed"]}, stdout=writer)
        self.shut(writer)
        self.assertEqual(self.read_all(reader), b"bad\nbad\n")
        self.c.call("wait", [id])
        self.assertIn("submit it again", self.fails("bad_request", "retry", id).message)

    def test_a_run_after_a_lost_one_has_them_too(self):
        reader, writer = self.pipe()
        id = self.submit("echo run; [ $POOLD_ATTEMPT = 2 ] || kill -9 $PPID; sleep 0.1", {"retries": 1}, stdout=writer)
        self.shut(writer)
        self.assertEqual(self.read_all(reader), b"run\nrun\n")
        self.assertEqual(self.c.call("wait", [id]), [[id, "done"]])

    def test_cancelled_while_it_waits(self):
        reader, writer = self.pipe()
        id = self.submit(["true"], {"delay": 600}, stdout=writer)
        self.shut(writer)
        self.assertEqual(self.c.call("stats")["limits"]["fds"]["used"], 1)
        self.c.call("cancel", [id])
        self.assertEqual(self.read_all(reader), b"")
        self.assertEqual(self.c.call("stats")["limits"]["fds"]["used"], 0)

    def test_cancelled_while_the_pipe_is_full(self):
        reader, writer = self.pipe()
        id = self.submit("trap 'exit 7' TERM; yes; wait", {"grace": 0.2}, stdout=writer)
        self.shut(writer)
        other_end = os.open(f"/proc/self/fd/{reader}", os.O_WRONLY | os.O_NONBLOCK)
        self.await_that(lambda: not select.select([], [other_end], [], 0)[1], "the pipe is not full")
        os.close(other_end)
        self.c.call("cancel", [id])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])
        self.assertGreater(len(self.read_all(reader)), 4096)

    def test_taken_back_and_handed_over_again(self):
        """Behind a job that runs: back from that worker, then to another one, the pipe with it."""
        ids = [self.c.call("submit", "exec", ["sleep", "0.5"]) for _ in range(2)]
        pipes = [self.pipe() for _ in range(6)]
        for i, (_, writer) in enumerate(pipes):
            ids.append(self.submit(["echo", str(i)], stdout=writer))
            self.shut(writer)
        for i, (reader, _) in enumerate(pipes):
            self.assertEqual(self.read_all(reader), b"%d\n" % i)
        self.c.call("wait", ids)

    def test_the_same_key_again(self):
        """Pipes have no content to compare: the job is the same, and the second pipe ends at once."""
        (r1, w1), (r2, w2) = self.pipe(), self.pipe()
        id = self.submit(["echo", "once"], {"key": "k", "delay": 0.2}, stdout=w1)
        self.assertEqual(self.submit(["echo", "once"], {"key": "k", "delay": 0.2}, stdout=w2), id)
        self.fails("key_conflict", "submit", "exec", {"argv": ["echo", "twice"], "stdout": fd_ext(0)},
                   {"key": "k", "delay": 0.2}, fds=[w2])
        self.shut(w1)
        self.shut(w2)
        self.assertEqual(self.read_all(r2), b"")
        self.assertEqual(self.read_all(r1), b"once\n")
        self.c.call("wait", [id])

    def test_a_client_that_dies(self):
        reader, writer = self.pipe()
        with Client(self.folder.socket) as c:
            c.call("submit", "exec", {"argv": ["sleep", "600"], "stdout": fd_ext(0)}, {"attached": True}, fds=[writer])
        self.shut(writer)
        self.assertEqual(self.read_all(reader), b"")


class Told(Case):
    def test_read_says_where_it_went(self):
        target = self.file()
        id = self.run_to_end("echo out; echo err >&2", stdout=target)
        for offset in 0, 5:
            message = self.fails("bad_request", "read", id, offset, 100, {"stream": "stdout"}).message
            self.assertIn("went to a file of its client's own", message)
        self.assertEqual(self.c.call("read", id, 0, 100, {"stream": "stderr"}), [b"err\n", True])
        id = self.submit(["sleep", "600"], stdout=target, stderr=target)
        self.fails("bad_request", "read", id, 0, 100, {"stream": "stderr", "timeout": 60})
        self.c.call("cancel", [id], {"mode": "kill"})
        self.c.call("wait", [id])
        self.fails("bad_request", "read", id, 0, 100, {"stream": "stderr"})

    def test_a_watch_has_nothing_of_it(self):
        target = self.file()
        self.c.call("watch", {"group": "g", "output": True})
        id = self.submit("echo out; echo err >&2", {"group": "g"}, stdout=target)
        kinds = []
        while "final" not in [kind for kind, _ in kinds]:
            _, of, kind, what = self.c.note("event")
            self.assertEqual(of, id)
            kinds.append((kind, what.get("stream")))
        self.assertNotIn(("output", "stdout"), kinds)
        self.assertIn(("output", "stderr"), kinds)

    def test_bytes_count_for_nothing(self):
        source = self.file()
        os.truncate(source, 1 << 40)
        id = self.submit(["true"], stdin=source)
        self.c.call("wait", [id])
        self.assertEqual(self.c.call("info", id)["bytes"].get("memfd", 0), 0)


class Bytes(Case):
    def io(self, pid):
        # of its one thread: those of the process have its dead children in them
        with open(f"/proc/{pid}/task/{pid}/io") as f:
            fields = dict(line.split(": ") for line in f)
        return int(fields["rchar"]) + int(fields["wchar"])

    def workers(self):
        return [w["pid"] for w in self.c.call("workers") if w["pool"] == "default"]

    def test_none_of_a_gigabyte_passes_the_daemon_or_a_worker(self):
        size = 1 << 30
        source, (reader, writer) = self.file(), self.pipe()
        os.truncate(source, size)
        self.await_idle()
        pids = [self.poold.process.pid, *self.workers()]
        before = sum(map(self.io, pids))
        id = self.submit("cat", stdin=source, stdout=writer)
        self.shut(writer)
        null = self.own(os.open("/dev/null", os.O_WRONLY))
        got = 0
        while n := os.splice(reader, null, MIB):
            got += n
        self.assertEqual(got, size)
        self.assertEqual(self.c.call("wait", [id]), [[id, "done"]])
        self.assertLess(sum(map(self.io, pids)) - before, MIB)


class Terminal(Case):
    def say(self, master, bytes):
        os.write(master, bytes)

    def until(self, master, word):
        got = b""
        while word not in got:
            self.assertTrue(select.select([master], [], [], PATIENCE)[0], got)
            got += os.read(master, 4096)
        return got

    def start(self, argv, **more):
        master, slave = self.own(*os.openpty())
        id = self.c.call("submit", "exec", {"argv": argv, "ctty": True, "shell": isinstance(argv, str),
                                           "stdin": fd_ext(0), "stdout": fd_ext(0), "stderr": fd_ext(0)}, more,
                         fds=[slave])
        self.shut(slave)
        return id, master

    def test_it_is_the_controlling_one(self):
        id, master = self.start("ps -o sid=,tpgid=,pid= -p $$ >/dev/null 2>&1; : </dev/tty && echo has one; exec cat")
        self.until(master, b"has one")
        self.say(master, b"hello\n")
        self.until(master, b"hello\r\nhello\r\n")
        self.say(master, b"\x03")
        self.c.call("wait", [id])
        self.assertEqual(self.details(id)[1]["signal"], int(signal.SIGINT))

    def test_job_control(self):
        """^Z stops what is in the foreground, and the shell goes on; ^C ends it."""
        id, master = self.start(["bash", "--norc", "-i"])
        self.say(master, b"PS1=; sleep 600 && echo no; echo st''opped\n")
        self.until(master, b"sleep")
        self.await_sleep(master)
        self.say(master, b"\x1a")
        self.until(master, b"stopped\r\n")
        self.say(master, b"fg\n")
        self.await_sleep(master)
        self.say(master, b"\x03")
        self.say(master, b"echo ag''ain; exit 5\n")
        self.until(master, b"again\r\n")
        self.c.call("wait", [id])
        self.assertEqual(self.details(id)[1]["exit_code"], 5)

    def await_sleep(self, master):
        """Until the foreground is the sleep, and not the shell any more."""
        def is_sleep():
            try:
                with open(f"/proc/{os.tcgetpgrp(master)}/comm") as f:
                    return f.read() == "sleep\n"
            except OSError:
                return False
        self.await_that(is_sleep, "sleep is not in the foreground")

    def test_a_new_size_is_told(self):
        import struct
        import termios
        id, master = self.start("trap 'stty size; exit' WINCH; echo up; while :; do sleep 0.05; done")
        self.until(master, b"up")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        self.until(master, b"33 77")
        self.assertEqual(self.c.call("wait", [id]), [[id, "done"]])

    def test_a_hang_up_ends_it(self):
        id, master = self.start("echo up; sleep 600")
        self.until(master, b"up")
        self.shut(master)
        self.c.call("wait", [id])
        self.assertEqual(self.details(id)[1]["signal"], int(signal.SIGHUP))

    def test_a_cancel_ends_what_heeds_no_term_as_shells_do(self):
        id, master = self.start("trap '' TERM; echo up; while :; do sleep 0.05; done", grace=600)
        self.until(master, b"up")
        self.c.call("cancel", [id])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])

    def test_there_must_be_one(self):
        target = self.file()
        id = self.c.call("submit", "exec", {"argv": ["true"], "ctty": True, "stdout": fd_ext(0)}, fds=[target])
        self.c.call("wait", [id])
        code, details = self.details(id)
        self.assertEqual((code, details["code"], details["message"]),
                         ("failed", "bad_request", "ctty: none of its standard fds is a terminal"))

    def test_one_that_is_another_session_s_is_left_alone(self):
        master, slave = self.own(*os.openpty())
        told, tell = self.pipe()
        pid = os.fork()
        if pid == 0:
            import termios
            try:
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
                os.write(tell, b"x")
                signal.pause()
            finally:
                os._exit(0)
        try:
            os.read(told, 1)
            id = self.c.call("submit", "exec", {"argv": ["true"], "ctty": True, "stdin": fd_ext(0)}, fds=[slave])
            self.c.call("wait", [id])
            self.assertEqual(self.details(id)[1]["message"], "ctty: Operation not permitted")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
run_cases()
