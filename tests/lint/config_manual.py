"""poold.conf(5) describes every key of the daemon's table, in its section and order, with its
default, and no other key."""

import os
import re
import sys

SRC = os.environ["POOLD_TEST_SRCDIR"]
HEADINGS = {"DAEMON": "# [daemon]", "LIMITS": "# [limits]", "POOL": "# [pool NAME]"}


def table():
    """(section, name, default) of each KEY(); a default in words is None."""
    with open(os.path.join(SRC, "daemon", "config.def")) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    keys = re.findall(r'KEY\((\w+),\s*(\w+),\s*\w+,\s*[^,]+?,\s*"([^"]*)"', text)
    assert len(keys) == text.count("KEY("), "a KEY() that this test cannot read"
    return [(s, n, None if d.startswith("(") else d) for s, n, d in keys]


def page():
    """The same from the page: a key is a line "*name* = ...", its default a line "Default: X"."""
    keys, section = [], None
    with open(os.path.join(SRC, "docs", "poold.conf.5.scd")) as f:
        for line in f:
            if line.startswith("# "):
                section = next((s for s, h in HEADINGS.items() if h == line.strip()), None)
            elif section and (m := re.match(r"\*(\w+)\* = ", line)):
                keys.append([section, m.group(1), None])
            elif section and keys and (m := re.match(r"Default: (\S+)$", line)):
                keys[-1][2] = m.group(1)
    return [tuple(key) for key in keys]


def main():
    want, got = table(), page()
    bad = 0
    for section, name, default in want:
        found = [g for g in got if g[:2] == (section, name)]
        if not found:
            print(f"{HEADINGS[section]}: {name} is not described")
            bad = 1
        elif len(found) > 1:
            print(f"{HEADINGS[section]}: {name} is described {len(found)} times")
            bad = 1
        elif default is not None and found[0][2] != default:
            print(f"{HEADINGS[section]}: the default of {name} is {default}, not {found[0][2]}")
            bad = 1
    for section, name, default in got:
        if (section, name) not in [w[:2] for w in want]:
            print(f"{HEADINGS[section]}: there is no key {name}")
            bad = 1
    if not bad and [w[:2] for w in want] != [g[:2] for g in got]:
        print("the order differs")
        bad = 1
    print(f"{len(want)} keys")
    return bad


sys.exit(main())
