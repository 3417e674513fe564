#!/bin/sh
# cancel tells what became of each job, and by its exit code whether all were cancelled.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

over=$(submit -- true)
run_ctl 0 wait "$over"
run_ctl 1 cancel "$over"
expect_err_line "^poolctl: $over had ended before"
run_ctl 3 cancel 9007199254740991
expect_err_line 'no such future'

mkfifo "$dir/up"
running=$(submit -- sh -c "echo up >'$dir/up'; exec sleep 60")
read -r _ <"$dir/up"
run_ctl 1 cancel --mode queued "$running"
expect_err_line "$running running"
run_ctl 0 cancel --reason 'no longer needed' "$running"
run_ctl 130 wait "$running"
run_ctl 0 info "$running"
expect_out_line 'no longer needed'
for verb in info wait; do
	code=0
	[ $verb = info ] || code=130
	run_ctl $code $verb --json "$running"
	expect_json 'd["error"]["details"]["time"].endswith("Z") and d["error"]["details"]["time_ns"] > 10**18'
done

blocker=$(submit -- sleep 60)
other=$(submit -- sleep 60)
for _ in 1 2 3; do queued=$(submit -- touch "$dir/touched"); done
run_ctl 0 cancel --mode queued --json "$queued"
expect_json 'd["outcomes"] == [{"id": '"$queued"', "outcome": "cancelled"}]'
run_ctl 0 cancel --mode kill "$blocker" "$other"
