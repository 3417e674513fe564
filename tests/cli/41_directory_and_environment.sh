#!/bin/sh
# A command runs where and with what poolctl was called, unless told otherwise.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkdir "$dir/here" "$dir/there"
cd "$dir/here"
run_ctl 0 run -- pwd -P
expect_out "$(pwd -P)"
run_ctl 0 run --cwd ../there -- pwd -P
expect_out "$(cd ../there && pwd -P)"
MINE='a b' run_ctl 0 run -- sh -c 'echo "$MINE"'
expect_out 'a b'
MINE=old OTHER=kept run_ctl 0 run -E MINE=new -E OTHER -- sh -c 'echo "$MINE $OTHER"'
expect_out 'new kept'
run_ctl 0 run -- sh -c 'echo $POOLD_JOB_ID'
expect_out_line '^[0-9]+$'
run_ctl 0 run --trace 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 -- sh -c 'echo $TRACEPARENT'
expect_out 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
