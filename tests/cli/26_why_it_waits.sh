#!/bin/sh
# info says in words what a job waits for, whatever that is; as JSON it stays a map.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
# A result may take 8 fds: there is room for one at a time.
start_poold '[limits]' 'fds = 10' '[pool lazy]' 'handler = module' 'module = digest' 'sizing = ondemand' 'workers = 1'

expect_reason() { # ID, what is said
	run_ctl 0 info "$1"
	expect_out_line "^waits_for +$2\$"
}

later=$(submit --delay 1h -- true)
expect_reason "$later" 'delayed until [0-9-]+T[0-9:.]+Z \(in 59min [0-9]+s\)'
run_ctl 0 info --json "$later"
expect_json 'd["waits_for"]["kind"] == "delay" and d["waits_for"]["until_ns"] > d["submitted_ns"]'
behind=$(submit --after "$later" -- true)
expect_reason "$behind" "future $later"

run_ctl 0 pause default
first=$(submit -- true)
second=$(submit -- true)
expect_reason "$first" 'pool default is paused'
expect_reason "$second" 'pool default is paused, 1 ahead'
run_ctl 0 resume default
run_ctl 0 wait "$first" "$second"

mkfifo "$dir/up"
blocker=$(submit -- sh -c "echo up >'$dir/up'; exec sleep 60")
read -r _ <"$dir/up"
poor=$(submit -- true)
expect_reason "$poor" 'quota: with a result of pool default its owner would hold 1[6-9] fds, at most 10'
run_ctl 0 info --json "$poor"
expect_json 'd["waits_for"]["limit"] == "fds" and d["waits_for"]["of"] == "uid"'
run_ctl 0 cancel -q "$blocker"
run_ctl 0 wait "$poor"

# Who starts the workers of pool lazy is stopped.
for zygote in $(cat "/proc/$poold_pid/task/$poold_pid/children"); do
	grep -q lazy "/proc/$zygote/cmdline" && break
done
kill -STOP "$zygote"
early=$(submit -f lazy/sha256 --json-arg '"x"')
expect_reason "$early" 'pool lazy has no worker yet'
kill -CONT "$zygote"
run_ctl 0 wait "$early"

# The first job of each worker kills it.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	unlucky=$(submit -f bench/crash --json-arg 6)
done
until poolctl info "$unlucky" >"$dir/out" && grep -q 'die at start' "$dir/out"; do :; done
expect_out_line '^waits_for +workers of pool bench die at start: .*signal 6.*'
run_ctl 0 cancel -q "$later" "$unlucky"
