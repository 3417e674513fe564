#!/usr/bin/python3
"""libpoold and its examples with a real daemon; nothing of theirs is left there."""

import hashlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, PATIENCE, POOLCTL, POOLS, DaemonCase, run_cases, skip  # noqa: E402

PROGRAM = os.path.join(BUILD, "tests", "e2e", "libpoold")
EXAMPLES = os.path.join(BUILD, "client", "examples")

if not os.path.exists(PROGRAM):
    skip("built without Check")


LOOKUP = f"""
[pool lookup]
handler = module
module = {os.path.join(BUILD, "daemon", "worker", "examples", ".libs", "lookup.so")}
workers = 2
"""


class Library(DaemonCase):
    pools = POOLS + LOOKUP

    def run_program(self, *argv, text=""):
        env = dict(os.environ, POOLD_SOCKET=self.folder.socket)
        return subprocess.run(argv, env=env, input=text, text=True, timeout=PATIENCE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_library(self):
        got = self.run_program(PROGRAM)
        self.assertEqual(got.returncode, 0, got.stdout)

    def test_blocking_example(self):
        paths = [self.folder.at(str(i)) for i in range(5)]
        wanted = []
        for i, path in enumerate(paths):
            content = bytes([i]) * 30000 * i
            with open(path, "wb") as f:
                f.write(content)
            wanted.append(f"{hashlib.sha256(content).hexdigest()}  {path}")
        got = self.run_program(os.path.join(EXAMPLES, "blocking"), *paths)
        self.assertEqual((got.returncode, sorted(got.stdout.splitlines())), (0, sorted(wanted)))

    def test_blocking_example_with_a_function_that_is_not_there(self):
        os.environ["POOLD_FUNCTION"] = "digest/nothing"
        self.addCleanup(os.environ.pop, "POOLD_FUNCTION")
        got = self.run_program(os.path.join(EXAMPLES, "blocking"), self.folder.config)
        self.assertEqual(got.returncode, 1)
        self.assertIn("unknown_function", got.stdout)

    def test_shared_buffer_example(self):
        lines = b"".join(b"%07d\n" % i for i in range(2 << 17))
        wanted = {f"{hashlib.new(name, lines).hexdigest()}  {name}" for name in ("md5", "sha1", "sha256")}
        got = self.run_program(os.path.join(EXAMPLES, "shared_buffer"), "2", "md5", "sha1", "sha256")
        self.assertEqual((got.returncode, set(got.stdout.splitlines())), (0, wanted))
        got = self.run_program(os.path.join(EXAMPLES, "shared_buffer"), "2", "nothing")
        self.assertEqual(got.returncode, 1)
        self.assertIn("unknown_function", got.stdout)

    def listed(self):
        return self.run_program(POOLCTL, "list", "--json").stdout

    def test_table_example(self):
        before = self.listed()
        got = self.run_program(os.path.join(EXAMPLES, "table"), "4", "1200")
        self.assertEqual((got.returncode, got.stdout), (0, "1200 queries on 262144 records, 0 wrong\n"))
        self.assertEqual(self.listed(), before)

    def test_pipeline_example(self):
        before, pipeline = self.listed(), os.path.join(EXAMPLES, "pipeline")
        got = self.run_program(pipeline, "seq 30000", "sort -r", "head -n 1")
        self.assertEqual((got.returncode, got.stdout), (0, "9999\n"))
        got = self.run_program(pipeline, "cat", "exit 3", "cat", "cat")
        self.assertEqual(got.returncode, 1)
        self.assertIn("aborted: future ", got.stdout)
        self.assertEqual(self.listed(), before)

    def test_loop_example(self):
        loop = os.path.join(EXAMPLES, "loop_epoll")
        got = self.run_program(loop, text="echo one\n\necho two; exit 3\nseq 30000 | wc -c\n")
        lines = got.stdout.splitlines()
        self.assertEqual(got.returncode, 1, got.stdout)
        self.assertLessEqual({"one", "two", "168894"}, set(lines))
        self.assertTrue(any("exit: " in line for line in lines), lines)
        # standard input may be a file, which epoll does not take
        with open(self.folder.at("commands"), "w") as f:
            f.write("echo from a file\n")
        with open(self.folder.at("commands")) as f:
            env = dict(os.environ, POOLD_SOCKET=self.folder.socket)
            said = subprocess.run([loop], env=env, stdin=f, text=True, timeout=PATIENCE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((said.returncode, said.stdout), (0, "from a file\n"))


run_cases()
