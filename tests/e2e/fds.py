"""Every fd that is none, in every place where one may come: refused with its reason, and closed; and whoever sent it
can change nothing but its own job."""

import fcntl
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from badfds import BAD, GROW, SEAL, SHRINK, WRITE, made, memfd
from clientcase import CleanCase
from pooldtest import run_cases
from wire import Client, Failure, fd_ext, future_ext, pack, sealed, sparse

# Where an fd is a value: method and parameters, the fd being the last that comes.
VALUES = {
    "put": ("put", [fd_ext(0)]),
    "deep in a put": ("put", [[1, {"deep": [fd_ext(0)]}]]),
    "put with a key": ("put", [fd_ext(0), {"key": "k"}]),
    "submit": ("submit", ["bench/echo", fd_ext(0)]),
    "submit with options": ("submit", ["bench/echo", fd_ext(0), {"retries": 3, "key": "k", "delay": 9}]),
    "call": ("call", ["bench/echo", [1, {"deep": fd_ext(0)}]]),
    "first of many": ("submit_many", ["bench/echo", [fd_ext(0), b"good"]]),
    "last of many": ("submit_many", ["bench/echo", [b"good", 7, [fd_ext(0)]]]),
    "argv": ("submit", ["exec", ["cat", fd_ext(0)]]),
    "in the place of argv": ("call", ["exec", fd_ext(0)]),
    "argv of a map": ("submit", ["exec", {"argv": ["cat", fd_ext(0)]}]),
    "environment": ("submit", ["exec", {"argv": ["cat"], "env": {"X": fd_ext(0)}}]),
    "inside stdin": ("submit", ["exec", {"argv": ["cat"], "stdin": [fd_ext(0)]}]),
    "stdin that is a value elsewhere": ("call", ["exec", {"argv": ["cat"], "stdin": fd_ext(0), "cwd": fd_ext(0)}]),
    "stdin of what is no command": ("call", ["bench/echo", {"stdin": fd_ext(0), "stdout": fd_ext(0)}]),
}


class Values(CleanCase):
    def each(self, kinds):
        for name in kinds:
            fd = made(BAD[name])
            if fd is not None:
                yield name, fd
                os.close(fd)

    def test_what_is_no_sealed_memfd_is_refused_with_its_reason(self):
        for name, fd in self.each(BAD):
            for place, (method, params) in VALUES.items():
                with self.subTest(name, place=place):
                    failure = self.c.error(method, *params, fds=[fd])
                    self.assertEqual(failure.code, "bad_fd", failure.message)
                    self.assertRegex(failure.message, "memfd|sealed")

    def test_beside_a_future(self):
        object = self.c.call("put", b"good")
        for name, fd in self.each(BAD):
            with self.subTest(name):
                failure = self.c.error("submit", "bench/concat", [future_ext(object), fd_ext(0)], fds=[fd])
                self.assertEqual(failure.code, "bad_fd", failure.message)
        self.c.call("release", [object])

    def test_under_a_key_that_is_known(self):
        """Whether it is the same is looked at first: a known key never takes what came."""
        fd = sealed(b"k" * 70_000)
        id = self.c.call("put", fd_ext(0), {"key": "k"}, fds=[fd])
        self.assertEqual(self.c.call("put", fd_ext(0), {"key": "k"}, fds=[fd]), id)
        os.close(fd)
        for name, fd in self.each(BAD):
            with self.subTest(name):
                self.assertIn(self.c.error("put", fd_ext(0), {"key": "k"}, fds=[fd]).code, ("bad_fd", "key_conflict"))
        self.c.call("release", [id])

    def test_holes_are_charged(self):
        fd = sparse(1 << 40)
        for place, (method, params) in VALUES.items():
            with self.subTest(place):
                failure = self.c.error(method, *params, fds=[fd])
                self.assertEqual((failure.code, failure.details["limit"]), ("quota", "bytes"))
                self.assertGreaterEqual(failure.details["value"], 1 << 40)
        failure = self.c.error("call", "exec", {"argv": ["cat"], "stdin": fd_ext(0)}, fds=[fd])
        self.assertEqual((failure.code, failure.details["limit"]), ("quota", "bytes"))
        os.close(fd)
        fd = sparse(1 << 20)
        id = self.c.call("put", fd_ext(0), fds=[fd])
        self.assertGreaterEqual(self.used()["bytes"], 1 << 20)
        self.assertEqual(self.c.call("release", [id]), 1)
        os.close(fd)

    def test_sums_have_no_end(self):
        fds = [sparse((1 << 63) - 4096) for _ in range(4)]
        for method, params in (("put", [[fd_ext(i) for i in range(4)]]),
                               ("submit_many", ["bench/noop", [fd_ext(i) for i in range(4)]]),
                               ("submit_many", ["bench/noop", [fd_ext(0), *[[fd_ext(i)] for i in range(4)] * 300]])):
            failure = self.c.error(method, *params, fds=fds)
            self.assertEqual((failure.code, failure.details["limit"]), ("quota", "bytes"))
        for fd in fds:
            os.close(fd)

    def test_beside_a_good_one(self):
        """All or none, also of those that were right."""
        for _ in range(20):
            good, bad = sealed(b"g" * 100_000), memfd(os.MFD_ALLOW_SEALING)
            failure = self.c.error("submit_many", "bench/echo", [fd_ext(0), fd_ext(1)], fds=[good, bad])
            self.assertEqual(failure.code, "bad_fd")
            os.close(good)
            os.close(bad)

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


class Elsewhere(CleanCase):
    """Where no fd belongs."""

    def methods(self):
        words = self.c.call("hello")["features"]
        return [m for m in words if self.c.error(m, "no", "such", "parameters", 1).code != "unknown_method"]

    def test_in_the_parameters_of_every_method(self):
        methods = self.methods()
        self.assertLess(20, len(methods))
        good, bad = sealed(b"g" * 70_000), os.open("/dev/zero", os.O_RDWR)
        for method in methods:
            for params in [fd_ext(0)], [[fd_ext(0)], {}], [None, fd_ext(0)], [1, 2, {"label": fd_ext(0)}], \
                    ["bench/noop", None, {"timeout": fd_ext(0)}], ["bench/noop", [1], {fd_ext(0): 1}], \
                    [fd_ext(0), None, {}], [{"group": fd_ext(0)}, {}]:
                for fd in good, bad:
                    if method == "put" and fd == good:
                        continue  # there one belongs
                    with self.subTest(method, params=params), Client(self.folder.socket) as c:
                        msgid = c.send(method, *params, fds=[fd])
                        with self.assertRaises(Failure):
                            c.answer(msgid)
                        self.assertEqual(c.call("ping"), "pong")
        os.close(good)
        os.close(bad)

    def test_with_what_is_refused_for_another_reason(self):
        fd = sealed(b"g" * 70_000)
        for method, params, code in (
                ("submit", ["no_pool/f", fd_ext(0)], "unknown_pool"),
                ("submit", ["bench/no", fd_ext(0)], "unknown_function"),
                ("submit", ["bench/echo", fd_ext(0), {"no": 1}], "unknown_option"),
                ("submit", ["bench/echo", fd_ext(0), {"timeout": -1}], "bad_request"),
                ("submit", ["bench/echo", [fd_ext(0), future_ext(1 << 52)]], "unknown_future"),
                ("submit", ["bench/echo", fd_ext(0), {"after": [1 << 52]}], "unknown_future"),
                ("call", ["bench/echo", fd_ext(0), {"key": "k"}], "unknown_option"),
                ("submit_many", ["bench/echo", fd_ext(0)], "bad_request"),
                ("put", [fd_ext(0), {"ttl": "x"}], "bad_request"),
                ("put", [[fd_ext(0), future_ext(1)]], "bad_request"),
                ("no_method", [fd_ext(0)], "unknown_method")):
            with self.subTest(method, params=params):
                self.assertEqual(self.c.error(method, *params, fds=[fd]).code, code)
        os.close(fd)

    def test_with_a_message_that_is_no_request(self):
        fd = sealed(b"g" * 70_000)
        for message in ([2, "put", [fd_ext(0)]], [2, "no", [fd_ext(0)]], [1, 7, None, fd_ext(0)],
                        [1, 7, ["x", "y", fd_ext(0)], None]):
            with Client(self.folder.socket) as c:
                c.send_raw(pack(message), fds=[fd])
                self.assertEqual(c.call("ping"), "pong")
        os.close(fd)
        self.c.call("release", {})


class Indexes(CleanCase):
    """What does not fit its message closes the connection, whatever the method."""

    def ends(self, data, fds, code="bad_fd"):
        with Client(self.folder.socket) as c:
            try:
                c.send_raw(data, fds)
                self.assertEqual(c.until_closed()[0], code)
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assertEqual(self.c.call("ping"), "pong")

    def test_wrong_ones(self):
        fd = sealed(b"g" * 70_000)
        for place, (method, params) in VALUES.items():
            request = pack([0, 1, method, params])
            with self.subTest(place):
                self.ends(request, [])  # none came
                self.ends(request, [fd, fd])  # one that nobody names
                self.ends(request, [fd] * 253)
                self.ends(request.replace(b"\xd4\x01\x00", b"\xd4\x01\x01"), [fd])  # not the first
                self.ends(request.replace(b"\xd4\x01\x00", b"\xd4\x01\x01"), [fd, fd])  # a gap
                self.ends(request.replace(b"\xd4\x01\x00", b"\xd4\x01\x40"), [fd], "bad_request")
                self.ends(request.replace(b"\xd4\x01\x00", b"\xd4\x01\xff"), [fd], "bad_request")
        os.close(fd)
        # The one that nobody names could be the next message's: that before it counts.
        self.c.call("cancel", {"state": ["delayed", "queued", "running"]}, {"mode": "kill"})
        self.c.call("wait", {})
        self.c.call("release", {})

    def test_unnamed_ones_with_every_method(self):
        fd = sealed(b"g")
        for n, method in enumerate(("ping", "hello", "stats", "list", "wait", "release", "cancel", "no_method")):
            self.ends(pack([0, 1, method, []]), [fd] * (n % 3 + 1))
            self.ends(pack([2, method, []]), [fd])
        self.ends(pack([1, 1, None, None]), [fd])
        os.close(fd)

    def test_one_with_every_byte(self):
        """More than a message may have, before it is whole."""
        fd = sealed(b"g")
        request = pack([0, 1, "put", ["x" * 500]])
        with Client(self.folder.socket) as c:
            try:
                for byte in request:
                    c.send_raw(bytes([byte]), [fd])
                self.assertEqual(c.until_closed()[0], "bad_fd")
            except (BrokenPipeError, ConnectionResetError):
                pass
        os.close(fd)

    def test_in_the_middle_of_a_message(self):
        """They belong to the message whose bytes they came with."""
        fd = sealed(b"g" * 70_000)
        request = pack([0, 1, "put", [fd_ext(0)]])
        for cut in range(1, len(request)):
            with Client(self.folder.socket) as c:
                c.send_raw(request[:cut])
                c.send_raw(request[cut:], [fd])
                self.assertIsInstance(c.answer(1), int)
        os.close(fd)
        self.c.call("release", {})


class Meddling(CleanCase):
    """Whoever sent it has it still, and so has a command's file."""

    def test_a_file_that_is_cut_and_written_while_the_command_reads_it(self):
        fd = os.memfd_create("fds", os.MFD_CLOEXEC)
        os.truncate(fd, 1 << 20)
        through = threading.Event()

        def meddle():
            while not through.is_set():
                os.truncate(fd, 0)
                os.truncate(fd, 1 << 20)
                os.pwrite(fd, b"x" * 4096, 1 << 19)

        thread = threading.Thread(target=meddle)
        thread.start()
        ids = self.c.call("submit_many", "exec", [{"argv": ["cat"], "stdin": fd_ext(0), "stdout": fd_ext(1)}] * 20,
                          fds=[fd, null := os.open("/dev/null", os.O_WRONLY)])
        beside = [self.c.call("call", "bench/echo", n) for n in range(100)]
        self.assertEqual(self.c.call("wait", ids), [[id, "done"] for id in [i for i, _ in self.c.call("wait", ids)]])
        through.set()
        thread.join()
        os.close(fd)
        os.close(null)
        self.assertEqual(beside, list(range(100)))
        self.c.call("release", ids)

    def test_a_sealed_one_cannot_be_changed_while_the_job_has_it(self):
        fd = sealed(b"s" * 70_000)
        job = self.c.call("submit", "bench/peek", fd_ext(0), {"delay": 0.05}, fds=[fd])
        for change in (lambda: os.truncate(fd, 10), lambda: os.truncate(fd, 1 << 20), lambda: os.pwrite(fd, b"x", 0),
                       lambda: fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0x10)):
            with self.assertRaises(PermissionError):
                change()
        self.assertEqual(self.c.call("result", job), b"s" * 8)
        self.c.call("release", [job])
        os.close(fd)


del CleanCase
run_cases()
