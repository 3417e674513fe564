#!/bin/sh
# watch prints a line for each event, and ends when all that it was told of are final.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 2 watch
done=$(submit -- true)
failed=$(submit -- false)
run_ctl 1 wait "$done" "$failed"

run_ctl 0 watch "$done" "$done"
expect_out "$done final done"
run_ctl 1 watch "$done" "$failed"
expect_out_line "^$failed final failed\$"
run_ctl 1 watch 9007199254740991
expect_out '9007199254740991 final unknown_future'

speaking=$(submit -- sh -c 'echo hello; sleep 0.2')
run_ctl 0 watch --output "$speaking"
expect_out_line "^$speaking state running\$"
expect_out_line "^$speaking output \\{.*hello"
expect_out_line "^$speaking final done\$"

run_ctl 1 watch --json "$failed"
expect_json "d['id'] == $failed and d['event'] == 'final' and d['state'] == 'failed' and d['error'][0] == 'exit'"

poolctl watch --group many >"$dir/many" &
watch=$!
until grep -q final "$dir/many"; do
	submit --group many -- true >/dev/null
done
kill "$watch"
wait "$watch" || test $? -gt 0

# No longer than it is told.
long=$(submit -- sleep 60)
run_ctl 1 watch --timeout 50ms "$long"
expect_err_line '1 of the futures named are not final'
run_ctl 0 watch --timeout 10ms --group nobody
run_ctl 0 watch --timeout 1h "$done"
run_ctl 0 cancel -q "$long"
