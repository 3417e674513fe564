#!/bin/sh
# wait on one ID exits as the job did; on several with 0 if all are done.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

ok=$(submit -- true)
bad=$(submit -- sh -c 'exit 3')
killed=$(submit -- sh -c 'kill -KILL $$')
absent=$(submit -- "$dir/no-such-command")
run_ctl 0 wait "$ok"
run_ctl 3 wait "$bad"
run_ctl 3 wait "$bad"
run_ctl 137 wait "$killed"
run_ctl 127 wait "$absent"
run_ctl 125 wait 9007199254740991
expect_err_line 'no such future'

run_ctl 0 wait "$ok" "$ok"
expect_out "$ok done"
run_ctl 1 wait "$ok" "$bad"
expect_out_line "^$bad failed"
run_ctl 1 wait "$ok" 9007199254740991
long=$(submit -- sleep 60)
run_ctl 0 wait --any "$long" "$ok"
expect_out "$ok done"
run_ctl 124 wait --timeout 0 "$long"
run_ctl 124 wait --timeout 50ms "$long" "$ok"
run_ctl 124 wait --json --timeout 0 "$long"
expect_json 'd["exit_source"] == "wait_timeout" and d["state"] in ("queued", "running")'
run_ctl 0 cancel "$long"
run_ctl 130 wait "$long"
run_ctl 130 wait --json "$long"
expect_json 'd["exit_source"] == "cancelled" and d["exit_code"] == 130'
run_ctl 3 wait --json "$bad"
expect_json 'd["exit_source"] == "job" and d["exit_code"] == 3 and d["state"] == "failed"'
run_ctl 137 wait --json "$killed"
expect_json 'd["exit_source"] == "signal"'
