"""Runs poold beside floors in one run, several rounds, in turn, and prints the ratios.

    bench.py [--rounds N] [--quick] [--only TEXT] [--json FILE]

A machine is shared and noisy, so a time says nothing by itself: what counts is poold against a floor that ran just
before it. A ratio is taken per round; the table gives the median, the least and the greatest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, POOLS, Folder, Poold  # noqa: E402

FLOOR = os.path.join(BUILD, "tests", "bench", "floor")
CLIENT = os.path.join(BUILD, "tests", "bench", "client")
CROWD = os.path.join(BUILD, "tests", "bench", "crowd")
MEMORY = os.path.join(BUILD, "tests", "bench", "memory")
OBJECTS = os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "bench", "objects.py")
PROCESS_POOL = os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "bench", "process_pool.py")

# MiB that are there before the call that is given them: of memory, not more than a quarter of what is free.
READY = 1024 if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGESIZE") > 4 << 30 else 256

# name, unit, field (or two: the floor's, poold's), whether less is better, floor's words, poold's words, how many
CASES = [
    ("no-op call, p50", "us", "p50_us", True, ["latency"], ["latency"], 30_000),
    ("no-op call, p99", "us", "p99_us", True, ["latency"], ["latency"], 30_000),
    ("no-op futures, pure", "/s", "per_second", False, ["broker", "16"],
     ["futures", "bench/noop"], 300_000),
    ("no-op futures, not pure", "/s", "per_second", False, ["broker", "1"],
     ["futures", "bench/noop_serial"], 300_000),
    ("/bin/true as a command", "/s", "per_second", False, ["spawn", "/bin/true"],
     ["commands", "/bin/true"], 2_000),
    # Of poold both: one uid alone and beside a flood of another's jobs; few jobs queued, and many.
    ("beside a flood, p50", "us", "p50_us", True, ["crowd", "alone"], ["crowd", "flooded"], 1_000),
    ("beside a flood, p99", "us", "p99_us", True, ["crowd", "alone"], ["crowd", "flooded"], 1_000),
    *((f"a job of {n}, {what}", "us", "job_us", True, ["crowd", mode, "1000"], ["crowd", mode], n)
      for n in (30_000, 1_000_000) for mode, what in (("queued", "equal"), ("mixed", "mixed"))),
    # How many: MiB. The floor of memory that is ready is a no-op call.
    (f"{READY} MiB, an object", "us", "p50_us", True, ["payload", "none", "1000"],
     ["payload", "object", "1000"], READY),
    (f"{READY} MiB, shared buffer", "us", "p50_us", True, ["payload", "none", "1000"],
     ["payload", "buffer", "1000"], READY),
    ("64 MiB from the heap", "us", "p50_us", True, ["memory", "fill", "shm", "11"],
     ["payload", "heap", "11"], 64),
    ("256 MiB from the heap", "us", "p50_us", True, ["memory", "fill", "shm", "5"],
     ["payload", "heap", "5"], 256),
    ("64 MiB in place", "us", "p50_us", True, ["memory", "fill", "set", "11"],
     ["payload", "result", "11"], 64),
    # Beside jobs that make as many bytes. Three floors come from the same run: what the jobs got from each other, the size
    # of the object, and how many values there were.
    ("tree of 1000 parts", "us", "us", True, ["objects", "made"], ["objects", "tree"], 1_000),
    ("its bytes, of the client", "B", ("jobs_bytes", "client_bytes"), True, ["same"], ["objects", "tree"], 1_000),
    ("256 MiB in 1000 jobs, PSS", "MiB", ("object_mib", "pss_mib"), True, ["same"], ["objects", "memory", "1000"],
     256),
    ("put, used, killed: left", "", ("values", "left"), True, ["same"], ["churn"], 40_000),
    # Beside Python's own pool.
    *((f"{n} MiB, {what}, Python", "us", "p50_us", True, ["python", "3"], ["payload", kind, count], n)
      for n in (64, 512) for what, kind, count in (("shared", "buffer", "100"), ("heap", "heap", "3"))),
]
if os.geteuid() != 0:  # nobody else can be two users
    CASES = [case for case in CASES if case[4] != ["crowd", "alone"]]


def run(argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=300)
    return json.loads(done.stdout)


def crowd(socket, words, n):
    if words[1] in ("alone", "flooded"):
        return run([CROWD, socket, words[1], str(n)])
    # The few jobs in several rounds, so that both last about as long.
    size = [words[2], str(min(max(n // 5_000, 5), 100))] if len(words) > 2 else [str(n), "1"]
    return run([CROWD, socket, words[1], "bench/noop_serial", *size])


def payload(socket, words, n):
    if words[0] == "python":
        return run([sys.executable, PROCESS_POOL, str(n), words[1]])
    if words[0] == "memory":
        return run([MEMORY, *words[1:-1], str(n), words[-1]])
    return run([CLIENT, socket, *words[:2], str(n), words[2]])


def objects(socket, words, n):
    if words[0] == "churn":
        return run([sys.executable, OBJECTS, "churn", str(n)])
    return run([sys.executable, OBJECTS, words[1], socket, *words[2:], str(n)])


def floor(socket, words, n):
    if words[0] == "objects":
        return objects(socket, words, n)
    if words[0] == "crowd":
        return crowd(socket, words, n)
    if words[0] in ("memory", "payload", "python"):
        return payload(socket, words, n)
    return run([FLOOR, words[0], str(n), *words[1:]])


def poold(socket, words, n):
    if words[0] in ("objects", "churn"):
        return objects(socket, words, n)
    if words[0] == "crowd":
        return crowd(socket, words, n)
    if words[0] == "payload":
        return payload(socket, words, n)
    if words[0] == "commands":
        return run([CLIENT, socket, "commands", str(n), words[1]])
    return run([CLIENT, socket, *words, str(n)])


def measure(socket, rounds, share):
    """Per pair of runs: floor, then poold; two cases may read two fields of one pair."""
    results = {}
    for _ in range(rounds):
        pairs = {}
        for name, _, field, less_is_better, floor_words, poold_words, n in CASES:
            key = json.dumps([floor_words, poold_words, n])
            if key not in pairs:
                n = max(int(n * share), 1 if poold_words[0] == "payload" else 100)
                below = floor(socket, floor_words, n) if floor_words != ["same"] else None
                ours = poold(socket, poold_words, n)
                pairs[key] = below or ours, ours
            fields = [field, field] if isinstance(field, str) else field
            below, ours = (of[name] for of, name in zip(pairs[key], fields))
            results.setdefault(name, []).append(
                {"floor": below, "poold": ours, "ratio": ours / below})
    return results


def summary(results):
    table = []
    for name, unit, *_ in CASES:
        rounds = results[name]
        ratios = [r["ratio"] for r in rounds]
        table.append({"case": name, "unit": unit,
                      "floor": statistics.median(r["floor"] for r in rounds),
                      "poold": statistics.median(r["poold"] for r in rounds),
                      "ratio": statistics.median(ratios), "min": min(ratios), "max": max(ratios)})
    return table


def show(table):
    print(f"{'case':26}{'floor':>14}{'poold':>14}   {'ratio':>6} {'least':>6} {'most':>6}")
    for row in table:
        amount = (lambda v: f"{v:.1f} us") if row["unit"] == "us" else (lambda v: f"{v:,.0f} {row['unit']}")
        print(f"{row['case']:26}{amount(row['floor']):>14}{amount(row['poold']):>14}   "
              f"{row['ratio']:6.3g} {row['min']:6.3g} {row['max']:6.3g}")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--quick", action="store_true", help="a tenth of the work, one round")
    args.add_argument("--only", metavar="TEXT", default="", help="cases whose names hold it")
    args.add_argument("--json", metavar="FILE")
    args = args.parse_args()
    CASES[:] = [case for case in CASES if args.only in case[0]]
    # A result as large as the limit is by its envelope larger.
    pools = POOLS + "max_result = 128M\n[limits]\njobs = 1100000\n"
    with Folder(pools, "socket_mode = 0666\n") as folder, Poold(folder):
        os.chmod(folder.path, 0o755)
        results = measure(folder.socket, 1 if args.quick else args.rounds, 0.1 if args.quick else 1)
    table = summary(results)
    show(table)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"summary": table, "rounds": results}, f, indent=1)


main()
