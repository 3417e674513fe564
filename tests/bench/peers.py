"""Others that do the same jobs, with two workers each. A peer that is not installed is left out and named.

Each starts what it needs for one measurement, and stops it.
"""

import json
import os
import shutil
import subprocess
import sys
import time

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
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


PEERS = {
    "Pool, chunk 1": Python(),
    "Pool, chunk 1000": Python(),
    "ProcessPool": Python(),
    "xargs -P2": Xargs(),
}
