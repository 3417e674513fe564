"""What values cost that jobs share, or get from each other: as one JSON object.

    objects.py tree SOCKET PARTS        so many byte strings are put together, ten at a time, by their IDs: us, the bytes
                                        that the jobs got from each other, and those of them that the client sent or got
    objects.py made SOCKET PARTS        the tree's floor: jobs that give as many bytes and are given none
    objects.py memory SOCKET JOBS MIB   jobs over one object that the client has mapped: MiB that all processes together
                                        have more for it
    objects.py churn VALUES             put, used and released under random kills (e2e/churn.py): how many, and how many
                                        are left, in bytes, fds or mappings
"""

import json
import mmap
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import SRC, pss_kib  # noqa: E402
from wire import Client, fd_ext, future_ext, sealed  # noqa: E402

PART = 70_000  # bytes: more than travel inline
FAN = 10


def finish(c, ids):
    for id, state in c.call("wait", ids):
        if state != "done":
            sys.exit(f"{id} is {state}: {c.call('info', id).get('error')}")


def levels(parts):
    """How many values there are on each level, and bytes of all of one level."""
    while True:
        yield parts
        if parts == 1:
            return
        parts = (parts + FAN - 1) // FAN


def tree(c, parts):
    from_ns = time.monotonic_ns()
    ids = level = c.call("submit_many", "parts/fill", [PART] * parts)
    while len(level) > 1:
        level = c.call("submit_many", "parts/concat",
                       [[future_ext(id) for id in level[n:n + FAN]] for n in range(0, len(level), FAN)])
        ids = ids + level
    finish(c, level)
    us = (time.monotonic_ns() - from_ns) / 1000
    whole = c.call("info", level[0])["bytes"]["result"]["memfd"]
    if whole != PART * parts:
        sys.exit(f"the whole has {whole} bytes")
    # Of what came inline an ID has ten bytes, a number and the head of an array five at most.
    costs = [c.call("info", id)["bytes"] for id in ids]
    sent = sum(b["input"]["memfd"] + max(b["input"]["inline"] - 10 * FAN - 5, 0) for b in costs)
    got = sum(os.fstat(fd).st_size for fd in c.fds)
    c.call("release", ids)
    return {"us": us, "jobs_bytes": sum(b["object"] for b in costs), "client_bytes": sent + got}


def made(c, parts):
    from_ns = time.monotonic_ns()
    ids = []
    for n in levels(parts):
        ids += c.call("submit_many", "parts/fill", [PART * parts // n] * n)
    finish(c, ids)
    us = (time.monotonic_ns() - from_ns) / 1000
    c.call("release", ids)
    return {"us": us}


def memory(c, jobs, mib):
    """Each worker reads every byte, and so does the client."""
    def total():
        return sum(map(pss_kib, [os.getpid(), c.call("hello")["pid"], *(w["pid"] for w in c.call("workers"))])) / 1024

    finish(c, c.call("submit_many", "parts/noop", [None] * 100))
    before = total()
    fd = sealed(b"\1" * (mib << 20))
    view = mmap.mmap(fd, mib << 20, mmap.MAP_PRIVATE, mmap.PROT_READ)
    sum(view[at] for at in range(0, mib << 20, mmap.PAGESIZE))
    object = c.call("put", fd_ext(0), fds=[fd])
    os.close(fd)
    ids = c.call("submit_many", "parts/kept", [future_ext(object)] * jobs)
    finish(c, ids)
    grown = total() - before
    view.close()
    c.call("release", [object, *ids])
    return {"object_mib": mib, "pss_mib": grown}


def churn(values):
    """It fails if anything is left."""
    done = subprocess.run([sys.executable, os.path.join(SRC, "tests", "e2e", "churn.py")], stdout=subprocess.PIPE,
                          env=dict(os.environ, POOLD_TEST_ROUNDS=str(values)), text=True, check=True)
    return {"values": int(re.match(r"(\d+) rounds", done.stdout).group(1)), "left": 0}


def main(mode, *words):
    if mode == "churn":
        return churn(*map(int, words))
    with Client(words[0], fds=True) as c:
        return {"tree": tree, "made": made, "memory": memory}[mode](c, *map(int, words[1:]))


print(json.dumps(main(*sys.argv[1:])))
