#!/bin/sh
# A job that waits for others: it says for which, runs when they are done, and tells whose fault it is if not.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkfifo "$dir/gate"
first=$(submit -- sh -c "read -r _ <'$dir/gate'; exit 3")
second=$(submit --after "$first" -- true)
third=$(submit --after "$second" -- true)
last=$(submit --after-any "$first,$second" --after-any "$third" -- echo ran)
run_ctl 0 list -q --state blocked
expect_out "$(printf '%s\n%s\n%s' "$second" "$third" "$last")"
run_ctl 0 info "$third"
expect_out_line "^waits_for +future $second\$"
echo go >"$dir/gate"
run_ctl 125 wait "$third"
expect_err_line "future $first, which it depended on"
run_ctl 0 result "$last"
expect_out ran
run_ctl 125 submit --wait --after 9007199254740991 -- true
expect_err_line 'no such future'
run_ctl 2 submit --after 12,x -- true
run_ctl 2 submit --after '' -- true
