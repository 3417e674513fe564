"""Messages that no honest client sends: only their own connection suffers, and the daemon's memory stays as it is."""

import os
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import PATIENCE, SANITIZERS, DaemonCase, run_cases
from wire import Client, Failure, fd_ext, msgpack, pack, sealed

MIB = 1 << 20


def request(method, *params):
    return pack([0, 1, method, list(params)])


# name -> (bytes, what `fatal` says); the connection must close.
FATAL = {
    "array of 4 G": (b"\xdd\xff\xff\xff\xff", "too_large"),
    "array of 16 M": (b"\xdd\x01\x00\x00\x00", "too_large"),
    "map of 4 G": (b"\xdf\xff\xff\xff\xff", "too_large"),
    "string of 4 G": (b"\x94\x00\x01\xdb\xff\xff\xff\xff", "too_large"),
    "bin of 2 MiB": (b"\x94\x00\x01\xa4call\x92\xa1x\xc6\x00\x20\x00\x00", "too_large"),
    "ext of 4 G": (b"\x94\x00\x01\xa1x\x91\xc9\xff\xff\xff\xff\x05", "too_large"),
    "32 nested arrays of 268 M": (b"\xdd\x10\x00\x00\x00" * 32, "too_large"),
    "counts that add up": (b"\x94\x00\x01\xa1x" + b"\xdc\xff\xff" * 17, "too_large"),
    "depth 10 000": (b"\x91" * 10_000, "too_deep"),
    "depth 21": (b"\x91" * 21, "too_deep"),
    "maps nested 10 000 deep": (b"\x81\xa1k" * 10_000, "too_deep"),
    "byte that is no MessagePack": (b"\xc1", "bad_request"),
    "that byte inside": (b"\x94\x00\x01\xa4ping\x91\xc1", "bad_request"),
    "no array": (b"\x01", "bad_request"),
    "a map for a message": (b"\x80", "bad_request"),
    "empty array": (b"\x90", "bad_request"),
    "unknown type of message": (b"\x94\x03\x01\xa4ping\x90", "bad_request"),
    "request of three": (b"\x93\x00\x01\xa4ping", "bad_request"),
    "request of five": (b"\x95\x00\x01\xa4ping\x90\x90", "bad_request"),
    "msgid that is text": (b"\x94\x00\xa11\xa4ping\x90", "bad_request"),
    "msgid of 33 bits": (pack([0, 1 << 32, "ping", []]), "bad_request"),
    "negative msgid": (pack([0, -1, "ping", []]), "bad_request"),
    "method that is a number": (pack([0, 1, 7, []]), "bad_request"),
    "params that are a map": (pack([0, 1, "ping", {}]), "bad_request"),
    "text of HTTP": (b"GET / HTTP/1.1\r\n\r\n", "bad_request"),
    "fd ext of two bytes": (request("put", msgpack.ExtType(1, b"\0\0")), "bad_request"),
    "fd index 64": (request("put", fd_ext(64)), "bad_request"),
    "future ext of one byte": (request("put", msgpack.ExtType(2, b"\0")), "bad_request"),
    "fd named that did not come": (request("put", fd_ext(0)), "bad_fd"),
    "fd index 1 without 0": (request("put", fd_ext(1)), "bad_fd"),
    "5 fds named": (request("put", [fd_ext(i) for i in range(5)]), "bad_fd"),
}


class Flood(DaemonCase):
    def lines(self, what):
        return [line for line in self.poold.said().splitlines() if what in line]

    def test_log_lines_that_a_client_can_cause_are_limited(self):
        clients = [Client(self.folder.socket) for _ in range(50)]
        for c in clients:
            c.send_raw(b"\xc1")
        for c in clients:
            self.assertEqual(c.until_closed()[0], "bad_request")
            c.close()
        # Told without a next one of them.
        self.poold.await_that(lambda: self.lines("more lines suppressed"), "the closing line")
        self.assertLess(len(self.lines("fatal bad_request")), 50)


class Hostile(DaemonCase):
    def setUp(self):
        self.honest = Client(self.folder.socket)
        self.honest.call("call", "bench/noop", None)
        self.await_workers()

    def await_workers(self):
        """Every worker is there, and has its fds."""
        deadline = time.monotonic() + PATIENCE
        while any(p["workers"]["idle"] < p["workers"]["wanted"] for p in self.honest.call("pools")):
            self.assertLess(time.monotonic(), deadline, "workers are missing")

    def tearDown(self):
        self.assertEqual(self.honest.call("call", "bench/echo", "still here"), "still here")
        self.honest.close()

    def memory(self):
        """Bytes of the daemon, resident and swapped."""
        with open(f"/proc/{self.poold.process.pid}/smaps_rollup") as f:
            fields = dict(line.split(":") for line in f if line.count(":") == 1)
        return sum(int(fields[k].split()[0]) << 10 for k in ("Rss", "Swap"))

    def assert_grew_less(self, before, limit):
        if not SANITIZERS:  # they keep what was freed
            self.assertLess(self.memory() - before, limit)

    def fds(self):
        return len(os.listdir(f"/proc/{self.poold.process.pid}/fd"))

    def await_fds(self, before):
        """What came is closed again; a worker that is being replaced has fds of its own meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while self.fds() > before:
            self.assertLess(time.monotonic(), deadline, "fds are left")

    def test_each_crafted_message_closes_its_own_connection_only(self):
        for name, (data, code) in FATAL.items():
            with self.subTest(name), Client(self.folder.socket) as c:
                c.send_raw(data)
                fatal = c.until_closed()
                self.assertIsNotNone(fatal, "closed without a word")
                self.assertEqual(fatal[0], code, fatal[1])
                self.assertEqual(self.honest.call("ping"), "pong")

    def test_memory_stays_as_it_was(self):
        def all_of_them():
            for data, _ in FATAL.values():
                with Client(self.folder.socket) as c:
                    c.send_raw(data)
                    c.until_closed()
        all_of_them()  # what is allocated once, is
        before, fds = self.memory(), self.fds()
        for _ in range(10):
            all_of_them()
        self.assert_grew_less(before, MIB)
        self.await_fds(fds)

    def test_endless_string_takes_no_memory(self):
        before = self.memory()
        with Client(self.folder.socket) as c:
            c.send_raw(b"\x94\x00\x01\xa4ping\x91\xdb\x00\x0f\xff\x00" + b"x" * 100_000)
            self.assertEqual(self.honest.call("ping"), "pong")
            self.assert_grew_less(before, MIB)

    def test_costly_requests_of_one_do_not_keep_the_others_waiting(self):
        n = 300
        with Client(self.folder.socket) as c:
            value = c.call("put", [1] * 60_000)  # each read goes over all of its elements
            before = self.honest.call("stats")["counters"]["requests"]
            # both lie there when the daemon looks
            os.kill(self.poold.process.pid, signal.SIGSTOP)
            c.send_raw(pack([2, "read", [value, 0, 1]]) * n)
            msgid = self.honest.send("stats")
            os.kill(self.poold.process.pid, signal.SIGCONT)
            self.assertLess(self.honest.answer(msgid)["counters"]["requests"] - before, n)
            self.assertEqual(c.call("release", [value]), 1)

    def test_half_messages_of_many_connections_are_charged(self):
        clients = [Client(self.folder.socket) for _ in range(50)]
        for c in clients:
            c.send_raw(b"\x94\x00\x01\xa4ping\x91\xc6\x00\x0f\x00\x00" + b"x" * 200_000)
        used = 0
        while used < 50 * (200_000 - (64 << 10)):  # the first 64 KiB are free  # the daemon reads them as it comes to it
            used = self.honest.call("stats")["limits"]["bytes"]["used"]
        for c in clients:
            c.close()
        while self.honest.call("stats")["limits"]["bytes"]["used"]:
            pass

    def test_fds_before_a_message_that_never_ends(self):
        fd = sealed(b"x")
        for _ in range(20):
            with Client(self.folder.socket) as c:
                c.send_raw(b"\x94\x00", [fd])
        os.close(fd)
        before = self.fds()
        self.honest.call("ping")
        self.await_fds(before)

    def test_socket_that_lingers_keeps_nobody_waiting(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            a = socket.create_connection(server.getsockname())
            b, _ = server.accept()
        a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        a.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                a.send(bytes(65536))
        with b, Client(self.folder.socket) as c:
            # The daemon has it from the first byte on, and then the last reference.
            data = request("put", fd_ext(0))
            c.send_raw(data[:1], fds=[a.fileno()])
            a.close()
            c.send_raw(data[1:])
            with self.assertRaises(Failure) as refused:
                c.answer(1)
            self.assertEqual(refused.exception.code, "bad_fd")
            c.msgid = 1
            self.assertEqual(c.call("ping"), "pong")

    def test_names_that_are_no_text_come_back_readable(self):
        with Client(self.folder.socket) as c:
            for name in (b"\xff\xfe\n\x00", b"x" * 5000):
                c.send_raw(msgpack.packb([0, 9, name, []], use_bin_type=True))
                try:
                    c.answer(9)
                except Exception as failure:
                    self.assertEqual(failure.code, "unknown_method")
                    self.assertLess(len(failure.message), 200)

    def test_answers_from_clients_are_ignored(self):
        with Client(self.folder.socket) as c:
            c.send_raw(pack([1, 5, None, "surprise"]) + pack([1, 5, ["x", "y", {}], None]))
            self.assertEqual(c.call("ping"), "pong")

    def test_connection_that_only_connects_and_goes(self):
        for _ in range(200):
            socket_ = socket.socket(socket.AF_UNIX)
            socket_.connect(self.folder.socket)
            socket_.close()

    def test_answers_nobody_reads_do_not_grow_the_daemon(self):
        id = self.honest.call("put", b"r" * 60_000)
        before = self.memory()
        c = Client(self.folder.socket)
        c.socket.settimeout(0.5)
        try:
            for _ in range(100_000):  # until the daemon stops reading
                c.send("result", id)
        except TimeoutError:
            pass
        self.assert_grew_less(before, 2 * MIB)
        c.close()
        self.honest.call("release", [id])


if __name__ == "__main__":
    run_cases()
