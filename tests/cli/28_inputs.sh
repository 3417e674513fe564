#!/bin/sh
# Objects, and the results of jobs, as the inputs of others.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

head -c 100000 /dev/zero | tr '\0' 'x' >"$dir/file"
run_ctl 0 put "$dir/file" --label table
object=$(cat "$dir/out")
expect_out "$object"
number=$(timeout 60 poolctl put --json-arg 40)
run_ctl 0 call bench/read8 --input-future "$object"
expect_out 8680820740569200760
run_ctl 0 call bench/add -I "$number,$number" -I "$number"
expect_out 120
second=$(submit -f bench/add --input-future "$number,$number")
run_ctl 0 call bench/echo --input-future "$second"
expect_out 80

# commands: the bytes of an object, and what another command wrote
run_ctl 0 run --input-future "$object" -- wc -c
expect_out 100000
first=$(submit -- seq 5)
second=$(submit --input-future "$first" -- sort -r)
run_ctl 0 run --capture --input-future "$second" -- head -n 2
expect_out "$(printf '5\n4')"

# of an input that ends badly all the rest is aborted
first=$(submit -- false)
run_ctl 125 run --input-future "$first" -- cat
expect_err_line "future $first, which it depended on"
run_ctl 3 call bench/echo --input-future 9007199254740991
expect_err_line 'no such future: 9007199254740991'

run_ctl 0 release "$object"
run_ctl 3 call bench/echo --input-future "$object"
run_ctl 1 put "$dir"
expect_err_line "$dir: Is a directory"
run_ctl 1 submit --input "$dir" -- cat
expect_err_line "$dir: Is a directory"
run_ctl 2 put
run_ctl 2 put "$dir/file" "$dir/file"
run_ctl 2 put "$dir/file" --json-arg 1
run_ctl 2 call bench/echo --input-future 1 text
run_ctl 2 submit --input-future 1,2 -- cat
run_ctl 125 run --input-future 1 --input "$dir/file" -- cat
