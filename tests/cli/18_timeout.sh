#!/bin/sh
# A job over its time limit ends as timeout, which is 124, and says so in JSON.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 124 run --timeout 100ms -- sleep 60
run_ctl 124 run --json --timeout 100ms -- sleep 60
expect_json 'every[-1]["exit_source"] == "timeout" and every[-1]["state"] == "timeout"'
# It resists SIGTERM: the grace ends it.
run_ctl 124 run --timeout 100ms --grace 100ms -- sh -c 'trap "" TERM; sleep 60; sleep 60'
id=$(submit --timeout 100ms -- sh -c 'echo before; exec sleep 60')
run_ctl 124 wait "$id"
run_ctl 0 result "$id"
expect_out before
