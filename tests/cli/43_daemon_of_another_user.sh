#!/bin/sh
# A daemon of another user gets nothing of the environment and the directory but what was said; it must be named to
# be trusted.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
[ "$(id -u)" = 0 ] || { echo "skipped: needs root, to start a daemon as somebody else"; exit 77; }
command -v setpriv >/dev/null || { echo "skipped: no setpriv"; exit 77; }
poold_uid=65534
setpriv --reuid $poold_uid --regid $poold_uid --clear-groups -- \
	test -x "$build/daemon/worker/poold-worker" ||
	{ echo "skipped: uid $poold_uid cannot reach the build tree"; exit 77; }

chmod 711 "$dir"
start_poold

run_ctl 4 ping
expect_err_line 'POOLD_SERVER_UID'
POOLD_SERVER_UID=$poold_uid
export POOLD_SERVER_UID
run_ctl 0 ping
mkdir "$dir/here"
cd "$dir/here"
MINE=secret
export MINE
run_ctl 0 run -E SAID=this -- sh -c 'echo "<$MINE> $SAID"'
expect_out '<> this'
run_ctl 0 run -- pwd -P
[ "$(cat "$dir/out")" != "$(pwd -P)" ] || fail "the working directory was sent"
run_ctl 0 run --cwd "$dir/here" -- pwd -P
expect_out "$(pwd -P)"
run_ctl 125 run --cwd here -- pwd
expect_err_line 'begin with /'
