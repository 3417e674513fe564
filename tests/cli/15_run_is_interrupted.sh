#!/bin/sh
# A signal to poolctl run cancels the job; a killed poolctl does too.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

for signal in INT TERM; do
	mkfifo "$dir/live.$signal"
	# Started by env, for a shell starts its background jobs with SIGINT ignored.
	"$PYTHON" -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("poolctl", ["poolctl", "run", "--grace", "5s", "--", "sh", "-c",
	"trap \"echo bye; exit 0\" TERM; echo up; sleep 60 & wait"])' \
		>"$dir/live.$signal" 2>"$dir/err" &
	runner=$!
	code=0
	{
		read -r line
		[ "$line" = up ] || fail "the job did not start"
		kill -$signal $runner
		wait $runner || code=$?
		read -r line
		[ "$line" = bye ] || fail "the last words of the job were lost"
	} <"$dir/live.$signal"
	[ $code = 130 ] || fail "SIG$signal: exit $code instead of 130"
done

mkfifo "$dir/live" "$dir/last"
poolctl run -- sh -c "echo up; exec 9>'$dir/last'; exec sleep 60" >"$dir/live" &
runner=$!
exec 6<"$dir/live"
read -r line <&6
[ "$line" = up ] || fail "the job did not start"
exec 7<"$dir/last"
kill -KILL $runner
wait $runner || :
# End of file: no process of the job is left.
cat <&7 >/dev/null
