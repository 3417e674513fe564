#!/bin/sh
# set changes what waits, and info says in words what it waits for.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 2 set 1
expect_err_line 'nothing to set'
run_ctl 3 set --ttl 1h 9007199254740991
over=$(submit -- true)
run_ctl 0 wait "$over"
run_ctl 0 set --label later --ttl 2h "$over"
run_ctl 0 list -q --label later
expect_out "$over"
run_ctl 1 set --priority 1 "$over"
expect_err_line 'done'

mkfifo "$dir/up"
exec 7<>"$dir/up" # who opens it a second time meets nobody's end
blockers=
for _ in 1 2; do
	blockers="$blockers $(submit -- sh -c "echo up >'$dir/up'; exec sleep 60")"
	read -r _ <&7
done
for n in 1 2 3 4; do submit -- true >"$dir/$n"; done
last=$(cat "$dir/4")
run_ctl 0 info "$last"
expect_out_line '^waits_for +no free worker in pool default, [123] ahead$'
run_ctl 0 info --json "$last"
expect_json 'd["waits_for"]["kind"] == "worker" and d["waits_for"]["ahead"] >= 1'
run_ctl 0 set --priority 3 "$last"
run_ctl 0 info "$last"
expect_out_line '^priority +3$'
expect_out_line '^waits_for +no free worker in pool default, 0 ahead$'
# shellcheck disable=SC2086 # IDs are words
run_ctl 0 cancel -q $blockers
