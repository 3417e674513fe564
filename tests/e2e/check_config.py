"""poold --check-config tells all that is wrong, by file, line, key and value; a start refuses it too."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from broken_configs import CASES, Broken
from pooldtest import MODULES, POOLD, WORKER, Folder, Poold, run_cases

LOGGED = 20  # errors that a start tells


def told(line):
    """A line without the mark of its level."""
    return re.sub(r"^<\d>|^\w+: ", "", line)


class CheckConfig(unittest.TestCase):
    def setUp(self):
        self.folder = Folder(pools="[pool default]\nhandler = exec\n")
        self.addCleanup(self.folder.__exit__)

    def check(self, config=None):
        """Exit code and lines."""
        got = subprocess.run([POOLD, "--check-config", "--config", config or self.folder.config],
                             capture_output=True, text=True)
        self.assertEqual(got.stdout, "")
        return got.returncode, [told(line) for line in got.stderr.splitlines()]

    def told_alone(self, case, config):
        code, lines = self.check(config)
        self.assertEqual(code, 1)
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith(case.beginning()), lines)
        self.assertTrue(case.is_told_by(lines[0]), (lines, case.words))

    def test_each_is_told_by_file_line_and_key_and_nothing_else(self):
        for case in CASES:
            with self.subTest(case=str(case)):
                case.place(self.folder.config)
                self.told_alone(case, self.folder.config)
                case.remove()
        self.assertEqual(self.check(), (0, []))

    def test_in_the_main_file_too(self):
        for case in CASES:
            with self.subTest(case=str(case)):
                case.write(self.folder.at("main.conf"))
                self.told_alone(case, case.file)
                case.remove()

    def test_a_main_file_must_be_there(self):
        code, lines = self.check(self.folder.at("nowhere.conf"))
        self.assertEqual((code, len(lines)), (1, 1))
        self.assertIn("nowhere.conf: cannot be opened: No such file", lines[0])

    def test_all_of_all_files_are_told_at_once(self):
        drop_ins = self.folder.config + ".d"
        os.mkdir(drop_ins)
        first = Broken("stray = 1\n[daemon]\nttl = never\nnonsense\n" + "x" * 300 + "\nlog_level = loud\n"
                       "[deamon]\nsocket = /x\n[pool a]\nhandler = exec\nmodule = m\nmax_rss = 1G\n"
                       "[pool b]\nhandler = moduel\nmodule = m\n[pool c]\nhandler = module\n", 1, [])
        second = Broken("[limits]\njobs = 0\njosb = 1\n[pool d\nx = 1\n[pool e]\nhandlr = exec\n", 1, [])
        first.write(os.path.join(drop_ins, "1.conf"))
        second.write(os.path.join(drop_ins, "2.conf"))
        code, lines = self.check()
        self.assertEqual(code, 1)
        at = [tuple(line[len(drop_ins) + 1:].split(":")[:2]) for line in lines]
        self.assertEqual(at, [("1.conf", n) for n in "1 3 4 5 6 7 14".split()] +
                         [("2.conf", n) for n in "2 3 4 7".split()] +
                         [("1.conf", n) for n in "11 12 17".split()])
        for line, words in zip(lines, ("stray", "ttl", "key = value", "longer", "log_level", "deamon", "moduel",
                                       "jobs", "josb", "]", "handlr", "module", "max_rss", "[pool c]")):
            self.assertIn(words, line)

    def test_what_only_follows_from_another_error_is_not_told(self):
        os.mkdir(self.folder.config + ".d")
        for text in ("[pool x]\nhandler = modul\nmodule = nowhere\n", "[pool x]\nhandle = exec\n",
                     "[pool x]\nhandler = exec\nsizing = dynamc\nmin_spare = 1\n",
                     "[pool x]\nhandler = exec\nsizing = dynamic\nworkers = none\nmin_spare = 4000\n",
                     "[daemon]\nmodule_dir = here\n[pool x]\nhandler = module\nmodule = nowhere\n"):
            with open(self.folder.config + ".d/1.conf", "w") as f:
                f.write(text)
            self.assertEqual(len(self.check()[1]), 1, text)

    def test_a_start_refuses_with_all_of_them_but_not_with_any_number(self):
        with open(self.folder.config, "a") as f:
            f.write("slip = 1\n" * LOGGED)
        for n in LOGGED, LOGGED + 1:
            poold = Poold(self.folder)
            self.assertEqual(poold.process.wait(60), 1)
            lines = poold.said().splitlines()
            self.assertEqual(sum("\"slip\"" in line for line in lines), LOGGED)
            self.assertEqual([line for line in lines if "1 more error" in line] != [], n > LOGGED, lines)
            self.assertEqual(len(self.check()[1]), n)
            os.unlink(poold.log)
            with open(self.folder.config, "a") as f:
                f.write("slip = 1\n")

    def test_a_module_must_be_a_shared_object(self):
        whole = os.path.join(MODULES, "digest.so")
        with open(whole, "rb") as f:
            head = f.read(64)
        config = "[pool x]\nhandler = module\nmodule = {}\n"
        for name, content, is_fine in (
                ("short", head[:40], False), ("text", b"#!/bin/sh\n" + b"x" * 99, False),
                ("relocatable", head[:16] + b"\x01\x00" + head[18:], False),
                ("foreign", head[:18] + b"\xff\xfe" + head[20:], False), ("head", head, True)):
            path = self.folder.at(name + ".so")
            with open(path, "wb") as f:
                f.write(content)
            with open(self.folder.at("module.conf"), "w") as f:
                f.write(config.format(path))
            code, lines = self.check(self.folder.at("module.conf"))
            self.assertEqual(code, 0 if is_fine else 1, (name, lines))
            self.assertEqual([line.split(": ", 1)[1] for line in lines],
                             [] if is_fine else [f"module {path}: is no shared object of this host"])


if __name__ == "__main__":
    run_cases()
