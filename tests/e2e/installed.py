"""What "make install" put in place runs from there: the daemon finds its worker and its modules by
the paths that it was built with, and a program builds against the library by pkg-config alone."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import PATIENCE, Folder, Poold, fail, skip  # noqa: E402

PROGRAM = r"""
#include <errno.h>
#include <poold.h>
#include <stdio.h>

int main(void)
{
	poold *p = NULL;
	int r = poold_open(&p, NULL);

	printf("%d\n", r);
	poold_unref(p);
	return r < 0;
}
"""


def run(*argv, env=None, cwd=None):
    got = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=env, cwd=cwd, timeout=PATIENCE)
    if got.returncode:
        fail(f"{shlex.join(argv)}: exit {got.returncode}\n{got.stdout}{got.stderr}")
    return got.stdout


def main(destdir, sbindir, bindir, libdir):
    if destdir:
        skip("installed below DESTDIR, which is not where it will run")
    poolctl = os.path.join(bindir, "poolctl")
    with Folder(paths="") as folder:
        command = [os.path.join(sbindir, "poold"), "--config", folder.config]
        run(*command, "--check-config")
        with Poold(folder, command=command):
            env = dict(os.environ, POOLD_SOCKET=folder.socket)
            if run(poolctl, "run", "--", "echo", "installed", env=env) != "installed\n":
                fail("poolctl run")
            with open(folder.at("input"), "wb") as f:
                f.write(b"x" * 100000)
            said = run(poolctl, "map", "-f", "digest/sha256", "--files", ":::",
                       folder.at("input"), env=env)
            if said.strip() != hashlib.sha256(b"x" * 100000).hexdigest():
                fail(f"digest/sha256: {said!r}")
            pkg_config = shutil.which("pkg-config")
            if not pkg_config:
                print("no pkg-config: no program built against the library")
                return
            with open(folder.at("use.c"), "w") as f:
                f.write(PROGRAM)
            pkg = dict(env, PKG_CONFIG_PATH=os.path.join(libdir, "pkgconfig"))
            flags = shlex.split(run(pkg_config, "--cflags", "--libs", "libpoold", env=pkg))
            sanitizers = [w for w in shlex.split(os.environ["POOLD_TEST_CFLAGS"])
                          if w.startswith("-fsanitize")]
            run(*shlex.split(os.environ["POOLD_TEST_CC"]), *sanitizers, "use.c", "-o", "use",
                *flags, f"-Wl,-rpath,{libdir}", cwd=folder.path)
            run(folder.at("use"), env=env)
    print("runs from", sbindir)


main(*sys.argv[1:])
