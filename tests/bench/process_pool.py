"""Python's own pools on the jobs that poold is measured with: two workers, forked.

    process_pool.py call N [BYTES]        ProcessPoolExecutor, one call at a time with an argument of so many bytes (64),
                                          whose first eight come back: p50 and p99 in µs; the first tenth warms up
    process_pool.py submit N              ProcessPoolExecutor, N futures at once: per second
    process_pool.py unordered CHUNK N     Pool.imap_unordered with this chunksize: per second
"""

import concurrent.futures
import json
import multiprocessing
import sys
import time

N_WORKERS = 2
FORK = multiprocessing.get_context("fork")
BYTES = 64


def peek(argument):
    return argument[:8]


def executor():
    pool = concurrent.futures.ProcessPoolExecutor(N_WORKERS, mp_context=FORK)
    for future in [pool.submit(peek, b"started") for _ in range(100)]:
        future.result()
    return pool


def call(n, size=BYTES):
    argument, took = b"x" * size, []
    with executor() as pool:
        for _ in range(n):
            begin = time.perf_counter()
            if pool.submit(peek, argument).result() != argument[:8]:
                sys.exit("a wrong answer")
            took.append((time.perf_counter() - begin) * 1e6)
    took = sorted(took[n // 10:])
    return {"p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}


def submit(n):
    argument = b"x" * BYTES
    with executor() as pool:
        begin = time.perf_counter()
        concurrent.futures.wait([pool.submit(peek, argument) for _ in range(n)])
        return {"per_second": n / (time.perf_counter() - begin)}


def unordered(chunk, n):
    arguments = [b"%*d" % (BYTES, i) for i in range(n)]  # the same one n times would be sent once per chunk
    with FORK.Pool(N_WORKERS) as pool:
        for _ in pool.imap_unordered(peek, arguments[:100]):
            pass
        begin = time.perf_counter()
        done = sum(1 for _ in pool.imap_unordered(peek, arguments, chunksize=chunk))
        if done != n:
            sys.exit(f"{done} of {n} came back")
        return {"per_second": n / (time.perf_counter() - begin)}


MODES = {"call": call, "submit": submit, "unordered": unordered}

if __name__ == "__main__":
    print(json.dumps(MODES[sys.argv[1]](*map(int, sys.argv[2:]))))
