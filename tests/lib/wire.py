"""A client of poold made of a socket and a MessagePack library, from PROTOCOL.md alone."""

import array
import fcntl
import os
import socket
import struct

import msgpack

F_ALL = 0xF  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE


class Failure(Exception):
    """An error answer: code, message, details."""

    def __init__(self, error):
        super().__init__(f"{error[0]}: {error[1]}")
        self.code, self.message, self.details = error


class Closed(Exception):
    """The daemon closed the connection; `fatal` is its last word, if it had one."""

    def __init__(self, fatal):
        super().__init__(f"closed: {fatal}")
        self.fatal = fatal


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def fd_ext(index):
    return msgpack.ExtType(1, bytes([index]))


def future_ext(id):
    return msgpack.ExtType(2, struct.pack(">Q", id))


def sealed(data, seals=F_ALL):
    """A memfd with these bytes, sealed."""
    fd = os.memfd_create("wire-test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def sparse(size):
    """A sealed memfd that claims this many bytes and has none of them."""
    fd = os.memfd_create("wire-test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, F_ALL)
    return fd


class Client:
    def __init__(self, path, fds=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(float(os.environ.get("WIRE_TIMEOUT", 60)))  # nothing takes this long unless it is broken
        self.socket.connect(path)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False,
                                         max_buffer_size=64 << 20)
        self.msgid = 0
        self.answers = {}
        self.notes = []
        self.fatal = None
        self.fds = []
        if fds:
            self.call("hello", {"client": "wire.py", "version": "0", "fds": True})

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def send_raw(self, data, fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.socket.sendmsg([data], ancillary)
        if sent < len(data):
            self.socket.sendall(data[sent:])

    def send(self, method, *params, fds=()):
        self.msgid += 1
        self.send_raw(pack([0, self.msgid, method, list(params)]), fds)
        return self.msgid

    def notify(self, method, *params):
        self.send_raw(pack([2, method, list(params)]))

    def read_some(self):
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(1 << 16, socket.CMSG_SPACE(64 * 4))
        except ConnectionResetError:
            data, ancillary = b"", ()
        for level, kind, payload in ancillary:
            got = array.array("i")
            got.frombytes(payload[:len(payload) - len(payload) % got.itemsize])
            self.fds.extend(got)
        if not data:
            raise Closed(self.fatal)
        self.unpacker.feed(data)
        for message in self.unpacker:
            if message[0] == 1:
                assert message[1] not in self.answers, "answered twice"
                self.answers[message[1]] = message[2:]
            elif message[1] == "fatal":
                self.fatal = message[2]
            else:
                self.notes.append(message[1:])

    def answer(self, msgid):
        while msgid not in self.answers:
            self.read_some()
        error, result = self.answers.pop(msgid)
        if error is not None:
            raise Failure(error)
        return result

    def call(self, method, *params, fds=()):
        return self.answer(self.send(method, *params, fds=fds))

    def await_zero(self):
        """All accounts are zero, but for this connection."""
        def used():
            limits = self.call("stats")["total_limits"]
            limits["connections"]["used"] = 0
            return {k: v["used"] for k, v in limits.items() if v["used"]}
        while used():
            pass

    def error(self, method, *params, fds=()):
        """The failure that is expected."""
        try:
            result = self.call(method, *params, fds=fds)
        except Failure as failure:
            return failure
        raise AssertionError(f"{method}{params} gave {result!r} in place of an error")

    def note(self, method="final"):
        """The next notification of this name."""
        while True:
            for i, (name, params) in enumerate(self.notes):
                if name == method:
                    del self.notes[i]
                    return params
            self.read_some()

    def until_closed(self):
        """Reads until the daemon closes; the params of `fatal`, or None."""
        try:
            while True:
                self.read_some()
        except Closed as closed:
            return closed.fatal
