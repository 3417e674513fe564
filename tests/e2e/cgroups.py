"""With a delegated cgroup each worker and each command is in one of its own, which dies whole and is removed."""

import glob
import os
import shutil
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, POOLD, Folder, Poold, run_cases, skip
from wire import Client

MORTAL = os.path.join(BUILD, "tests", "lib", ".libs", "mortal.so")
MIB = 1 << 20
# A command that takes this much memory, says so, and stays.
HOLDER = "import sys, time; x = bytearray(int(sys.argv[1])); print('on', flush=True); time.sleep(1000)"


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

    def folder(self, more="", daemon=None):
        folder = Folder(daemon=f"cgroup = {self.group}\n" if daemon is None else daemon,
                        pools=f"\n[pool default]\nhandler = exec\nworkers = 2\n{more}")
        self.addCleanup(folder.__exit__)
        return folder

    def run_in(self, folder, command=None):
        poold = Poold(folder, command=command)
        self.addCleanup(poold.process.wait)
        self.addCleanup(poold.process.kill)
        return poold.await_ready()

    def start(self, more=""):
        folder = self.folder(more)
        return folder, self.run_in(folder)

    def own(self, pid="self"):
        with open(f"/proc/{pid}/cgroup") as f:
            return next(line for line in f.read().splitlines() if line.startswith("0::"))[3:]

    def members(self, path):
        with open(os.path.join(path, "cgroup.procs")) as f:
            return [int(pid) for pid in f.read().split()]

    def all_members(self):
        return [pid for path, _, _ in os.walk(self.group) for pid in self.members(path)]

    def workers(self, client, pool="default"):
        return [w["pid"] for w in client.call("workers", {"pool": pool})]

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
        with Client(folder.socket) as c:
            if not self.has_memory():
                self.assertIn("memory_max is not kept: the controller \"memory\"", poold.said())
                self.assertEqual(c.call("call", "exec", ["true"])["exit_code"], 0)
            else:
                self.assert_oom(c.error("call", "exec", self.hog()))
                self.assertEqual(c.call("call", "exec", ["true"])["exit_code"], 0)
                # which is told of no other end
                self.assertFalse(c.error("call", "exec", ["sh", "-c", "kill -KILL $$"]).details["oom"])
                # one process of several
                failure = c.error("call", "exec", ["sh", "-c", '"$@"; exit 3', "sh", *self.hog()])
                self.assertEqual((failure.code, failure.details["exit_code"], failure.details["oom"]), ("exit", 3, True))
        self.assertEqual(poold.stop(), 0)

    # ---- memory_max, where there is a controller: tests/e2e/uml.sh ----

    def has_memory(self):
        with open(os.path.join(self.group, "cgroup.controllers")) as f:
            return "memory" in f.read().split()

    def need_memory(self):
        if not self.has_memory():
            self.skipTest("no memory controller in cgroup version 2")

    def hog(self):
        return [sys.executable, "-c", "x = bytearray(1 << 28); print(len(x))"]

    def assert_oom(self, failure, code="signal"):
        self.assertEqual((failure.code, failure.details["signal"], failure.details["oom"]), (code, 9, True))

    def test_a_worker_that_takes_too_much_is_lost_for_want_of_memory(self):
        self.need_memory()
        folder, poold = self.start("\n[pool bench]\nhandler = module\nmodule = bench\nworkers = 1\nmemory_max = 64M\n")
        with Client(folder.socket) as c:
            self.assert_oom(c.error("call", "bench/alloc", 256 * MIB), "lost")
            self.assertEqual(c.call("call", "bench/alloc", 16 * MIB), 16 * MIB)
            self.assertFalse(c.error("call", "bench/exit", 1).details["oom"])
            id = c.call("submit", "bench/alloc", 256 * MIB, {"retries": 1})
            self.assert_oom(c.error("result", id), "lost")
        self.assertEqual(poold.stop(), 0)

    def test_a_limit_is_one_pools_own(self):
        self.need_memory()
        folder, poold = self.start("memory_max = 64M\n\n[pool other]\nhandler = exec\nworkers = 1\nmemory_max = 192M\n")
        with Client(folder.socket) as c:
            id = c.call("submit", "other/exec", [sys.executable, "-c", HOLDER, str(128 * MIB)])
            c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
            for _ in range(3):
                self.assert_oom(c.error("call", "exec", self.hog()))
            self.assertEqual(c.call("poll", id), "running")
            c.call("cancel", [id])
        self.assertEqual(poold.stop(), 0)

    def test_what_a_zygote_loads_counts(self):
        self.need_memory()
        path = tempfile.mkdtemp(prefix="poold-test.")
        self.addCleanup(shutil.rmtree, path)
        pool = (f"\n[pool mortal]\nhandler = module\nmodule = {MORTAL}\nworkers = 1\nmemory_max = 64M\n"
                f"env = MORTAL={path}\nenv = MORTAL_BYTES=")
        folder, poold = self.start(f"{pool}{40 * MIB}\n")
        with Client(folder.socket) as c:
            c.call("call", "mortal/live", None)
            zygotes = self.members(os.path.join(self.group, "pool.mortal", "zygote"))
            self.assertEqual(len(zygotes), 1)
            with open(os.path.join(self.group, "pool.mortal", "memory.current")) as f:
                self.assertGreater(int(f.read()), 40 * MIB)
        self.assertEqual(poold.stop(), 0)
        folder = self.folder(f"{pool}{80 * MIB}\n")
        poold = self.run_in(folder)
        with Client(folder.socket) as c:
            poold.await_that(lambda: "pool mortal failed" in poold.said(), "the pool fails")
            failure = c.error("call", "mortal/live", None)
            self.assertIn("memory_max leaves it too little memory", failure.message + str(failure.details))
        self.assertEqual(poold.stop(), 0)

    def test_a_limit_that_is_taken_out_of_the_configuration_is_gone(self):
        self.need_memory()
        _, poold = self.start("memory_max = 64M\n")
        self.assertEqual(poold.stop(), 0)
        folder, poold = self.start()
        with Client(folder.socket) as c:
            self.assertEqual(c.call("call", "exec", self.hog())["exit_code"], 0)
        self.assertEqual(poold.stop(), 0)

    def pids(self, client):
        return {w["pid"] for w in client.call("workers", {"pool": "default"}) if w["state"] in ("idle", "busy")}

    def reload(self, folder, client, more):
        with open(folder.config) as f:
            head = f.read().split("\n[pool default]")[0]
        with open(folder.config, "w") as f:
            f.write(f"{head}\n[pool default]\nhandler = exec\nworkers = 2\n{more}")
        return {k: v for k, v in client.call("reload").items() if v and k != "unchanged"}

    def test_a_limit_is_changed_in_place(self):
        folder, poold = self.start("memory_max = 64M\n")
        limit = os.path.join(self.group, "pool.default", "memory.max")
        with Client(folder.socket) as c:
            poold.await_that(lambda: len(self.pids(c)) == 2, "both workers are ready")
            before = self.pids(c)
            for more, bytes in ("memory_max = 512M\n", 512 * MIB), ("", None), ("memory_max = 64M\n", 64 * MIB):
                self.assertEqual(self.reload(folder, c, more), {"changed": ["default"]})
                self.assertEqual(self.pids(c), before)
                if not self.has_memory():
                    continue
                with open(limit) as f:
                    self.assertEqual(f.read(), f"{bytes or 'max'}\n")
                if bytes == 64 * MIB:
                    self.assert_oom(c.error("call", "exec", self.hog()))
                else:
                    self.assertEqual(c.call("call", "exec", self.hog())["exit_code"], 0)
            if not self.has_memory():
                self.assertEqual(poold.said().count("memory_max is not kept"), 3)
        self.assertEqual(poold.stop(), 0)

    def test_pools_that_come_and_go_have_them_too(self):
        folder, poold = self.start()
        more = "\n[pool more]\nhandler = exec\nworkers = 2\n"
        path = os.path.join(self.group, "pool.more")
        with Client(folder.socket) as c:
            for _ in range(2):
                self.assertEqual(self.reload(folder, c, more), {"added": ["more"]})
                id = c.call("submit", "more/exec", ["sh", "-c", "cat /proc/self/cgroup; exec sleep 60"])
                said = c.call("read", id, 0, 6, {"stream": "stdout", "timeout": 60})
                self.assertTrue(said)
                poold.await_that(lambda: len(glob.glob(path + "/w*/job")) == 2, "both workers have a cgroup")
                # It restarts beside what runs, in the same group.
                self.assertEqual(self.reload(folder, c, more + "nice = 1\n"), {"restarted": ["more"]})
                self.assertEqual(c.call("call", "more/exec", ["true"])["exit_code"], 0)
                self.assertEqual(self.reload(folder, c, ""), {"removed": ["more"]})
                self.assertEqual(c.call("poll", id), "running")
                c.call("cancel", [id])
                c.call("release", [id])
                poold.await_that(lambda: not glob.glob(path + "/w*"), "nothing is left of a removed pool")
        self.assertEqual(poold.stop(), 0)
        self.assertEqual(self.all_members(), [])

    def test_what_a_killed_daemon_left_is_killed_and_no_group_is_used_again(self):
        folder, poold = self.start()
        with Client(folder.socket) as c:
            id = c.call("submit", "exec", ["sh", "-c", "(setsid sleep 1000 &); (setsid sleep 1000 &); echo on; wait; sleep 1000"])
            c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
            poold.process.kill()
            poold.process.wait()
        os.truncate(poold.log, 0)
        poold = self.run_in(folder)
        with Client(folder.socket) as c:
            poold.await_that(lambda: set(self.all_members()) == set(self.workers(c)), "the old daemon's commands are dead")
            for _ in range(20):
                self.assertEqual(c.call("call", "exec", ["true"])["exit_code"], 0)
        self.assertEqual(poold.stop(), 0)

    @unittest.skipIf(os.geteuid() != 0, "only root can become another user")
    def test_a_command_of_another_user_has_one_of_its_own(self):
        folder, poold = self.start("user = nobody\n")
        folder_of_nobody = os.stat(folder.path)
        os.chmod(folder.path, folder_of_nobody.st_mode | 0o711)
        with Client(folder.socket) as c:
            poold.await_that(lambda: None not in self.workers(c), "all workers are there")
            for _ in range(5):
                said = c.call("call", "exec", ["sh", "-c", "id -un; cat /proc/self/cgroup; (setsid sleep 1000 &); exit 0"])
                self.assertTrue(said["stdout"].startswith(b"nobody\n"))
                self.assertIn("/job\n", said["stdout"].decode())
                self.assertEqual(sorted(self.all_members()), sorted(self.workers(c)))
            # nor can it make more of them, which would outlive it
            dir = "cd " + os.path.join(self.group, "pool.default") + "/w*"
            self.assertNotEqual(c.error("call", "exec", ["sh", "-c", f"{dir}; mkdir more"]).details["exit_code"], 0)
            pids = self.workers(c)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            poold.await_that(lambda: not set(self.workers(c)) & set(pids), "the workers are replaced")
            poold.await_that(lambda: len(self.groups()) == 2, "a dead worker's cgroup is removed")
        self.assertEqual(poold.stop(), 0)
        self.assertEqual(self.groups(), [])

    def test_that_of_its_service_is_used_if_it_is_delegated(self):
        service = os.path.join(self.group, "service")
        os.mkdir(service)
        if self.has_memory():
            with open(os.path.join(self.group, "cgroup.subtree_control"), "w") as f:
                f.write("+memory")
        try:
            os.setxattr(service, "trusted.delegate" if os.geteuid() == 0 else "user.delegate", b"1")
        except OSError as e:
            self.skipTest(f"no mark of a delegation: {e}")
        folder = self.folder("memory_max = 64M\n" if self.has_memory() else "", daemon="")
        poold = self.run_in(folder, ["sh", "-c", f"echo $$ >{service}/cgroup.procs; exec {POOLD} --config {folder.config}"])
        top = service[len(mount()):]
        self.assertEqual(self.own(poold.process.pid), top + "/main" * self.has_memory())
        with Client(folder.socket) as c:
            said = c.call("call", "exec", ["cat", "/proc/self/cgroup"])["stdout"].decode()
            self.assertIn(f"0::{top}/pool.default/w", said)
            if self.has_memory():
                self.assert_oom(c.error("call", "exec", self.hog()))
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
