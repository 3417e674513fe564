#!/bin/sh
# call gives a function bytes, text or JSON, and prints what it gave back.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 call bench/echo hello
expect_out hello
run_ctl 0 call bench/echo one two
expect_out '["one","two"]'
run_ctl 0 call bench/echo --json-arg '{"a": [1, 2.5, null, true]}'
expect_out '{"a":[1,2.5,null,true]}'
run_ctl 0 call bench/noop
expect_out ''
run_ctl 0 call --json bench/echo --json-arg '[1]'
expect_json 'd["result"] == [1] and d["timing"]["run"] >= 0'
for size in 10 70000 3000000; do
	head -c $size /dev/urandom >"$dir/bytes"
	timeout 60 poolctl call bench/echo --input "$dir/bytes" | cmp - "$dir/bytes"
	timeout 60 poolctl call bench/echo --input - <"$dir/bytes" | cmp - "$dir/bytes"
done
run_ctl 0 call digest/sha256 --input "$dir/bytes"
expect_out "$(sha256sum <"$dir/bytes" | cut -d' ' -f1)"

run_ctl 1 call bench/fail
expect_err_line 'failed'
run_ctl 1 call --json bench/fail
expect_json 'd["error"]["code"] == "failed" and d["exit_code"] == 1'
run_ctl 1 call bench/bogus
expect_err_line 'bogus'
run_ctl 1 call bench/crash --json-arg 9
expect_err_line 'lost'
run_ctl 0 list -q
expect_out ''

id=$(submit -f bench/echo --json-arg '{"k": "v"}')
run_ctl 0 result "$id"
expect_out '{"k":"v"}'
run_ctl 0 submit --wait -f bench/noop
