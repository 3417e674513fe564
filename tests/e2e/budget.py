"""Instructions that one no-op job costs daemon, worker and client, against what was recorded.

callgrind counts them on a sequence in which every step waits for the one before, so that how many messages come
together is the same each time, however busy the machine is: the counts of two runs differ by one or two in a hundred.
What they are depends on the compiler and the C library too; elsewhere than where they were recorded the test skips.

    POOLD_TEST_RECORD=1 make check TESTS=tests/e2e/budget.py     writes tests/e2e/budget.json anew
"""

import glob
import json
import os
import platform
import re
import socket
import subprocess
import sys

import msgpack

SRC = os.environ["POOLD_TEST_SRCDIR"]
sys.path.insert(0, os.path.join(SRC, "tests", "lib"))
from pooldtest import BUILD, PATIENCE, POOLD, WORKER, Folder, Poold, fail, skip  # noqa: E402
from valgrinding import PidfdHelper, require  # noqa: E402
from wire import Client, pack  # noqa: E402

RECORD = os.path.join(SRC, "tests", "e2e", "budget.json")
JOBS = int(os.environ.get("POOLD_TEST_JOBS", 10_000))
SLACK = 0.05
# Of the client's, how many are answered together; and how many it has under way (tests/bench/client.c).
TOGETHER = 16
WINDOW = 4096
POOL = "\n[pool bench]\nhandler = module\nmodule = bench\nworkers = 1\n"
# Looking for events in vain is no part of a job.
DAEMON = "busy_poll = 0\n"
INPUT = bytes(64)
TIMING = {"queued": 2e-6, "handover": 1e-5, "run": 1e-6, "return": 1.5e-5}


def real(program):
    """The program itself, not libtool's wrapper."""
    path, name = os.path.split(program)
    inner = os.path.join(path, ".libs", name)
    return inner if os.path.exists(inner) else program


def callgrind(folder, name):
    return ["valgrind", "--quiet", "--tool=callgrind",
            f"--callgrind-out-file={folder.at(name)}.%p.callgrind"]


def counted(folder, name):
    """Instructions of all processes of that name, for one job."""
    total = 0
    for path in glob.glob(folder.at(f"{name}.*.callgrind")):
        with open(path, errors="replace") as f:
            total += int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M).group(1))
    return total / JOBS


def submit_one_by_one(path):
    """Each submit comes with the release of the one before, when that one's end has come."""
    with Client(path) as client:
        unpacker = msgpack.Unpacker()
        done = None
        for n in range(JOBS):
            message = pack([0, n, "submit", ["bench/noop", INPUT, {"deliver": True}]])
            if done is not None:
                message += pack([2, "release", [[done]]])
            client.socket.sendall(message)
            done = None
            while done is None:
                unpacker.feed(client.socket.recv(4096))
                for got in unpacker:
                    if got[:2] == [2, "final"]:
                        done = got[2][0]
                        if got[2][1] != "done":
                            fail(f"job {n}: {got}")


def measure_daemon():
    with Folder(POOL, DAEMON) as folder:
        daemon = Poold(folder, command=[*callgrind(folder, "poold"), real(POOLD), "--config",
                                        folder.config], env=PidfdHelper(folder).env())
        daemon.await_ready()
        submit_one_by_one(folder.socket)
        if daemon.stop():
            fail(daemon.said())
        return counted(folder, "poold")


def measure_worker():
    with Folder(POOL, DAEMON) as folder:
        script = folder.at("worker")
        with open(script, "w") as f:
            f.write(f"#!/bin/sh\nexec {' '.join(callgrind(folder, 'worker'))} {real(WORKER)} \"$@\"\n")
        os.chmod(script, 0o755)
        with open(folder.config) as f:
            config = f.read().replace(f"worker = {WORKER}", f"worker = {script}")
        with open(folder.config, "w") as f:
            f.write(config)
        with Poold(folder):
            submit_one_by_one(folder.socket)
        return counted(folder, "worker")


def answer_together(listener, process):
    """A daemon that answers TOGETHER jobs by one send, when that many wait."""
    peer, _ = listener.accept()
    unpacker = msgpack.Unpacker()
    waiting = []
    n_answered = 0
    while True:
        got = peer.recv(1 << 16)
        if not got:
            break
        unpacker.feed(got)
        for message in unpacker:
            if message[0] == 0 and message[2] == "submit":
                waiting.append(message[1])
            elif message[0] == 0:
                peer.sendall(pack([1, message[1], None, {"limits": {"message_bytes": 1 << 20}}]))
        # A full window, then one group for each that was answered.
        while waiting and (len(waiting) == min(WINDOW, JOBS - n_answered)):
            group, waiting = waiting[:TOGETHER], waiting[TOGETHER:]
            out = b""
            for msgid in group:
                n_answered += 1
                out += pack([1, msgid, None, 1000 + n_answered])
                out += pack([2, "final", [1000 + n_answered, "done", None, None, TIMING]])
            peer.sendall(out)
    peer.close()


def measure_client():
    client = os.path.join(BUILD, "tests", "bench", "client")
    with Folder(POOL, DAEMON) as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(folder.socket)
        listener.listen(1)
        listener.settimeout(PATIENCE)
        env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(BUILD, "client", ".libs"))
        process = subprocess.Popen([*callgrind(folder, "client"), real(client), folder.socket,
                                    "futures", "bench/noop", str(JOBS)], env=env,
                                   stdout=subprocess.PIPE)
        answer_together(listener, process)
        process.communicate(timeout=PATIENCE)
        if process.returncode:
            fail(f"the client ended with {process.returncode}")
        return counted(folder, "client")


def where():
    """What the counts depend on beside the sources."""
    compiler = os.environ.get("POOLD_TEST_CC", "cc").split()
    version = subprocess.run([*compiler, "-dumpfullversion", "-dumpversion"],
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    flags = os.environ.get("POOLD_TEST_CFLAGS", "") + " " + os.environ.get("POOLD_TEST_USER_CFLAGS", "")
    flags = sorted({flag for flag in flags.split() if not flag.startswith("-W")})
    return {"compiler": f"{os.path.basename(compiler[0])} {version}", "flags": " ".join(flags),
            "libc": " ".join(platform.libc_ver()), "machine": platform.machine()}


def main():
    require()
    got = {"daemon": measure_daemon(), "worker": measure_worker(), "client": measure_client()}
    print("instructions a job:", ", ".join(f"{name} {n:.0f}" for name, n in got.items()))
    if os.environ.get("POOLD_TEST_RECORD"):
        with open(RECORD, "w") as f:
            json.dump({"where": where(), "jobs": JOBS,
                       "instructions": {name: round(n) for name, n in got.items()}}, f, indent=1)
            f.write("\n")
        return
    with open(RECORD) as f:
        record = json.load(f)
    if record["where"] != where():
        skip(f"recorded with {record['where']}, and this is {where()}")
    bad = []
    for name, n in record["instructions"].items():
        print(f"{name}: {got[name]:.0f}, recorded {n}: {100 * (got[name] / n - 1):+.1f} %")
        if got[name] > n * (1 + SLACK):
            bad.append(f"{name} takes {got[name]:.0f} instructions a job, {n} were recorded")
        elif got[name] < n * (1 - SLACK):
            print(f"{name} takes less by far: record it anew")
    if bad:
        fail("; ".join(bad))


main()
