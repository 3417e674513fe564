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
run_ctl 0 --json result "$id"
expect_json 'd["state"] == "timeout" and d["stdout"] == "before\n" and d["stderr"] == ""'
id=$(submit --timeout 100ms -- sh -c 'echo trouble >&2; exec sleep 60')
run_ctl 124 wait "$id"
run_ctl 1 --json result "$id"
expect_json 'd["stdout"] == "" and d["stderr"] == "trouble\n" and d["exit_code"] == 1'
# What is no command has no such keys.
id=$(submit --timeout 100ms -f bench/sleep --json-arg 60000000)
run_ctl 124 wait "$id"
run_ctl 1 --json result "$id"
expect_json '"stdout" not in d and d["error"]["details"]["clock"] == "timeout"'
