"""The main scenario under valgrind: no leak and no error in daemon, workers and client."""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import BUILD, PATIENCE, POOLCTL, POOLD, Folder, Poold, fail  # noqa: E402
from valgrinding import PidfdHelper, require  # noqa: E402


def under_valgrind(folder, name):
    # Commands that jobs run are not ours to judge. libtool looks through its own wrappers.
    return [os.path.join(BUILD, "libtool"), "--mode=execute", shutil.which("valgrind"), "--quiet",
            "--leak-check=full", "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect", "--trace-children=yes",
            "--trace-children-skip=/bin/*,/usr/bin/*",
            f"--log-file={folder.at(name)}.%p.valgrind"]


def main():
    require()
    with Folder() as folder:
        def poolctl(code, *argv):
            got = subprocess.run([*under_valgrind(folder, argv[0]), POOLCTL, "--socket",
                                  folder.socket, *argv], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
            if got.returncode != code:
                print(f"poolctl {' '.join(argv)}: exit {got.returncode}, not {code}\n"
                      f"{got.stdout}{got.stderr}")
                problems.append(argv[0])
            return got.stdout.strip()

        problems = []
        big = folder.at("big")
        with open(big, "wb") as f:
            f.write(os.urandom(300000))
        command = [*under_valgrind(folder, "poold"), POOLD, "--config", folder.config]
        helper = PidfdHelper(folder)
        daemon = Poold(folder, command=command, env=helper.env()).await_ready()
        try:
            poolctl(0, "ping")
            job = poolctl(0, "submit", "-q", "--", "sh", "-c", "echo hi; exit 3")
            poolctl(3, "wait", job)
            for _ in range(2):
                if poolctl(0, "result", job) != "hi":
                    problems.append("result")
            poolctl(0, "release", job)
            poolctl(3, "result", job)
            poolctl(0, "map", "-f", "digest/sha256", "--files", ":::", big, big, big)
            poolctl(0, "map", "--", "echo", "{}", ":::", "1", "2", "3", "4", "5")
            poolctl(124, "run", "--timeout", "200ms", "--", "sleep", "60")
            job = poolctl(0, "submit", "-q", "--", "sleep", "60")
            waiting = [poolctl(0, "submit", "-q", "--", "sleep", "60") for _ in range(3)]
            poolctl(0, "cancel", *waiting, job)
            poolctl(1, "wait", job, *waiting)
            for verb in ("list", "pools", "stats", "functions", "workers"):
                poolctl(0, verb, "--json")
        finally:
            code = daemon.stop(signal.SIGTERM)
        if code != 0:
            problems.append(f"poold exits with {code}")

        logs = glob.glob(folder.at("*.valgrind"))
        if not any("/poold." in log for log in logs):
            problems.append("no log of the daemon")
        for log in sorted(logs):
            with open(log, errors="replace") as f:
                text = f.read()
            # A worker that was told to go by a signal says so; that is no error.
            text = re.sub(r"==\d+==\s*\n", "", text)
            if text.strip():
                print(f"-- {os.path.basename(log)}\n{text}")
                problems.append(os.path.basename(log))
        if problems:
            print(daemon.said())
            fail(", ".join(problems))
        print(f"{len(logs)} processes, nothing to say about any of them")


main()
