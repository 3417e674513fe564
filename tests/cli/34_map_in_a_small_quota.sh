#!/bin/sh
# Where the daemon has room for few jobs at a time, map hands in fewer: all are done nevertheless.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold '[limits]' 'jobs = 3' 'futures = 5'

seq 300 >"$dir/want"
timeout 120 poolctl map -f bench/echo <"$dir/want" >"$dir/out"
cmp "$dir/out" "$dir/want"
timeout 120 poolctl map --unordered -f bench/echo <"$dir/want" | sort -n | cmp - "$dir/want"
# What is refused for ever is no matter of patience.
run_ctl 0 submit -- sleep 60
run_ctl 0 submit -- sleep 60
run_ctl 0 submit -- sleep 60
run_ctl 1 map -f bench/echo ::: a
expect_err_line '^poolctl: a: refused: .*jobs'
for id in $(poolctl list -q --state running) $(poolctl list -q --state queued); do
	run_ctl 0 cancel "$id"
done
