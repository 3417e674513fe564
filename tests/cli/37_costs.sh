#!/bin/sh
# What jobs cost is shown: by function, with advice where it would help, and of one job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 functions --cost
expect_out_line '^FUNCTION +JOBS +SHARE +QUEUED +HANDOVER +RUN +RETURN +IN +OUT'
expect_out_line '^bench/sleep +0 +- '
seq 1 3000 >"$dir/items"
timeout 60 poolctl map --quiet -f bench/noop_serial <"$dir/items" >/dev/null

# a line for each function, at most 100 wide, then what would help, broken into lines
for options in "" --cost; do
	run_ctl 0 functions $options
	expect_out_line '^bench/noop_serial .*[0-9]+% '
	expect_out_line '^bench/noop_serial: a job runs '
	! grep -qE '^.{101}' "$dir/out" || fail "a line is longer than 100 characters"
	[ -n "$options" ] || expect_out_line '^default/exec .*…$'
	run_ctl 0 --no-legend functions $options
	! grep -q ': a job runs' "$dir/out" || fail "advice in a table without legend"
done
run_ctl 0 functions --json
expect_json '[(f["jobs"], [a["remedy"] for a in f["advice"]]) for f in d["functions"]
	if f["name"] == "bench/noop_serial"] == [(3000, ["pure"])]'
run_ctl 0 stats
expect_out_line '^work\.work_share +[0-9]+%$'
expect_out_line '^work\.mean\.handover +[0-9.]+[mu]?s$'
expect_out_line '^bench/noop_serial: a job runs '
run_ctl 0 stats --json
expect_json 'd["work"]["jobs"] == 3000 and 0 <= d["work"]["work_share"] < 0.5 and len(d["advice"]) == 1'

run_ctl 0 submit --wait -- true
run_ctl 0 list -n 1 -q
id=$(cat "$dir/out")
run_ctl 0 info "$id"
expect_out_line '^work_share +[0-9]+%$'
expect_out_line '^bytes\.input\.inline +[0-9]+$'
expect_out_line '^bytes\.result\.copied +0$'
run_ctl 0 info "$id" --json
expect_json '0 < d["work_share"] <= 1 and d["bytes"]["in"] == d["bytes"]["input"]["inline"]'
