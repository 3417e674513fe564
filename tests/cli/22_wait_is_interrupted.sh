#!/bin/sh
# A signal ends wait and submit --wait, not the job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkfifo "$dir/up" "$dir/told"
# Not below timeout(1): a signal that it gets before its fork() returned ends it alone.
poolctl submit --wait --json -- sh -c "echo up >'$dir/up'; exec sleep 60" >"$dir/told" 2>"$dir/err" &
waiter=$!
exec 7<"$dir/told"
read -r line <&7
read -r _ <"$dir/up"
kill -TERM $waiter
code=0
wait $waiter || code=$?
[ $code = 130 ] || fail "submit --wait: exit $code instead of 130"
{ printf '%s\n' "$line"; cat <&7; } >"$dir/out"
expect_err_line 'goes on'
expect_json 'every[-1]["exit_source"] == "poolctl" and every[-1]["exit_code"] == 130'
id=$(head -n 1 "$dir/out" | sed 's/.*"id":\([0-9]*\).*/\1/')
run_ctl 0 info "$id"
expect_out_line '^state +running$'
run_ctl 0 cancel "$id"
