"""Runs floors, poold and peers in one run, several rounds, in turn, and prints the ratios: README.md beside this file.

    bench.py [--rounds N] [--quick] [--only TEXT]... [--list] [--no-peers] [--json FILE] [--compare OLD.json]
"""

import argparse
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
import compare  # noqa: E402
import table  # noqa: E402
from cases import CASES, MIB, SAME_RUN  # noqa: E402
from peers import PEERS, Missing, run_json  # noqa: E402
from pooldtest import BUILD, POOLS, Folder, Poold  # noqa: E402

HERE = os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "bench")
BUILT = os.path.join(BUILD, "tests", "bench")

# The pool "large" is for results of 1 GiB: where each job reserves as much, few can be on their way at once, and "bench" is
# as pools are by default; "parts" puts 70 MB together. Nobody takes over from a dead worker of "solo", one does in "ready".
POOLS += """
[pool large]
handler = module
module = bench
workers = 1
max_result = 1100M

[pool parts]
handler = module
module = bench
workers = 2
max_result = 128M

[pool solo]
handler = module
module = bench
workers = 1
spawn_rate = 10000

[pool ready]
handler = module
module = bench
workers = 1
standby = 1
spawn_rate = 10000

[limits]
jobs = 1100000
connections = 12000
total_connections = 12000
"""


class Bench:
    """One run of all cases, in rounds. Commands that two cases share run once a round."""

    def __init__(self, cases, is_quick, has_peers):
        self.cases = cases
        self.is_quick = is_quick
        self.has_peers = has_peers
        self.rounds = {case.name: [] for case in cases}
        self.missing = {}  # peer: why
        self.failed = set()  # keys of what a case runs, where a program of it failed

    def how_many(self, n, least):
        return max(n // 10, least) if self.is_quick else n

    def run(self, command, case, socket):
        size = min(case.size, MIB) if self.is_quick else case.size
        words = command.format(n=self.how_many(case.n, case.least), bytes=size, mib=size // MIB, socket=socket).split()
        script = os.path.join(HERE, words[0])
        argv = [sys.executable, script] if words[0].endswith(".py") else [os.path.join(BUILT, words[0])]
        return run_json([*argv, *words[1:]])

    def run_poold(self, case, socket):
        if not case.own_daemon:
            return self.run(case.poold, case, socket)
        with daemon() as own:
            return self.run(case.poold, case, own)

    def run_pair(self, case, socket, floor_first):
        """Floor and poold, one right after the other, the order changing from round to round."""
        if not isinstance(case.floor, str):
            ours = self.run_poold(case, socket)
            return ours if case.floor is SAME_RUN else {case.field: case.floor}, ours
        if floor_first:
            below = self.run(case.floor, case, socket)
            return below, self.run_poold(case, socket)
        ours = self.run_poold(case, socket)
        return self.run(case.floor, case, socket), ours

    def run_peer(self, name, words, n):
        try:
            return PEERS[name].measure(words.format(n=self.how_many(n, 100)).split())
        except Missing as why:
            self.missing[name] = str(why)
            return None

    def tell(self, what):
        """Where it is, for who waits."""
        if sys.stderr.isatty():
            print(what, file=sys.stderr, flush=True)

    def run_round(self, number, socket):
        pairs, peers = {}, {}
        for case in self.cases:
            key = (case.floor, case.poold, case.n, case.size)
            if key in self.failed:
                continue
            if key not in pairs:
                self.tell(f"round {number + 1}: {case.name}")
                try:
                    pairs[key] = self.run_pair(case, socket, number % 2 == 0)
                except subprocess.CalledProcessError as why:
                    print(f"{case.name}: {why}", file=sys.stderr)
                    self.failed.add(key)
                    continue
            below, ours = pairs[key][0][case.floor_field or case.field], pairs[key][1][case.field]
            figures = {"floor": below, "poold": ours, "ratio": ours / below, "peers": {}}
            for name, (words, n, _) in case.peers.items() if self.has_peers else ():
                if (name, words) not in peers:
                    self.tell(f"round {number + 1}: {name} {words}")
                    peers[name, words] = self.run_peer(name, words, n)
                if peers[name, words]:
                    figures["peers"][name] = peers[name, words][case.field]
            self.rounds[case.name].append(figures)


class daemon:
    """A daemon in a folder of its own, as its socket."""

    def __enter__(self):
        self.folder = Folder(POOLS, "socket_mode = 0666\n")
        self.poold = Poold(self.folder)
        try:
            os.chmod(self.folder.path, 0o755)
            self.poold.await_ready()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self.folder.socket

    def __exit__(self, *why):
        try:
            self.poold.__exit__(*why)
        finally:
            self.folder.__exit__()


def machine():
    with open("/proc/cpuinfo") as f:
        models = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return {"cpus": len(os.sched_getaffinity(0)), "model": models[0] if models else "unknown",
            "kernel": os.uname().release, "load": os.getloadavg()[0]}


def wanted(case, texts):
    return (not texts or any(text in case.name for text in texts)) and (not case.root or os.geteuid() == 0)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--quick", action="store_true", help="a tenth of the work, one round")
    args.add_argument("--only", metavar="TEXT", action="append", help="cases whose names hold it")
    args.add_argument("--list", action="store_true", help="the names of the cases")
    args.add_argument("--no-peers", action="store_true")
    args.add_argument("--json", metavar="FILE")
    args.add_argument("--compare", metavar="OLD", help="a file of --json: exit code 1 if a case got worse")
    args = args.parse_args()
    cases = [case for case in CASES if wanted(case, args.only)]
    if args.list:
        print(*(case.name for case in cases), sep="\n")
        return 0
    old = compare.load(args.compare) if args.compare else None
    about = {"before": machine()}
    bench = Bench(cases, args.quick, not args.no_peers)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with daemon() as socket:
        try:
            for number in range(1 if args.quick else args.rounds):
                bench.run_round(number, socket)
        except KeyboardInterrupt:
            print("interrupted: what there is so far")
    about["after"] = machine()
    results = {"machine": about, "missing": bench.missing, "cases": table.summaries(cases, bench.rounds)}
    table.show(results)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)
    is_worse = compare.show(old, results) if old else 0
    return 1 if bench.failed else is_worse


try:
    sys.exit(main())
except subprocess.TimeoutExpired as e:
    sys.exit(f"too slow: {e}")
