"""Runs tests again and again while every CPU is busy, and prints how often each passed:

    make again TESTS='tests/e2e/clocks.py tests/cli/29_watch.sh' TIMES=50

JOBS of them run at once; LOOPS busy loops run beside them (0: the machine is busy enough as it is).
What a failed run printed is kept, and its place is told. Exits with 1 if one failed."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import tempfile
import time

MOST_S = 600  # a test that takes longer hangs


def command(test):
    source = os.path.join(os.environ["POOLD_TEST_SRCDIR"], test)
    if test.endswith(".py"):
        return [sys.executable, source]
    if test.endswith(".sh"):
        return ["sh", source]
    return [os.path.join(os.environ["POOLD_TEST_BUILDDIR"], test)]


def run(test, path):
    """Its exit code (None: it hung) and how long it took."""
    begin = time.monotonic()
    with open(path, "wb") as log:
        process = subprocess.Popen(command(test), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        try:
            code = process.wait(MOST_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
    return code, time.monotonic() - begin


def again(test, times, pool, folder):
    name = os.path.basename(test)
    paths = [os.path.join(folder, f"{name}.{i}") for i in range(times)]
    runs = list(pool.map(lambda path: run(test, path), paths))
    counts = {"passed": 0, "skipped": 0, "failed": 0}
    for path, (code, _) in zip(paths, runs):
        kind = {0: "passed", 77: "skipped"}.get(code, "failed")
        counts[kind] += 1
        if kind != "failed":
            os.unlink(path)
    longest = max(seconds for _, seconds in runs)
    print(f"{test:<40} {counts['passed']:>6} {counts['failed']:>6} {counts['skipped']:>7} "
          f"{longest:>9.1f}", flush=True)
    return counts["failed"]


def main():
    times, jobs, loops = map(int, sys.argv[1:4])
    tests = sys.argv[4:]
    folder = tempfile.mkdtemp(prefix="poold-again.")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    n_failed = 0
    print(f"{'test':<40} {'passed':>6} {'failed':>6} {'skipped':>7} {'longest s':>9}", flush=True)
    try:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for test in tests:
                n_failed += again(test, times, pool, folder)
    finally:
        for process in busy:
            process.kill()
    if n_failed:
        print(f"what failed printed this: {folder}")
    else:
        os.rmdir(folder)
    return n_failed > 0


if __name__ == "__main__":
    sys.exit(main())
