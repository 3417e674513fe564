#!/bin/sh
# reload tells what changed; with an error in the file, or for one who may not, nothing does.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 reload
expect_err_line 'reloaded$'
expect_out ''
cat >>"$dir/poold.conf" <<CONF
[pool more]
handler = exec
workers = 1
[limits]
jobs = 500
CONF
run_ctl 0 reload --restart digest
expect_out_line '^added: more$'
expect_out_line '^restarted: digest$'
expect_out_line '^settings: jobs$'
run_ctl 0 run --pool more -- true
run_ctl 0 reload --json -r more -r digest
expect_json 'd["restarted"] == ["digest", "more"] or d["restarted"] == ["more", "digest"]'
expect_json 'd["needs_restart"] == [] and "default" in d["unchanged"]'
run_ctl 1 reload --restart no-such
expect_err_line 'no-such'
echo 'wrokers = 3' >>"$dir/poold.conf"
run_ctl 1 reload
expect_err_line 'poold.conf:[0-9]*: unknown key "wrokers"'
run_ctl 2 reload now
