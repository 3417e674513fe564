#!/bin/sh
# signal reaches the command that runs, and nothing else.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 2 signal 1 HUPP
expect_err_line 'HUPP is no signal'
run_ctl 2 signal HUP
run_ctl 3 signal 9007199254740991 HUP

mkfifo "$dir/up"
id=$(submit -- sh -c "trap 'echo usr1; exit 3' USR1; echo up >'$dir/up'; while :; do sleep 0.1; done")
read -r _ <"$dir/up"
run_ctl 0 signal "$id" SIGUSR1
run_ctl 3 wait "$id"
run_ctl 0 result "$id"
expect_out 'usr1'
run_ctl 1 signal "$id" usr1
expect_err_line 'is over: failed'

id=$(submit -- sh -c "echo up >'$dir/up'; exec sleep 60")
read -r _ <"$dir/up"
run_ctl 0 signal "$id" 15
run_ctl 143 wait "$id"
