#!/bin/sh
# ping says which daemon answered where.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 ping
expect_out_line "$POOLD_SOCKET"
expect_out_line "pid $poold_pid"
run_ctl 0 ping --json
expect_json "d['pid'] == $poold_pid and d['socket'] == '$POOLD_SOCKET' and d['seconds'] > 0"
