"""Broken configurations. Each is told by file, line, key and value, and changes nothing.

A case is placed as a drop-in of a sound configuration, which must have no pool x."""

import os

A64 = "a" * 64
X = "[pool x]\nhandler = exec\n"

# A text, the line to blame, and words that the message must have.
TEXTS = [
    # lines
    ("workers = 1\n", 1, "workers", "before the first section"),
    ("[daemon]\nnonsense\n", 2, "key = value"),
    ("[daemon]\n\n\n= 5\n", 4, "unknown key", "\"\""),
    ("[daemon\nttl = 1\n", 1, "\"]\"", "[daemon"),
    ("[daemon] ttl = 1\n", 1, "behind", "ttl = 1"),
    ("[daemon]\nstate_dir = /" + A64 + A64 + A64 + "\n", 2, "longer than"),
    ("[" + A64 + A64 + A64 + A64 + "]\n", 1, "longer than"),
    # sections
    ("[]\n", 1, "unknown section"),
    ("[deamon]\n", 1, "unknown section", "deamon", "[daemon]"),
    ("[limit]\n", 1, "[limits]"),
    ("[Daemon]\n", 1, "[daemon]"),
    ("[poool x]\n", 1, "poool", "[pool NAME]"),
    ("[daemon x]\n", 1, "[daemon x]", "[daemon]"),
    ("[pool]\n", 1, "needs a name", "[pool NAME]"),
    ("[pool X]\n", 1, "\"X\"", "a-z"),
    ("[pool a/b]\n", 1, "a/b"),
    ("[pool a b]\n", 1, "a b"),
    ("[pool " + A64 + "a]\n", 1, A64, "64"),
    ("[daemon]\n\n[limits]\n[daemon]\n", 4, "line 1"),
    (X + "[limits]\n[pool x]\nworkers = 1\n", 4, "line 1"),
    # keys
    ("[daemon]\nsockets = /x\n", 2, "\"sockets\"", "\"socket\"", "[daemon]"),
    ("[limits]\n\njosb = 1\n", 3, "\"josb\"", "\"jobs\""),
    ("[limits]\ntotal_byte = 1\n", 2, "\"total_bytes\""),
    (X + "max_results = 1\n", 3, "max_results", "\"max_result\"", "[pool x]"),
    ("[limits]\nworkers = 1\n", 2, "workers", "[pool NAME]", "[limits]"),
    (X + "jobs = 1\n", 3, "jobs", "[limits]", "[pool x]"),
    (X + "workers = 1\n\nworkers = 2\n", 5, "workers", "line 3"),
    (X + "timeout =\n", 3, "timeout", "needs a value"),
    (X + "timeout = ; none\n", 3, "timeout", "needs a value"),
    # paths
    ("[daemon]\nsocket = poold.sock\n", 2, "socket = poold.sock", "absolute"),
    ("[daemon]\nsocket = /" + A64 + A64 + "\n", 2, "129 bytes", "at most 107"),
    ("[daemon]\nsocket = /tmp/\n", 2, "/tmp/", "directory"),
    ("[daemon]\nstate_dir = ~/state\n", 2, "~/state", "absolute"),
    ("[daemon]\nmodule_dir = modules\n", 2, "modules", "absolute"),
    ("[daemon]\nworker = poold-worker\n", 2, "poold-worker", "absolute"),
    ("[daemon]\nworker = /nowhere/poold-worker\n", 2, "/nowhere", "executed"),
    (X + "cwd = tmp\n", 3, "cwd = tmp", "absolute"),
    (X + "cwd = /nowhere/at/all\n", 3, "/nowhere", "No such file"),
    (X + "cwd = /etc/passwd\n", 3, "/etc/passwd", "no directory"),
    # modes, words, people
    ("[daemon]\nsocket_mode = 0888\n", 2, "0888", "octal", "0777"),
    ("[daemon]\nsocket_mode = 1777\n", 2, "1777", "0777"),
    ("[daemon]\nsocket_mode = 0066\n", 2, "0066", "0600"),
    ("[daemon]\nsocket_mode = rw\n", 2, "rw", "octal"),
    ("[daemon]\nsocket_mode = -1\n", 2, "-1", "octal"),
    ("[daemon]\nlog_level = loud\n", 2, "loud", "warning"),
    ("[daemon]\nsocket_group = no-such-group-here\n", 2, "no-such-group-here", "group"),
    ("[daemon]\nsocket_group = 99999999999\n", 2, "99999999999", "group"),
    (X + "allow = root nobody-of-that-name\n", 3, "nobody-of-that-name", "a user"),
    (X + "allow = @no-such-group-here\n", 3, "@no-such-group-here", "group"),
    (X + "allow = everybody\n", 3, "everybody", "all"),
    # times
    ("[daemon]\nttl = 1 fortnight\n", 2, "1 fortnight", "30s"),
    ("[daemon]\nttl = 0\n", 2, "ttl = 0", "at least 1 ms"),
    ("[daemon]\nttl = -5s\n", 2, "-5s"),
    ("[daemon]\nbusy_poll = 1001us\n", 2, "busy_poll = 1001us", "at most 1ms"),
    ("[daemon]\nstop_timeout = forever\n", 2, "forever", "no time"),
    ("[daemon]\nstop_timeout = 101w 5200w\n", 2, "100 years"),
    (X + "grace = 0\n", 3, "grace = 0", "at least 1 ms"),
    (X + "timeout = 5x\n", 3, "5x"),
    (X + "timeout = nan\n", 3, "nan"),
    # numbers and sizes
    ("[limits]\njobs = 0\n", 2, "jobs = 0", "at least 1"),
    ("[limits]\njobs = 1000000001\n", 2, "1000000001", "at most 1000000000"),
    ("[limits]\njobs = 99999999999999999999\n", 2, "99999999999999999999"),
    ("[limits]\nfutures = many\n", 2, "many", "no number"),
    ("[limits]\nfds = -1\n", 2, "-1", "no number"),
    ("[limits]\nconnections = 0x10\n", 2, "0x10", "no number"),
    ("[limits]\nwaits = 1e3\n", 2, "1e3", "no number"),
    ("[limits]\nbytes = 1X\n", 2, "1X", "64K"),
    ("[limits]\nbytes = 0\n", 2, "bytes = 0", "at least 1"),
    ("[limits]\ntotal_bytes = 9999999T\n", 2, "9999999T"),
    (X + "workers = 0\n", 3, "workers = 0", "at least 1"),
    (X + "workers = 5000\n", 3, "5000", "at most 4096"),
    (X + "workers = 2.5\n", 3, "2.5", "no number"),
    (X + "ahead = 257\n", 3, "257", "at most 256"),
    (X + "ageing = 61m\n", 3, "61m", "at most 1h"),
    (X + "max_result = 64 megs\n", 3, "64 megs"),
    (X + "output = 0\n", 3, "output = 0", "at least 1"),
    # sizes of pools
    (X + "sizing = elastic\n", 3, "elastic", "static, dynamic, ondemand"),
    (X + "min_spare = 1\n", 3, "min_spare", "needs sizing = dynamic"),
    (X + "sizing = ondemand\nmax_spare = 1\n", 4, "max_spare", "needs sizing = dynamic"),
    (X + "idle_timeout = 1s\n", 3, "idle_timeout", "dynamic or ondemand"),
    (X + "workers = 2\nsizing = dynamic\nmin_spare = 3\n", 5, "min_spare = 3", "workers, 2"),
    (X + "sizing = dynamic\nmax_spare = 0\n", 4, "max_spare = 0", "min_spare, 1"),
    (X + "spawn_rate = 0\n", 3, "spawn_rate = 0", "at least 1"),
    (X + "max_rss = 1G\n", 3, "max_rss", "handler = module"),
    # environments
    (X + "env = A\n", 3, "env = A", "NAME=value"),
    (X + "env = =x\n", 3, "NAME=value"),
    (X + "env = 1A=x\n", 3, "1A=x"),
    (X + "env = A B=x\n", 3, "A B=x"),
    # pools
    ("[daemon]\n[pool x]\nworkers = 1\n", 2, "[pool x]", "no handler"),
    ("[pool x]\n", 1, "no handler", "exec", "module"),
    ("[pool x]\nhandler = program\n", 2, "program", "exec, module"),
    ("[pool x]\nworkers = 1\nhandler = module\n", 3, "needs the key \"module\""),
    (X + "module = digest\n", 3, "digest", "handler = module"),
    ("[pool x]\nhandler = module\nmodule = a/b\n", 3, "a/b", "absolute"),
    ("[pool x]\nhandler = module\nmodule = /nowhere/a.so\n", 3, "/nowhere/a.so", "No such"),
    ("[pool x]\nhandler = module\nmodule = /tmp\n", 3, "/tmp", "regular"),
    ("[daemon]\nmodule_dir = /nowhere\n[pool x]\nhandler = module\nmodule = m\n", 5, "/nowhere/m.so",
     "No such"),
    ("[pool x]\nhandler = module\nmodule = /etc/passwd\n", 3, "/etc/passwd", "no shared object"),
    ("[pool x]\nhandler = module\nmodule = /dev/null\n", 3, "/dev/null", "regular"),
    # what a pool asks of its workers
    (X + "nice = 20\n", 3, "nice = 20", "-20 to 19"),
    (X + "nice = nicer\n", 3, "nicer"),
    (X + "cpu_affinity = 0-\n", 3, "0-", "list of CPUs"),
    (X + "user = no-such-user-here\n", 3, "no-such-user-here", "no user"),
    (X + "limit_nofile = lots\n", 3, "limit_nofile = lots", "infinity"),
    (X + "limit_stack = -1\n", 3, "limit_stack = -1"),
    (X + "poison = 0\n", 3, "poison = 0", "at least 1"),
    (X + "start_timeout = 0\n", 3, "start_timeout = 0", "at least 1 ms"),
    (X + "memory_max = 1K\n", 3, "memory_max = 1K", "at least 1048576"),
    ("[daemon]\ncgroup = /nowhere/at/all\n", 2, "/nowhere/at/all", "No such file"),
    ("[daemon]\ncgroup = /etc/passwd\n", 2, "/etc/passwd", "no directory"),
    # bytes
    ("[daemon]\nttl\0 = 1\n", 2, "NUL"),
    (X + "cwd = /\x1b[2J\n", 3, "\\x1b[2J"),
]


def is_directory(path):
    os.mkdir(path)


def is_dangling(path):
    os.symlink("nowhere", path)


def is_a_circle(path):
    os.symlink(os.path.basename(path), path)


def is_endless(path):
    os.symlink("/dev/zero", path)


def is_unreadable(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0))


# What is no file with a text in it, and words that the message must have; no line is to blame.
THINGS = [
    (is_directory, "cannot be read", "Is a directory"),
    (is_dangling, "cannot be opened", "No such file"),
    (is_a_circle, "cannot be opened", "Too many levels"),
] + [(is_unreadable, "cannot be opened", "Permission denied")] * (os.geteuid() != 0)


class Broken:
    """One case: place() makes the configuration broken, remove() sound again."""

    def __init__(self, make, line, words):
        self.make, self.line, self.words = make, line, words
        self.file = None

    def __str__(self):
        return repr(self.make) if isinstance(self.make, str) else self.make.__name__

    def write(self, path):
        self.file = path
        if callable(self.make):
            self.make(path)
            return
        with open(path, "w", newline="") as f:
            f.write(self.make)

    def place(self, config):
        """As a drop-in of this main file."""
        os.makedirs(config + ".d", exist_ok=True)
        self.write(os.path.join(config + ".d", "50-broken.conf"))

    def remove(self):
        if os.path.isdir(self.file) and not os.path.islink(self.file):
            os.rmdir(self.file)
        else:
            os.unlink(self.file)

    def beginning(self):
        """Of the line that tells it."""
        return f"{self.file}:{self.line}: " if self.line else f"{self.file}: "

    def is_told_by(self, text):
        """Whether these lines tell it."""
        return any(line[at:].startswith(self.beginning()) and all(word in line for word in self.words)
                   for line in text.splitlines() if (at := line.find(self.file)) >= 0)


CASES = [Broken(text, line, words) for text, line, *words in TEXTS] + [
    Broken(make, 0, words) for make, *words in THINGS] + [Broken(is_endless, 1, ["NUL"])]
assert len(CASES) >= 50
