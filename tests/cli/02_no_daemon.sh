#!/bin/sh
# Without a daemon the message names the socket and what to try; 4, or 125 where the verb stands for one job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"

run_ctl 4 ping
expect_err_line "^poolctl: cannot connect to $POOLD_SOCKET: "
run_ctl 4 list
run_ctl 4 submit -- true
run_ctl 4 result 1
run_ctl 125 run -- true
run_ctl 125 wait 1
run_ctl 125 wait 1 2
run_ctl 125 submit --wait -- true

run_ctl 125 --json wait 1
expect_json 'd["exit_source"] == "poolctl" and d["exit_code"] == 125 and d["error"]["message"]'
run_ctl 4 --socket "$dir/other.sock" ping
expect_err_line "$dir/other.sock"
