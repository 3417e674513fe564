#!/bin/sh
# A socket that cannot be used: the message names it and says what to do; 4, or 125 where the verb stands for a job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"

# A daemon that is gone leaves its socket; other things were never one.
"$PYTHON" -c '
import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/stale.sock"
: >"$dir/file"
mkdir "$dir/folder"
for path in stale.sock file folder; do
	run_ctl 4 --socket "$dir/$path" list
	expect_err_line "^poolctl: cannot connect to $dir/$path: Connection refused; no daemon there"
	run_ctl 125 --socket "$dir/$path" run -- true
done
run_ctl 4 --socket "$dir/none/poold.sock" list
expect_err_line "^poolctl: cannot connect to $dir/none/poold.sock: No such file or directory; no daemon there"
run_ctl 4 --socket "$dir/file/poold.sock" list
expect_err_line "^poolctl: cannot connect to $dir/file/poold.sock: Not a directory"
long=$dir/$(printf '%0120d' 0)
run_ctl 4 --socket "$long" list
expect_err_line 'cannot connect: .*[0-9]+ bytes'
POOLD_SOCKET=$long run_ctl 4 list
expect_err_line 'cannot connect: .*[0-9]+ bytes'
run_ctl 4 --socket "" list
expect_err_line 'cannot connect: .*0 bytes'
run_ctl 125 --socket "" wait 1

# Without rights on the socket.
start_poold
chmod 711 "$dir" "$dir/run"
if [ "$(id -u)" = 0 ]; then
	command -v setpriv >/dev/null || { echo "skipped: no setpriv"; exit 77; }
	setpriv --reuid 65534 --regid 65534 --clear-groups -- test -x "$build/client/poolctl/poolctl" ||
		{ echo "skipped: uid 65534 cannot reach the build tree"; exit 77; }
	chmod 600 "$POOLD_SOCKET"
	as="setpriv --reuid 65534 --regid 65534 --clear-groups --"
else
	chmod 0 "$POOLD_SOCKET"
	as=
fi
for verb in "4 list" "4 pools" "4 submit -- true" "4 result 1" "125 wait 1" "125 run -- true"; do
	got=0
	# shellcheck disable=SC2086
	$as timeout 60 poolctl ${verb#* } >"$dir/out" 2>"$dir/err" </dev/null || got=$?
	[ $got = "${verb%% *}" ] || fail "poolctl ${verb#* }: exit $got instead of ${verb%% *}"
	expect_err_line "^poolctl: cannot connect to $POOLD_SOCKET: Permission denied; you are neither owner"
done
