#!/bin/sh
# A daemon that hangs takes no verb with it: signals end poolctl while it waits for an answer.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

# Waits until this process reads its signals itself; /proc/PID/status has a mask in hexadecimal, SIGTERM is
# the bit 0x4000.
catches_signals() {
	until mask=$(sed -n 's/^SigBlk:[^0-9a-f]*//p' "/proc/$1/status") && [ $((0x$mask & 0x4000)) != 0 ]; do
		kill -0 "$1" || fail "it ended early"
	done
}

id=$(submit -- sleep 60)
kill -STOP "$poold_pid"
timeout 60 poolctl wait --timeout 0 "$id" 2>"$dir/err" &
timeout=$!
waiter=
until [ "$waiter" ]; do
	read -r waiter _ <"/proc/$timeout/task/$timeout/children" || kill -0 $timeout || fail "it ended early"
done
catches_signals "$waiter"
kill -TERM "$waiter"
code=0
wait $timeout || code=$?
kill -CONT "$poold_pid"
[ $code = 130 ] || fail "exit $code instead of 130"
expect_err_line interrupted
run_ctl 0 cancel "$id"
