"""What a pool asks of its workers holds before any code of theirs runs, and what it cannot have is told."""

import os
import pwd
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import POOLD, SANITIZERS, Folder, Poold, run_cases
from wire import Client

LIMITS = {"as": (4 << 30, "4G", "Max address space"), "core": (0, "0", "Max core file size"),
          "cpu": (3600, "3600", "Max cpu time"), "data": (2 << 30, "2G", "Max data size"),
          "fsize": (1 << 30, "1G", "Max file size"), "memlock": (65536, "64K", "Max locked memory"),
          "nofile": (99, "99", "Max open files"), "nproc": (4000, "4000", "Max processes"),
          "stack": (4 << 20, "4M", "Max stack size")}
if SANITIZERS:  # their shadow needs more than any limit allows
    LIMITS = {k: v for k, v in LIMITS.items() if k not in ("as", "data")}
CPU = min(os.sched_getaffinity(0))


def pool(settings, handler="handler = exec"):
    return f"\n[pool default]\n{handler}\nworkers = 1\n{settings}\n"


class Settings(unittest.TestCase):
    def run_in(self, settings, *argv):
        """What a command says in a pool with these settings."""
        with Folder(pools=pool(settings)) as folder:
            os.chmod(folder.path, 0o755)
            with Poold(folder), Client(folder.socket) as c:
                return c.call("call", "exec", argv)["stdout"].decode()

    def refused(self, settings):
        with Folder(pools=pool(settings)) as folder:
            got = subprocess.run([POOLD, "--check-config", "--config", folder.config],
                                 capture_output=True, text=True)
            self.assertEqual(got.returncode, 1)
            return got.stdout + got.stderr

    def test_limits(self):
        said = self.run_in("".join(f"limit_{k} = {text}\n" for k, (_, text, _) in LIMITS.items()),
                           "cat", "/proc/self/limits")
        for value, _, title in LIMITS.values():
            line = next(line for line in said.splitlines() if line.startswith(title))
            self.assertEqual(line[len(title):].split()[:2], [str(value)] * 2, line)

    def test_no_limit(self):
        said = self.run_in("limit_core = infinity\n" if os.geteuid() == 0 else "limit_core = 0\n",
                           "sh", "-c", "ulimit -c")
        self.assertIn(said, ("unlimited\n", "0\n"))

    def test_nice_and_cpus(self):
        said = self.run_in(f"nice = 7\ncpu_affinity = {CPU}\n", "sh", "-c",
                           "nice; grep Cpus_allowed_list /proc/self/status")
        self.assertEqual(said.split(), ["7", "Cpus_allowed_list:", str(CPU)])

    @unittest.skipUnless(os.geteuid() == 0, "takes root")
    def test_user(self):
        nobody = pwd.getpwnam("nobody")
        with Folder(pools=pool("user = nobody\n")) as folder:
            os.chmod(folder.path, 0o755)
            with Poold(folder), Client(folder.socket, fds=True) as c:
                said = c.call("call", "exec", ["id", "-u"])["stdout"]
                self.assertEqual(int(said), nobody.pw_uid)
                self.assertEqual(int(c.call("call", "exec", ["id", "-g"])["stdout"]), nobody.pw_gid)
                # what a change of user takes away is there again
                got = c.call("call", "exec", {"argv": ["cat"], "stdin": b"x" * 1000})
                self.assertEqual(got["stdout"], b"x" * 1000)
                id = c.call("submit", "exec", ["sh", "-c", "setsid sleep 60 & echo on; wait"], {"grace": 0.1})
                c.call("read", id, 0, 3, {"stream": "stdout", "timeout": 60})
                c.call("cancel", [id])
                self.assertEqual(c.call("wait", [id]), [[id, "cancelled"]])

    def test_what_is_no_value_is_told(self):
        for line, word in (("limit_as = many", "infinity"), ("nice = 20", "-20 to 19"),
                           ("nice = x", "-20 to 19"), ("cpu_affinity = 3-1", "0-3,8"),
                           ("cpu_affinity = 0,,1", "0-3,8"), ("cpu_affinity = 1000", "may use"),
                           ("user = nobody-of-that-name", "no user")):
            self.assertIn(word, self.refused(line), line)

    def test_what_cannot_be_had_fails_the_pool_with_its_name(self):
        with Folder(pools=pool("limit_nofile = 100000000000\n")) as folder:
            with Poold(folder), Client(folder.socket) as c:
                reason = c.call("pools")[0]["reason"]
                self.assertIn("limit_nofile", reason)
                self.assertIn(reason, c.error("submit", "exec", ["true"]).message)


if __name__ == "__main__":
    run_cases()
