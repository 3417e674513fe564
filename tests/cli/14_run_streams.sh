#!/bin/sh
# run shows output while it comes, keeps the two streams apart, loses no byte, and exits as the command did.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 run -- echo hi
expect_out hi
expect_no_err
run_ctl 5 run -- sh -c 'echo out; echo err >&2; exit 5'
expect_out out
[ "$(cat "$dir/err")" = err ] || fail "standard error is not apart"
run_ctl 143 run -- sh -c 'kill -TERM $$'
run_ctl 127 run -- "$dir/no-such-command"
printf 'not executable' >"$dir/data"
run_ctl 126 run -- "$dir/data"

# The command ends only when its first line has been seen here.
mkfifo "$dir/go" "$dir/live"
poolctl run -- sh -c "echo first; read go <'$dir/go'; echo \$go" >"$dir/live" &
runner=$!
{
	read -r line
	[ "$line" = first ] || fail "the first line did not come"
	echo second >"$dir/go"
	read -r line
	[ "$line" = second ] || fail "the second line did not come"
} <"$dir/live"
wait $runner

head -c 3000000 /dev/urandom >"$dir/big"
timeout 60 poolctl run -- cat "$dir/big" | cmp - "$dir/big"
timeout 60 poolctl run --input "$dir/big" -- cat | cmp - "$dir/big"
printf 'a\nb\n' | timeout 60 poolctl run -i - -- wc -l >"$dir/out"
expect_out 2
run_ctl 0 run --shell -- 'echo $((6 * 7))'
expect_out 42
run_ctl 3 run --json -- sh -c 'echo x; exit 3'
expect_json 'every[0]["stream"] == "stdout" and every[0]["data"] == "x\n" and every[-1]["exit_code"] == 3'
# Nothing is kept of it.
run_ctl 0 list -q
expect_out ''
run_ctl 0 run --keep -- true
expect_err_line '^poolctl: job [0-9]+'
run_ctl 0 list -q
expect_out_line '^[0-9]+$'
