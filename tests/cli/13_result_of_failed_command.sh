#!/bin/sh
# The output of a failed command is its result, as often as it is asked for, until it is released.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

id=$(submit -- sh -c 'echo hi; exit 3')
run_ctl 3 wait "$id"
run_ctl 0 result "$id"
expect_out hi
run_ctl 0 result "$id"
expect_out hi
run_ctl 0 result --json "$id"
expect_json 'd["id"] == '"$id"' and d["state"] == "failed" and d["error"]["details"]["stdout"] == "hi\n"'
run_ctl 0 release "$id"
run_ctl 3 result "$id"
expect_err_line 'no such future'
run_ctl 3 release "$id"

silent=$(submit -- false)
run_ctl 1 result "$silent"
expect_err_line 'exit'
run_ctl 0 result "$(submit -- true)"
expect_out ''
long=$(submit -- sleep 60)
run_ctl 1 result --timeout 0 "$long"
expect_err_line "$long"
run_ctl 0 cancel "$long"
run_ctl 0 forget "$long"
