"""What Python's own pool makes of a large argument: its bytes go through a pipe, pickled, and the answer is eight bytes.

    process_pool.py MIB N

As JSON: p50 and p99 of one call, in µs; the first tenth warms up.
"""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def peek(argument):
    return argument[:8]


def main():
    argument, n = b"x" * (int(sys.argv[1]) << 20), int(sys.argv[2])
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        pool.submit(peek, b"started").result()
        took = []
        for _ in range(n):
            begin = time.perf_counter()
            if pool.submit(peek, argument).result() != argument[:8]:
                sys.exit("a wrong answer")
            took.append((time.perf_counter() - begin) * 1e6)
    took = sorted(took[n // 10:])
    print(json.dumps({"p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}))


if __name__ == "__main__":
    main()
