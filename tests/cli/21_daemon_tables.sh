#!/bin/sh
# pools, functions, workers and stats show what there is, for people and for programs.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 pools
expect_out_line '^default +exec '
expect_out_line '^digest +module '
run_ctl 0 pools --json
expect_json 'sorted(p["name"] for p in d["pools"]) == ["bench", "default", "digest"]'
run_ctl 0 functions
expect_out_line '^digest/sha256 +pure '
expect_out_line '^default/exec '
run_ctl 0 functions bench --json
expect_json '"bench/echo" in [f["name"] for f in d["functions"]]'
run_ctl 0 workers default
run_ctl 0 workers --json
expect_json 'len(d["workers"]) >= 2 and all(w["pid"] > 1 for w in d["workers"])'
run_ctl 0 stats
run_ctl 0 stats --json
expect_json 'len(d) > 1'
run_ctl 1 functions bogus
