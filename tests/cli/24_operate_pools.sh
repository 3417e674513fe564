#!/bin/sh
# resize, pause, resume and drain do what they say, and pools shows it.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 resize digest --workers 3
run_ctl 0 pools --json
expect_json '[p["workers"]["wanted"] for p in d["pools"] if p["name"] == "digest"] == [3]'
run_ctl 1 resize digest --min-spare 1
run_ctl 2 resize digest
run_ctl 2 resize --workers 3

run_ctl 0 pause default
run_ctl 0 pools
expect_out_line '^default +exec +paused +static '
id=$(submit -- true)
run_ctl 0 list --state queued
expect_out_line "^ *$id +queued "
run_ctl 0 drain default
expect_out_line '^default +1 +0 '
run_ctl 1 submit -- true
run_ctl 1 drain default --wait --timeout 10ms
run_ctl 2 drain default --timeout 10ms
run_ctl 2 drain default --wait --timeout 0
run_ctl 0 resume default --json
expect_json 'd["resumed"] is True'
run_ctl 0 wait "$id"

# It waits for the jobs, however long a daemon may take for an answer.
id=$(submit -- sleep 1)
POOLD_TIMEOUT=500ms
export POOLD_TIMEOUT
run_ctl 0 drain default --wait
unset POOLD_TIMEOUT
run_ctl 0 wait "$id"
run_ctl 0 drain default --wait --json
expect_json '[(p["name"], p["jobs"], p["workers"]) for p in d["pools"]] == [("default", 0, 0)]'
run_ctl 0 resume
run_ctl 0 run -- true
run_ctl 1 pause no-such
