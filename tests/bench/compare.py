"""Two runs, case by case: which got worse by more than the noise.

Ratios are compared, since times of two runs are of two machines. A case got worse when its median ratio is worse by more
than MARGIN, and the ratios of its rounds are worse than those of the earlier run beyond chance: by the rank test of Mann
and Whitney less than one in a hundred shuffles of all rounds ranks the new ones as badly. That assumes nothing about how
the noise is spread, and one wild round does not decide. With five rounds each, at most one of the 25 pairs of an old and a
new round may speak against it; less than five rounds can name nothing at that level, and this says so.
"""

import functools
import json
import statistics

MARGIN = 0.05
CHANCE = 0.01


def load(path):
    with open(path) as f:
        return json.load(f)


@functools.lru_cache(maxsize=None)
def arrangements(n, m, u):
    """How many orders of n new and m old values have u pairs in which the new one is less."""
    if u < 0:
        return 0
    if n == 0 or m == 0:
        return int(u == 0)
    return arrangements(n - 1, m, u - m) + arrangements(n, m - 1, u)


def chance(better, worse):
    """How probable it is that `worse` lies so far above `better` by chance alone."""
    n, m = len(worse), len(better)
    below = sum((w < b) + 0.5 * (w == b) for w in worse for b in better)
    counts = [arrangements(n, m, u) for u in range(n * m + 1)]
    return sum(counts[:int(below) + 1]) / sum(counts)


def change(before, after, more_is_better):
    """By what part the median got worse, and how probably that is chance."""
    if more_is_better:
        before, after = [1 / r for r in before], [1 / r for r in after]
    was, is_now = statistics.median(before), statistics.median(after)
    return (is_now / was - 1 if was else float(is_now > 0)), chance(before, after)


def regressions(old, new):
    earlier = {row["case"]: row for row in old["cases"]}
    found = []
    for row in new["cases"]:
        before = earlier.get(row["case"])
        if not before:
            continue
        worse, p = change(before["ratios"], row["ratios"], row["more_is_better"])
        if worse > MARGIN and p <= CHANCE:
            found.append((row, before, worse, p))
    return found


def show(old, new):
    """Prints what got worse; the exit code."""
    common = {row["case"] for row in old["cases"]} & {row["case"] for row in new["cases"]}
    print(f"\ncompared: {len(common)} cases")
    if any(len(row["ratios"]) < 5 for row in old["cases"] + new["cases"]):
        print("fewer than five rounds in one of the runs: too few to tell a change from noise")
    found = regressions(old, new)
    for row, before, worse, p in found:
        print(f"worse: {row['case']}: ratio {before['ratio']['median']:.3g}, now {row['ratio']['median']:.3g}: "
              f"by {100 * worse:.0f} % (chance {100 * p:.1f} %)")
    if not found:
        print("nothing got worse beyond the noise")
    return 1 if found else 0
