#!/bin/sh
# A daemon that hangs takes no verb with it: signals end poolctl while it waits for an answer, and so does its patience.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

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

kill -STOP "$poold_pid"
export POOLD_TIMEOUT=50ms
run_ctl 4 submit -f bench/noop
expect_err_line 'does not answer'
run_ctl 125 submit --wait -- true
run_ctl 125 run -- true
run_ctl 4 list
kill -CONT "$poold_pid"
POOLD_TIMEOUT=1h
run_ctl 0 submit -q --wait -f bench/noop
POOLD_TIMEOUT=never
run_ctl 2 submit -f bench/noop
expect_err_line 'POOLD_TIMEOUT'
