"""What is measured. To add a case is to add a line to CASES (and, if no program does it yet, a mode to one of the
programs beside this file: it prints one line of JSON).

A case runs two programs one after the other, the floor and poold, and compares one number of what they print. Where poold's
own run tells the floor, too, there is only the other field's name. Words of a command: the program's name in this folder (NAME of the build, NAME.py), then its arguments, in which stand

    {n}       how many: of --quick a tenth, but not less than `least`
    {bytes}   the case's `size`, {mib} the same in MiB; of --quick 1 MiB at most
    {socket}  the daemon's socket

The daemon has the pools of POOLS in bench.py. A unit ending in /s is better when it is more; all others when less.
"""

import os
from dataclasses import dataclass, field


SAME_RUN = object()


@dataclass(frozen=True)
class Case:
    name: str
    unit: str
    field: str  # of the JSON
    floor: object  # a command; a number, where the goal is one; SAME_RUN
    poold: str
    n: int = 1
    size: int = 0
    floor_field: str = None  # if it is another one
    goal: float = None  # of the ratio to the floor: at most, or if more is better at least
    least: int = 100
    peers: dict = field(default_factory=dict)  # name: (words for peers.py, how many, goal or None)
    own_daemon: bool = False  # each run has a fresh one: what it measures is the daemon's memory
    root: bool = False  # it takes two users

    @property
    def more_is_better(self):
        return self.unit.endswith("/s")


MIB = 1 << 20
FREE = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGESIZE")

# Of memory that is filled no more than an eighth of what is free, so that nothing is measured but filling.
LARGEST = 1024 * MIB if FREE > 8 << 30 else 256 * MIB


def named(size):
    for unit, name in ((1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def named_count(n):
    return f"{n // 1_000_000}M" if n >= 1_000_000 else f"{n // 1000}k"


CALLS = {
    "ProcessPool": ("call {n}", 3_000, None),
    "gearmand": ("latency {n}", 5_000, None),
    "beanstalkd": ("latency {n}", 5_000, None),
    "redis": ("latency {n}", 5_000, None),
}
FUTURES = {
    "Pool, chunk 1": ("unordered 1 {n}", 50_000, 10),
    "ProcessPool": ("submit {n}", 10_000, 50),
    "gearmand": ("futures {n}", 30_000, 40),
    "beanstalkd": ("futures {n}", 50_000, None),
    "redis": ("futures {n}", 100_000, None),
}

MAPS = {"Pool, chunk 1000": ("unordered 1000 {n}", 300_000, 2)}

CASES = [
    # One call at a time; the floor is four blocking hops through three processes.
    Case("no-op call, p50", "us", "p50_us", "floor hops {n} 0 0", "client {socket} latency {n}", 30_000,
         goal=1.3, peers=CALLS),
    Case("no-op call, p99", "us", "p99_us", "floor hops {n} 0 0", "client {socket} latency {n}", 30_000,
         goal=2, peers=CALLS),
    # Many at a time; the floor is a loop that forwards and keeps nothing.
    Case("no-op futures, pure", "/s", "per_second", "floor broker {n} 16", "client {socket} futures bench/noop {n}",
         300_000, goal=0.65, peers=FUTURES),
    Case("no-op futures, not pure", "/s", "per_second", "floor broker {n} 1",
         "client {socket} futures bench/noop_serial {n}", 300_000, goal=0.65),
    Case("no-op futures, by ID", "/s", "per_second", "floor broker {n} 16", "client {socket} ids bench/noop {n}", 300_000),
    # Items smaller than a message, many in a job (0: as libpoold chooses); the floor is one other process and a socket.
    *(Case(f"map of 1 M, chunks of {chunk or 'its own'}", "/s", "per_second", "map floor 1000 {n}",
           f"map {{socket}} bench/peek {chunk} {{n}}", 1_000_000, peers=MAPS) for chunk in (1000, 0)),
    # Clients that each wait for their answer; the floor is a loop that forwards between them and two workers.
    *(Case(f"{clients} clients, {what}", unit, f, f"floor calls {{n}} {clients}",
           f"client {{socket}} calls {{n}} {clients}", 60_000)
      for clients in (8, 64) for what, unit, f in (("p50", "us", "p50_us"), ("p99", "us", "p99_us"),
                                                   ("calls", "/s", "per_second"))),
    # Short jobs among a few long ones; the floor is a single queue that costs nothing, with the same jobs.
    *(Case(f"short beside long, {what}", "us", "p99_us", SAME_RUN, f"mix {{socket}} {mode} {{n}}", 20_000,
           floor_field="ideal_p99_us", goal=2, least=1_000) for mode, what in (("two", "2 functions"), ("one", "1 function"))),
    # From the death of a worker to the next job's answer; the floor is fork, exit and wait.
    Case("worker replacement", "us", "p50_us", "floor forks {n}", "client {socket} replace solo {n} 0",
         200, goal=3, least=20),
    Case("the same, one on standby", "us", "p50_us", "floor forks {n}", "client {socket} replace ready {n} 3000",
         200, goal=3, least=20),
    # Commands; the floor is two loops of posix_spawn() and waitpid().
    Case("/bin/true as a command", "/s", "per_second", "floor spawn {n} /bin/true",
         "client {socket} commands {n} /bin/true", 2_000, goal=0.9, peers={"xargs -P2": ("/bin/true {n}", 2_000, 1)}),
    # Of poold both: one uid alone and beside a flood of another's jobs; few jobs queued, and many.
    *(Case(f"beside a flood, p{q}", "us", f"p{q}_us", "crowd {socket} alone {n}", "crowd {socket} flooded {n}", 1_000,
           root=True) for q in (50, 99)),
    *(Case(f"a job of {n}, {what}", "us", "job_us",
           # the few in several rounds, so that both last about as long
           f"crowd {{socket}} {mode} bench/noop_serial 1000 {min(n // 5_000, 100)}",
           f"crowd {{socket}} {mode} bench/noop_serial {{n}} 1", n, goal=goal)
      for n in (30_000, 1_000_000) for mode, what, goal in (("queued", "equal", 1.2), ("mixed", "mixed", 2))),
    # Memory of the daemon; the floor is the goal.
    *(Case(f"a queued future of {named_count(n)}", "bytes", "bytes", 400, "crowd {socket} bytes {n}", n, goal=1, least=1000,
           own_daemon=True) for n in (100_000, 1_000_000)),
    Case("an idle connection of 10k", "bytes", "bytes", 4096, "connections {socket} idle {n}", 10_000, goal=1,
         own_daemon=True),
    Case("call beside 10k idle", "us", "beside_us", SAME_RUN, "connections {socket} idle {n}", 10_000,
         floor_field="alone_us", own_daemon=True),
    # One end, told to many: connections of their own beside a loop that writes to as many; then one connection, beside pings.
    Case("10k waiters, connections", "us", "us", "connections floor fanout {n}", "connections {socket} fanout {n}", 10_000),
    Case("10k waiters, requests", "us", "us", SAME_RUN, "client {socket} waiters {n}", 10_000, floor_field="pings_us"),
    # Memory that is there before the call that is given it; the floor is a call without.
    *(Case(f"{named(LARGEST)}, {what}", "us", "p50_us", "client {socket} payload none 8 {n}",
           f"client {{socket}} payload {kind} {{bytes}} {{n}}", 1_000, LARGEST, goal=2)
      for what, kind in (("an object", "object"), ("shared buffer", "buffer"))),
    # Bytes that have to be copied. Up to 64 KiB they travel in the message, and the floor is four hops of as many.
    *(Case(f"{named(size)} in", "us", "p50_us", "floor hops {n} {bytes} 0",
           "client {socket} payload heap {bytes} {n}", 5_000, size) for size in (0, 1 << 10, 64 << 10)),
    *(Case(f"{named(size)} out", "us", "p50_us", "floor hops {n} 0 {bytes}",
           "client {socket} payload result {bytes} {n}", 5_000, size) for size in (0, 1 << 10, 64 << 10)),
    *(Case(f"{named(size)} {way}", "us", "p50_us", f"memory fill {fill} {{mib}} {{n}}",
           f"client {{socket}} payload {kind} {{bytes}} {{n}}", n, size, goal=1.2, least=1)
      for way, kind, fill in (("in", "heap", "shm"), ("out", "result", "set"))
      for size, n in ((MIB, 200), (16 * MIB, 20), (256 * MIB, 5), (1024 * MIB, 3)) if size <= LARGEST),
    # A tree of values beside jobs that make as many bytes. Then three floors of the same run: what the jobs got from each
    # other, the size of the object, and how many values there were.
    Case("tree of 1000 parts", "us", "us", "objects.py made {socket} {n}", "objects.py tree {socket} {n}", 1_000),
    Case("its bytes, of the client", "bytes", "client_bytes", SAME_RUN, "objects.py tree {socket} {n}", 1_000,
         floor_field="jobs_bytes", goal=0),
    Case("256 MiB in 1000 jobs, PSS", "MiB", "pss_mib", SAME_RUN, "objects.py memory {socket} 1000 {n}", 256,
         floor_field="object_mib", goal=1.1),
    Case("put, used, killed: left", "values", "left", SAME_RUN, "objects.py churn {n}", 40_000, floor_field="values",
         goal=0),
    # Beside Python's own pool: large arguments.
    *(Case(f"{named(size)} {what}, Python", "us", "p50_us", "process_pool.py call {n} {bytes}",
           f"client {{socket}} payload {kind} {{bytes}} {{n}}", 3, size, least=1)
      for size in (64 * MIB, 512 * MIB) if size <= LARGEST
      for what, kind in (("shared", "buffer"), ("heap", "heap"))),
]
