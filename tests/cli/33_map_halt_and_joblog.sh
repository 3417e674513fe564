#!/bin/sh
# --halt ends early, --joblog keeps a line per job in parallel's columns.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 1 map -j 1 --halt soon,fail=2 -- sh -c 'echo $0; exit $0' ::: 0 1 0 1 0 0
expect_out "$(printf '0\n1\n0\n1')"
run_ctl 1 map -j 1 --halt soon -- sh -c 'echo $0; exit $0' ::: 0 1 0
expect_out "$(printf '0\n1')"
run_ctl 1 map -j 2 --halt now,fail=1 -- sh -c 'test $0 = ok || exit 1; exec sleep 60' ::: ok bad
run_ctl 0 list -q --state running
expect_out ''

run_ctl 1 map --joblog "$dir/log" -- sh -c 'exit $0' ::: 0 7
head -n 1 "$dir/log" >"$dir/out"
expect_out "$(printf 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand')"
tail -n +2 "$dir/log" | sort -n | cut -f 1,2,7,8,9 >"$dir/out"
expect_out "$(printf '1\t:\t0\t0\tsh -c exit $0 0\n2\t:\t7\t0\tsh -c exit $0 7')"
