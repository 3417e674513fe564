"""The comparison of two runs of the benchmark: it names what got worse, whichever way is better, and takes neither noise
nor one wild round for a change."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
import compare  # noqa: E402
from pooldtest import run_cases  # noqa: E402

CALM = [1.40, 1.42, 1.41, 1.43, 1.44]


def run(ratios, more_is_better=False):
    return {"cases": [{"case": "one", "ratios": ratios, "more_is_better": more_is_better}]}


class Compare(unittest.TestCase):
    def found(self, before, after, **how):
        return compare.regressions(run(before, **how), run(after, **how))

    def test_a_slower_case_is_named(self):
        (row, _, worse, chance), = self.found(CALM, [r * 1.2 for r in CALM])
        self.assertEqual(row["case"], "one")
        self.assertAlmostEqual(worse, 0.2)
        self.assertAlmostEqual(chance, 1 / 252)

    def test_a_faster_case_is_not(self):
        self.assertFalse(self.found(CALM, [r / 1.2 for r in CALM]))

    def test_where_more_is_better_less_is_named(self):
        self.assertTrue(self.found(CALM, [r / 1.2 for r in CALM], more_is_better=True))
        self.assertFalse(self.found(CALM, [r * 1.2 for r in CALM], more_is_better=True))

    def test_the_same_twice_is_no_change(self):
        self.assertFalse(self.found(CALM, CALM))

    def test_a_change_below_the_margin_is_none(self):
        self.assertFalse(self.found(CALM, [r * 1.04 for r in CALM]))

    def test_a_change_within_the_spread_is_none(self):
        self.assertFalse(self.found([1.0, 1.2, 1.4, 1.6, 1.8], [1.1, 1.3, 1.5, 1.7, 1.9]))

    def test_one_wild_round_neither_makes_a_change_nor_hides_one(self):
        self.assertFalse(self.found(CALM, [*CALM[:4], 9.0]))
        self.assertTrue(self.found([*CALM[:4], 1.65], [r * 1.2 for r in CALM]))

    def test_four_rounds_are_too_few(self):
        self.assertFalse(self.found(CALM[:4], [r * 3 for r in CALM[:4]]))

    def test_what_was_nothing_and_is_something_is_named(self):
        self.assertTrue(self.found([0] * 5, [1] * 5))

    def test_a_case_that_is_new_has_nothing_to_be_compared_with(self):
        new = run(CALM)
        new["cases"][0]["case"] = "another"
        self.assertFalse(compare.regressions(run(CALM), new))


run_cases()
