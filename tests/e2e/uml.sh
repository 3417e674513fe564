#!/bin/sh
# Runs tests under a kernel of their own, which gives them what this machine's may have put elsewhere: the
# memory controller of cgroups, version 2. It is User-mode Linux, a program as any other (Debian:
# user-mode-linux); its root is this machine's, read-only. Half a minute, no rights needed:
#
#	tests/e2e/uml.sh [TEST…]		default: tests/e2e/cgroups.py
#
# Needs POOLD_TEST_SRCDIR and POOLD_TEST_BUILDDIR. $UML names the program if it is not in PATH.
set -eu

# --- inside: this is process 1 ---------------------------------------------------------------

if [ $$ = 1 ]; then
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 TMPDIR=/run
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t tmpfs tmpfs /run
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	uname -srm
	failed=0
	for test in $(echo "$UML_TESTS" | tr , ' '); do
		echo "== $test"
		case $test in
		*.py) set -- "$PYTHON" "$POOLD_TEST_SRCDIR/$test" ;;
		*.sh) set -- "$POOLD_TEST_SRCDIR/$test" ;;
		*) set -- "$POOLD_TEST_BUILDDIR/$test" ;;
		esac
		cd "$POOLD_TEST_BUILDDIR"
		"$@" </dev/null 2>&1 || failed=1
	done
	echo "uml: failed=$failed"
	# power off: no command for that is sure to work without a service manager
	exec "$PYTHON" -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'
fi

# --- outside ---------------------------------------------------------------------------------

: "${POOLD_TEST_SRCDIR:?}" "${POOLD_TEST_BUILDDIR:?}"
uml=${UML:-linux.uml}
command -v "$uml" >/dev/null || {
	echo "skipped: no $uml (Debian: user-mode-linux)"
	exit 77
}
python=${PYTHON:-/usr/bin/python3}
srcdir=$(cd "$POOLD_TEST_SRCDIR" && pwd)
builddir=$(cd "$POOLD_TEST_BUILDDIR" && pwd)
[ $# -gt 0 ] || set -- tests/e2e/cgroups.py
tests=$(echo "$*" | tr ' ' ,)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Its memory is a file in TMPDIR.
TMPDIR=${UML_TMPDIR:-/dev/shm} timeout -k 10 "${UML_TIMEOUT:-600}" "$uml" \
	mem=512M root=none rootfstype=hostfs rootflags=/ ro quiet \
	init="$srcdir/tests/e2e/uml.sh" con=null con0=null,fd:1 ssl=null uml_dir="$dir" \
	POOLD_TEST_SRCDIR="$srcdir" POOLD_TEST_BUILDDIR="$builddir" PYTHON="$python" UML_TESTS="$tests" \
	</dev/null 2>&1 | tee "$dir/said"
grep -q '^uml: failed=0' "$dir/said"
