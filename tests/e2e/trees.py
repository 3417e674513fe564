"""Commands die with all of their processes, and their worker's place is free in time.

POOLD_TEST_ROUNDS asks for more rounds; then the time is asserted too. POOLD_TEST_CGROUP: the directory of a cgroup
for the daemon.
"""

import os
import select
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases
from wire import Client

ROUNDS = int(os.environ.get("POOLD_TEST_ROUNDS", 0))
TIMEOUT, GRACE, SLACK = 0.3, 0.2, 1

# Four processes each: in a session of their own, forked twice, deaf to SIGTERM.
TREE = """
exec 9>"$1"
trap '' TERM
n=$2
while [ $n -gt 0 ]; do
    setsid sh -c '
        (echo x >&9; sleep 60 & echo x >&9; exec sleep 60) &
        (setsid sh -c "echo x >&9; exec sleep 60" & )
        echo x >&9
        exec sleep 60' &
    n=$((n - 1))
done
wait
"""

SCRIPTS = {
    "stopped": 'exec 9>"$1"; echo x >&9; kill -STOP $$',
    "deaf": """exec 9>"$1"; trap '' TERM; echo x >&9; while :; do sleep 60; done""",
    "deaf group": """exec 9>"$1"; trap '' TERM; (while :; do sleep 60; done) & echo x >&9; wait""",
    "daemon": 'exec 9>"$1"; (setsid sh -c "trap \'\' TERM HUP; echo x >&9; exec sleep 60" &) ; exec sleep 60',
    "tree": TREE,
}


class Trees(DaemonCase):
    settings = f"cgroup = {os.environ['POOLD_TEST_CGROUP']}\n" if "POOLD_TEST_CGROUP" in os.environ else ""
    pools = "\n[pool default]\nhandler = exec\nworkers = 1\n"

    def setUp(self):
        self.c = Client(self.folder.socket)

    def tearDown(self):
        self.c.close()

    def start(self, script, n, options):
        """A command whose processes, n at least, hold a pipe open: (ID, the pipe's end)."""
        path = self.folder.at("alive")
        os.mkfifo(path)
        alive = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(lambda fd=alive: os.close(fd))
        id = self.c.call("submit", "exec", ["sh", "-c", script, "sh", path, str(n // 4)], options)
        seen = 0
        with open(path, "wb"):  # so that the pipe does not end before it begins
            while seen < n and self.c.call("poll", id) in ("queued", "running"):
                if select.select([alive], [], [], 0.05)[0]:
                    seen += os.read(alive, 4096).count(b"x")
        os.unlink(path)
        return id, alive, seen >= n

    def assert_nobody_is_left(self, alive):
        try:
            while os.read(alive, 4096):
                pass
        except BlockingIOError:
            self.fail("a process of the job lives")

    def end(self, kind, how, timeout=TIMEOUT):
        options = {"grace": GRACE, "timeout": timeout} if how == "timeout" else {"grace": GRACE}
        id, alive, is_whole = self.start(SCRIPTS[kind], 100 if kind == "tree" else 1, options)
        if not is_whole:  # a slow machine
            self.assertEqual(self.c.call("wait", [id]), [[id, "timeout"]])
            self.assert_nobody_is_left(alive)
            return self.end(kind, how, 2 * timeout)
        after = self.c.call("submit", "exec", ["true"])
        if how != "timeout":
            self.c.call("cancel", [id], {"mode": how})
        state = self.c.call("wait", [id])[0][1]
        self.assert_nobody_is_left(alive)
        self.assertEqual(state, "timeout" if how == "timeout" else "cancelled")
        self.assertEqual(self.c.call("wait", [after]), [[after, "done"]])
        began, ended = (self.c.call("info", id)[key] for key in ("started", "finished"))
        free = self.c.call("info", after)["started"]
        self.c.call("release", [id, after])
        # the end of a cancelled job's time is not known here: only how long the place stays taken behind it
        return free - began - timeout - GRACE if how == "timeout" else free - ended

    def rounds(self, kind, short):
        worst = 0
        for i in range(ROUNDS or short):
            for how in "timeout", "term", "kill":
                worst = max(worst, self.end(kind, how))
        if ROUNDS:
            print(f"{kind}: {3 * ROUNDS} ended, the place free {worst * 1000:.0f} ms late at most")
            self.assertLess(worst, SLACK)

    def test_stopped_command(self):
        self.rounds("stopped", 2)

    def test_command_that_ignores_sigterm(self):
        self.rounds("deaf", 2)

    def test_command_whose_children_ignore_sigterm(self):
        self.rounds("deaf group", 2)

    def test_command_that_became_a_daemon(self):
        self.rounds("daemon", 2)

    def test_tree_of_a_hundred_in_sessions_of_their_own(self):
        self.rounds("tree", 1)

    def test_command_that_ends_takes_its_background_along(self):
        for _ in range(ROUNDS or 2):
            script = TREE.replace("\nwait\n", '\nread x <"$1.end"\n')
            end = self.folder.at("alive.end")
            os.mkfifo(end)
            id, alive, _ = self.start(script, 100, {})
            os.close(os.open(end, os.O_WRONLY))
            self.assertEqual(self.c.call("wait", [id])[0][1], "failed")
            os.unlink(end)
            self.assert_nobody_is_left(alive)


if __name__ == "__main__":
    run_cases()
