#!/bin/sh
# submit prints the ID alone when its output is no terminal; IDs count up.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

first=$(poolctl submit -- true)
second=$(poolctl submit -q true)
case $first$second in
*[!0-9]* | '') fail "\"$first\" and \"$second\" are no IDs" ;;
esac
[ "$second" -gt "$first" ] || fail "$second does not follow $first"
run_ctl 0 submit --json --label here --group ours -- true
expect_json 'd["id"] > '"$second"
run_ctl 0 submit --wait -- sh -c 'exit 0'
run_ctl 7 submit --wait -- sh -c 'exit 7'
run_ctl 124 submit --wait --wait-timeout 50ms -- sleep 60
run_ctl 0 cancel "$(tail -n 1 "$dir/out")"
run_ctl 127 submit --wait -p bogus -- true
run_ctl 1 submit -p bogus -- true
expect_err_line 'bogus'
