"""Sums the rounds of each case up, and prints them."""

import statistics


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def peer_summary(case, rounds, name):
    figures = [(r["poold"], r["peers"][name]) for r in rounds if name in r["peers"]]
    if not figures:
        return None
    ratios = [ours / theirs for ours, theirs in figures]
    return {"median": statistics.median(theirs for _, theirs in figures), "goal": case.peers[name][2],
            "ratio": spread(ratios), "ratios": ratios}


def summary(case, rounds):
    ratios = [r["ratio"] for r in rounds]
    peers = {name: peer_summary(case, rounds, name) for name in case.peers}
    return {"case": case.name, "unit": case.unit, "more_is_better": case.more_is_better, "goal": case.goal,
            "floor": statistics.median(r["floor"] for r in rounds),
            "poold": statistics.median(r["poold"] for r in rounds),
            "ratio": spread(ratios), "ratios": ratios,
            "peers": {name: peer for name, peer in peers.items() if peer}}


def summaries(cases, rounds):
    return [summary(case, rounds[case.name]) for case in cases if rounds[case.name]]


def amount(value, unit):
    if unit == "us" and value >= 100_000:
        return f"{value / 1000:,.0f} ms"
    if unit == "us":
        return f"{value:,.1f} us"
    return f"{value:,.0f} {unit}"


def share(ratio):
    """Three digits, whether it is large or small."""
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:#.3g}" if ratio >= 0.001 else f"{ratio:.6f}"


def verdict(ratio, goal, more_is_better):
    if goal is None:
        return ""
    is_met = ratio >= goal if more_is_better else ratio <= goal
    return f"{'>=' if more_is_better else '<='} {goal:g}{'' if is_met else ' missed'}"


def line(name, other, row, unit, ours, more_is_better):
    ratio = row["ratio"]
    print(f"{name:26} {amount(other, unit):>15} {amount(ours, unit):>15} {share(ratio['median']):>8} "
          f"{share(ratio['least']):>8} {share(ratio['most']):>8}  "
          f"{verdict(ratio['median'], row['goal'], more_is_better)}".rstrip())


def head(name, other):
    print(f"{name:26} {other:>15} {'poold':>15} {'ratio':>8} {'least':>8} {'most':>8}  goal")


def show(results):
    before, after = results["machine"]["before"], results["machine"]["after"]
    print(f"{before['cpus']} CPUs ({before['model']}), Linux {before['kernel']}, "
          f"load {before['load']:.1f} before, {after['load']:.1f} after")
    head("case", "floor")
    for row in results["cases"]:
        line(row["case"], row["floor"], row, row["unit"], row["poold"], row["more_is_better"])
    if any(row["peers"] for row in results["cases"]):
        print()
        head("beside", "peer")
    for row in results["cases"]:
        if row["peers"]:
            print(row["case"])
        for name, peer in row["peers"].items():
            line("  " + name, peer["median"], peer, row["unit"], row["poold"], row["more_is_better"])
    for name, why in results["missing"].items():
        print(f"{name}: {why}")
