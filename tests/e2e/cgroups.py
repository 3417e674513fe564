"""With a delegated cgroup each worker and each command is in one of its own, which dies whole and is removed."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import Folder, Poold, run_cases, skip
from wire import Client


def mount():
    """Where version 2 is mounted, or None."""
    with open("/proc/self/mountinfo") as f:
        for line in f:
            if " - cgroup2 " in line:
                return line.split()[4]
    return None


def make_group():
    try:
        path = os.path.join(mount(), f"poold-test.{os.getpid()}")
        os.mkdir(path)
    except (OSError, TypeError) as e:
        skip(f"no cgroup to be made here: {e}")
    if not os.path.exists(os.path.join(path, "cgroup.kill")):
        os.rmdir(path)
        skip("this kernel has no cgroup.kill")
    return path


class Cgroups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.group = make_group()

    @classmethod
    def tearDownClass(cls):
        for path, _, _ in os.walk(cls.group, topdown=False):
            os.rmdir(path)  # fails if somebody is left in it

    def start(self, more=""):
        folder = Folder(daemon=f"cgroup = {self.group}\n",
                        pools=f"\n[pool default]\nhandler = exec\nworkers = 2\n{more}")
        self.addCleanup(folder.__exit__)
        poold = Poold(folder)
        self.addCleanup(poold.process.wait)
        self.addCleanup(poold.process.kill)
        return folder, poold.await_ready()

    def groups(self):
        return [path for path, _, _ in os.walk(os.path.join(self.group, "pool.default"))
                if os.path.basename(path) == "job"]

    def test_each_command_has_one_and_nothing_is_left_of_it(self):
        folder, poold = self.start()
        inside = os.path.join("/", os.path.basename(self.group), "pool.default/w")
        with Client(folder.socket) as c:
            said = [c.call("call", "exec", ["cat", "/proc/self/cgroup"])["stdout"].decode() for _ in range(20)]
            for text in said:
                own = next(line for line in text.splitlines() if line.startswith("0::"))[3:]
                self.assertTrue(own.startswith(inside) and own.endswith("/job"), own)
            id = c.call("submit", "exec",
                        ["sh", "-c", "n=0; while [ $n -lt 30 ]; do (setsid sh -c 'trap \"\" TERM; sleep 60' &); "
                         "n=$((n+1)); done; echo on; trap '' TERM; wait; sleep 60"], {"grace": 0.1})
            c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
            c.call("cancel", [id])
            self.assertEqual(c.call("wait", [id]), [[id, "cancelled"]])
            for path in self.groups():
                with open(os.path.join(path, "cgroup.procs")) as f:
                    self.assertEqual(f.read(), "")
            poold.await_that(lambda: len(self.groups()) == 2, "a dead worker's cgroup is removed")
        self.assertEqual(poold.stop(), 0)
        self.assertEqual(self.groups(), [])

    def test_a_command_that_ends_takes_its_background_along(self):
        folder, poold = self.start()
        with Client(folder.socket) as c:
            for _ in range(20):
                got = c.call("call", "exec", ["sh", "-c", "(setsid sleep 60 &); (sleep 60 & sleep 60 &); exit 0"])
                self.assertEqual(got["exit_code"], 0)
                for path in self.groups():
                    with open(os.path.join(path, "cgroup.procs")) as f:
                        self.assertEqual(f.read(), "")
        self.assertEqual(poold.stop(), 0)

    def test_without_the_controller_the_limit_is_a_warning_with_it_a_kill(self):
        folder, poold = self.start("memory_max = 64M\n")
        with open(os.path.join(self.group, "cgroup.controllers")) as f:
            has_memory = "memory" in f.read().split()
        with Client(folder.socket) as c:
            if not has_memory:
                self.assertIn("memory_max is not kept: the controller \"memory\"", poold.said())
                self.assertEqual(c.call("call", "exec", ["true"])["exit_code"], 0)
            else:
                hog = [sys.executable, "-c", "x = bytearray(1 << 28); print(len(x))"]
                failure = c.error("call", "exec", hog)
                self.assertEqual((failure.code, failure.details["signal"], failure.details["oom"]),
                                 ("signal", 9, True))
                self.assertEqual(c.call("call", "exec", ["true"])["exit_code"], 0)
        self.assertEqual(poold.stop(), 0)

    def test_one_that_is_no_cgroup_is_told(self):
        self.group, group = "/tmp", self.group
        try:
            folder, poold = self.start()
        finally:
            self.group = group
        self.assertIn("the cgroup /tmp: ", poold.said())
        with Client(folder.socket) as c:
            self.assertEqual(c.call("call", "exec", ["true"])["exit_code"], 0)
        self.assertEqual(poold.stop(), 0)


if __name__ == "__main__":
    run_cases()
