#!/bin/sh
# A job that is handed in again with its key is the same job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

a=$(submit --key k -- sh -c 'exit 3')
[ "$(submit --key k -- sh -c 'exit 3')" = "$a" ] || fail "the same key and content gave another job"
run_ctl 3 submit -q --wait --key k -- sh -c 'exit 3'
expect_out "$a"
run_ctl 1 submit --key k -- sh -c 'exit 4'
expect_err_line "the key \"k\" is that of future $a"
run_ctl 2 submit --key '' -- true
run_ctl 0 release "$a"
b=$(submit --key k -- sh -c 'exit 4')
[ "$b" -gt "$a" ] || fail "the key of a released job is not free"
