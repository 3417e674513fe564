#!/usr/bin/python3
"""Values in shared memory: every way in and out, what is none, and that nothing of it is left in the daemon."""

import fcntl
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, PATIENCE, POOLD, POOLS, DaemonCase, Folder, Poold, run_cases  # noqa: E402
from wire import Client, Failure, fd_ext, sealed, sparse  # noqa: E402

PROGRAM = os.path.join(BUILD, "tests", "e2e", "payloads")
SEAL, SHRINK, GROW, WRITE, FUTURE_WRITE = 1, 2, 4, 8, 16


def reopened(flags):
    fd = sealed(b"x")
    try:
        return os.open(f"/proc/self/fd/{fd}", flags)
    finally:
        os.close(fd)


def memfd(flags=0, seals=0):
    fd = os.memfd_create("payloads", os.MFD_CLOEXEC | flags)
    os.ftruncate(fd, 4096 if not flags & os.MFD_HUGETLB else 2 << 20)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def file(folder=None):
    with tempfile.TemporaryFile(dir=folder) as f:
        f.write(b"a file")
        f.flush()
        return os.dup(f.fileno())


def pipe():
    read_end, write_end = os.pipe()
    os.close(write_end)
    return read_end


def still_written():
    """It can be changed by whoever mapped it before: the seal of writing is refused, that of future writing is not."""
    fd = memfd(os.MFD_ALLOW_SEALING)
    still_written.kept.append(mmap.mmap(fd, 4096))
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, WRITE)
        raise AssertionError("sealed although it is mapped for writing")
    except OSError:
        pass
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEAL | SHRINK | GROW | FUTURE_WRITE)
    return fd


still_written.kept = []

BAD = {
    "memfd that cannot be sealed": memfd,
    "unsealed": lambda: memfd(os.MFD_ALLOW_SEALING),
    **{f"without seal {name}": lambda left=left: memfd(os.MFD_ALLOW_SEALING, 0xF & ~left)
       for name, left in (("seal", SEAL), ("shrink", SHRINK), ("grow", GROW), ("write", WRITE))},
    "sealed for future writes, and mapped": still_written,
    "hugetlb": lambda: memfd(os.MFD_ALLOW_SEALING | os.MFD_HUGETLB),
    "sealed hugetlb": lambda: memfd(os.MFD_ALLOW_SEALING | os.MFD_HUGETLB, 0xF),
    "write only": lambda: reopened(os.O_WRONLY),
    "path": lambda: reopened(os.O_PATH),
    "file": file,
    "file in shared memory": lambda: file("/dev/shm"),
    "directory": lambda: os.open("/", os.O_RDONLY),
    "pipe": pipe,
    "socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach(),
    "/dev/zero": lambda: os.open("/dev/zero", os.O_RDWR),
    "/dev/null": lambda: os.open("/dev/null", os.O_RDWR),
    "procfs": lambda: os.open("/proc/self/maps", os.O_RDONLY),
    "sysfs": lambda: os.open("/sys/kernel/mm", os.O_RDONLY),
    "pidfd": lambda: os.pidfd_open(os.getpid()),
    "eventfd": lambda: os.eventfd(0),
}


def made(make):
    """The fd, or None where this machine has no such thing."""
    try:
        return make()
    except OSError:
        return None


class Left(DaemonCase):
    """After each case the daemon is as it was: no fd more, no byte charged."""

    def setUp(self):
        self.c = Client(self.folder.socket, fds=True)
        self.c.call("call", "bench/noop", None)
        deadline = time.monotonic() + PATIENCE
        while any(p["workers"]["idle"] < p["workers"]["wanted"] for p in self.c.call("pools")):
            self.assertLess(time.monotonic(), deadline, "workers are missing")
        self.fds = self.count_fds()

    def count_fds(self):
        return len(os.listdir(f"/proc/{self.poold.process.pid}/fd"))

    def used(self):
        limits = self.c.call("stats")["total_limits"]
        return {k: v["used"] for k, v in limits.items() if v["used"] and k != "connections"}

    def tearDown(self):
        deadline = time.monotonic() + PATIENCE
        while self.used() or self.count_fds() > self.fds:
            self.assertLess(time.monotonic(), deadline, f"left: {self.used()}, "
                            f"{self.count_fds() - self.fds} fds")
        self.c.close()


class Payloads(Left):
    def test_every_way_in_and_out(self):
        env = dict(os.environ, POOLD_SOCKET=self.folder.socket)
        got = subprocess.run([PROGRAM], env=env, text=True, timeout=PATIENCE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(got.returncode, 0, got.stdout)

    def test_what_is_no_sealed_memfd_is_refused_with_its_reason(self):
        requests = {
            "put": (fd_ext(0),), "submit": ("bench/echo", fd_ext(0)),
            "call": ("bench/echo", [1, {"deep": fd_ext(0)}]),
            "submit_many": ("bench/echo", [b"good", fd_ext(0)]),
        }
        for name, make in BAD.items():
            fd = made(make)
            if fd is None:
                continue
            for method, params in requests.items():
                with self.subTest(name, method=method):
                    failure = self.c.error(method, *params, fds=[fd])
                    self.assertEqual(failure.code, "bad_fd", failure.message)
                    self.assertRegex(failure.message, "memfd|sealed")
            os.close(fd)

    def test_beside_a_good_one(self):
        """All or none, also of those that were right."""
        for _ in range(20):
            good, bad = sealed(b"g" * 100_000), memfd(os.MFD_ALLOW_SEALING)
            failure = self.c.error("submit_many", "bench/echo", [fd_ext(0), fd_ext(1)], fds=[good, bad])
            self.assertEqual(failure.code, "bad_fd")
            os.close(good)
            os.close(bad)

    def test_holes_are_charged(self):
        fd = sparse(1 << 40)
        for method, *params in (("put", fd_ext(0)), ("submit", "bench/noop", fd_ext(0))):
            failure = self.c.error(method, *params, fds=[fd])
            self.assertEqual((failure.code, failure.details["limit"]), ("quota", "bytes"))
            self.assertGreaterEqual(failure.details["value"], 1 << 40)
        os.close(fd)
        fd = sparse(1 << 20)
        id = self.c.call("put", fd_ext(0), fds=[fd])
        self.assertGreaterEqual(self.used()["bytes"], 1 << 20)
        self.assertEqual(self.c.call("release", [id]), 1)
        os.close(fd)

    def test_a_sender_that_writes_grows_and_cuts_until_it_seals(self):
        """Whatever it does meanwhile: the value has the size that was charged, or there is none."""
        begun, through = threading.Event(), threading.Event()
        rounds, current, one = 200, [], threading.Lock()

        def meddle():
            begun.wait()
            while not through.is_set():
                with one:  # its number is soon another's
                    for fd in current:
                        try:
                            os.ftruncate(fd, 300_000)
                            os.ftruncate(fd, 10)
                            os.ftruncate(fd, 200_000)
                            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0xF)
                        except OSError:
                            pass

        thread = threading.Thread(target=meddle)
        thread.start()
        n_refused = 0
        for _ in range(rounds):
            fd = os.memfd_create("payloads", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(fd, 100_000)
            current.append(fd)
            begun.set()
            msgid = self.c.send("call", "bench/peek", fd_ext(0), fds=[fd])
            try:
                self.assertEqual(self.c.answer(msgid), bytes(8))
            except Failure as failure:
                self.assertEqual(failure.code, "bad_fd", failure.message)
                n_refused += 1
            with one:
                current.remove(fd)
                os.close(fd)
        through.set()
        thread.join()
        print(f"{n_refused} of {rounds} were refused")

    def test_the_same_memfd_many_times_in_a_value_and_a_message(self):
        fd = sealed(b"s" * 70_000)
        ids = self.c.call("submit_many", "bench/echo", [fd_ext(0)] * 50 + [[fd_ext(0)] * 50], fds=[fd])
        os.close(fd)
        self.assertEqual({state for _, state in self.c.call("wait", ids)}, {"done"})
        self.assertEqual(self.c.call("release", ids), 51)

    def test_large_ones_that_are_let_go_at_once(self):
        """Closed beside the loop, more than may wait there."""
        for _ in range(3):
            fd = sealed(b"l" * (1 << 20))
            for _ in range(10):
                ids = self.c.call("submit_many", "bench/noop", [fd_ext(0)] * 50, {"ttl": 0.001}, fds=[fd])
                self.c.call("wait", ids)
            os.close(fd)

    def test_of_connections_that_go_without_a_word(self):
        for _ in range(50):
            with Client(self.folder.socket) as gone:
                fd = sealed(b"m" * (1 << 20))
                gone.send("call", "bench/noop", fd_ext(0), fds=[fd])
                gone.send("put", fd_ext(0), {"attached": True}, fds=[fd])
                gone.send_raw(b"\x94\x00\x01\xa4call\x92\xa1x\xd9", fds=[fd])
                os.close(fd)


class SmallFiles(Left):
    """Where no file may be large, no memfd may: that is told, and nobody dies of SIGXFSZ."""

    most = 256 << 10

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder(POOLS)
        command = ["prlimit", f"--fsize={cls.most}", POOLD, "--config", cls.folder.config]
        cls.poold = Poold(cls.folder, command=command).await_ready()

    def test_what_a_client_without_fds_sends(self):
        with Client(self.folder.socket) as c:
            self.assertEqual(c.call("call", "bench/noop", list(range(50_000))), None)
            failure = c.error("call", "bench/noop", ["x" * 1000] * 400)
            self.assertIn("File too large", failure.message)
            self.assertEqual(c.call("ping"), "pong")

    def test_what_a_function_makes(self):
        failure = self.c.error("call", "bench/fill", self.most + 1)
        self.assertEqual((failure.code, failure.details["limit"]), ("too_large", "RLIMIT_FSIZE"))
        result = self.c.call("call", "bench/fill", self.most)
        self.assertEqual(result, fd_ext(0))
        os.close(self.c.fds.pop())

    def test_what_a_command_writes(self):
        result = self.c.call("call", "exec", ["sh", "-c", "head -c 300000 /dev/zero"])
        self.assertTrue(result["stdout_truncated"])
        self.assertEqual(os.fstat(self.c.fds[-1]).st_size, self.most)
        os.close(self.c.fds.pop())

    def test_what_is_only_passed_on(self):
        fd = sealed(b"p" * (2 * self.most))
        self.assertEqual(self.c.call("call", "bench/echo", fd_ext(0), fds=[fd]), fd_ext(0))
        os.close(fd)
        os.close(self.c.fds.pop())


del Left
run_cases()
