"""Fds that are no value: by name, what makes one. Where a machine has no such thing, that fails with an OSError."""

import fcntl
import mmap
import os
import socket
import tempfile

from wire import sealed

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
