#!/usr/bin/python3
"""libpoold's map with a real daemon: nothing of it is left there, and no item is run twice."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import CleanCase  # noqa: E402
from pooldtest import BUILD, PATIENCE, POOLS, Folder, Poold, run_cases  # noqa: E402

PROGRAM = os.path.join(BUILD, "tests", "e2e", "map")
MORTAL = os.path.join(BUILD, "tests", "lib", ".libs", "mortal.so")


class MapCase(CleanCase):
    limits = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        with open(cls.folder.config, "a") as f:
            f.write(f"\n[pool mortal]\nhandler = module\nmodule = {MORTAL}\nworkers = 2\n"
                    f"env = MORTAL={cls.folder.path}\n{cls.limits}")
        try:
            cls.poold = Poold(cls.folder).await_ready()
        except BaseException:
            cls.folder.__exit__()
            raise

    def run_case(self, name):
        env = dict(os.environ, POOLD_SOCKET=self.folder.socket, CK_RUN_CASE=name)
        got = subprocess.run([PROGRAM], env=env, text=True, timeout=PATIENCE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(got.returncode, 0, got.stdout)
        self.assertIn("Checks: 1,", got.stdout)

    def lines(self):
        with open(self.folder.at("runs")) as f:
            lines = f.read().splitlines()
        os.unlink(self.folder.at("runs"))
        return lines


class Map(MapCase):
    def test_results_come_item_by_item(self):
        self.run_case("results_come_item_by_item")

    def test_an_item_that_fails_costs_itself_alone(self):
        self.run_case("an_item_that_fails_costs_itself_alone")
        lines = self.lines()
        self.assertEqual(len(lines), 5 * 500)
        self.assertEqual({lines.count(line) for line in lines}, {5})

    def test_a_death_costs_the_items_of_its_job(self):
        self.run_case("a_death_costs_the_items_of_its_job")
        lines = self.lines()
        self.assertEqual(len(set(lines)), len(lines))

    def test_large_items_go_by_themselves(self):
        self.run_case("large_items_go_by_themselves")

    def test_results_that_grow_are_too_large_for_few(self):
        self.run_case("results_that_grow_are_too_large_for_few")

    def test_what_is_no_item_is_refused_alone(self):
        self.run_case("what_is_no_item_is_refused_alone")

    def test_refusals_are_those_of_the_items(self):
        self.run_case("refusals_are_those_of_the_items")

    def test_commands_are_items_of_one(self):
        self.run_case("commands_are_items_of_one")

    def test_all_can_be_cancelled(self):
        self.run_case("all_can_be_cancelled")

    def test_a_map_may_be_left(self):
        self.run_case("a_map_may_be_left")
        self.assertEqual({state for _, state in self.c.call("wait", {})}, {"cancelled"})
        self.c.call("release", {})


class SmallQuota(MapCase):
    limits = "[limits]\njobs = 3\n"

    def test_a_small_quota_is_enough(self):
        self.run_case("a_small_quota_is_enough")


run_cases()
