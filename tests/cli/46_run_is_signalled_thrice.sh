#!/bin/sh
# The first signal to poolctl run asks the job to end, the second one kills it, and the third one ends poolctl,
# also while the daemon hangs. What comes within half a second of another one counts as the same.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold
export POOLD_TIMEOUT=1h

# A command that does not end when asked.
mkfifo "$dir/up"
poolctl run -- sh -c 'trap "" TERM; echo up; while :; do sleep 1; done' >"$dir/up" 2>"$dir/err" &
runner=$!
read -r line <"$dir/up"
[ "$line" = up ] || fail "the job did not start"
catches_signals $runner
kill -STOP "$poold_pid"
n=0
while state=$(sed 's/.*) //; s/ .*//' "/proc/$runner/stat" 2>/dev/null) && [ "$state" != Z ]; do
	kill -TERM $runner 2>/dev/null || break
	n=$((n + 1))
	[ $n -lt 100 ] || fail "it does not end"
	sleep 0.6
done
code=0
wait $runner || code=$?
kill -CONT "$poold_pid"
[ $code = 130 ] || fail "exit $code instead of 130"
[ $n -ge 3 ] || fail "$n signals were enough"
expect_err_line interrupted
# It went, and so did the job.
until poolctl workers default --json >"$dir/out" && ! grep -q '"job"' "$dir/out"; do
	sleep 0.1
done
