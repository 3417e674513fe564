"""Others that do the same jobs, with two workers each. A peer that is not installed is left out and named.

Each starts what it needs for one measurement, in a folder of its own, and stops it. Servers are spoken to by the program
`peer` over Unix sockets where they have them, else over loopback without delay; their workers are that program, too, and
take one round trip a job, so that what is measured is the server.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
PROGRAM = os.path.join(os.environ["POOLD_TEST_BUILDDIR"], "tests", "bench", "peer")
PROCESS_POOL = os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "bench", "process_pool.py")
N_WORKERS = 2
TIMEOUT = 300


class Missing(Exception):
    """What a peer needs is not installed."""


def find(program):
    path = shutil.which(program, path=PATH)
    if not path:
        raise Missing(f"not installed (no {program})")
    return path


def run_json(argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT)
    return json.loads(done.stdout)


def end(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Server:
    """A server and two workers. `argv` gets the server's path, its folder and its address."""

    def __init__(self, protocol, program, argv, has_port=False):
        self.protocol, self.program, self.argv, self.has_port = protocol, program, argv, has_port

    def address(self, folder):
        if not self.has_port:
            return os.path.join(folder, "socket")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return str(s.getsockname()[1])

    def measure(self, words):
        program = find(self.program)
        processes = []
        with tempfile.TemporaryDirectory(prefix="poold-peer.") as folder:
            address = self.address(folder)
            peer = [PROGRAM, self.protocol, address]
            try:
                with open(os.path.join(folder, "log"), "w") as log:
                    for argv in (self.argv(program, folder, address), *[[*peer, "worker"]] * N_WORKERS):
                        processes.append(subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                                          stderr=log))
                return run_json([*peer, *words])
            finally:
                end(processes[::-1])


class Python:
    """Its own pools."""

    def measure(self, words):
        return run_json([sys.executable, PROCESS_POOL, *words])


class Xargs:
    """words: program, how many; a process for each."""

    def measure(self, words):
        begin = time.perf_counter()
        subprocess.run([find("xargs"), f"-P{N_WORKERS}", "-n1", words[0]], input=b"x\n" * int(words[1]), check=True,
                       stdout=subprocess.DEVNULL, timeout=TIMEOUT)
        return {"per_second": int(words[1]) / (time.perf_counter() - begin)}


def gearmand(program, folder, port):  # without threads of its own it is the fastest on two CPUs
    return [program, "--listen=127.0.0.1", f"--port={port}", "--log-file=none", "--threads=0", f"--pid-file={folder}/pid",
            *(["--user=root"] if os.geteuid() == 0 else [])]


def beanstalkd(program, folder, path):
    return [program, "-l", f"unix:{path}"]


def redis(program, folder, path):
    return [program, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder]


PEERS = {
    "Pool, chunk 1": Python(),
    "Pool, chunk 1000": Python(),
    "ProcessPool": Python(),
    "xargs -P2": Xargs(),
    "gearmand": Server("gearman", "gearmand", gearmand, has_port=True),
    "beanstalkd": Server("beanstalk", "beanstalkd", beanstalkd),
    "redis": Server("redis", "redis-server", redis),
}
