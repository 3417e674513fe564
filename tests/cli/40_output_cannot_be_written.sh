#!/bin/sh
# A full disk and a reader that is gone are errors, never silence.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

full() { # code, word…
	want=$1
	shift
	got=0
	timeout 60 poolctl "$@" >/dev/full 2>"$dir/err" </dev/null || got=$?
	[ $got = "$want" ] || fail "poolctl $*: exit $got instead of $want"
	expect_err_line 'cannot write to standard output: No space left'
}
full 1 --help
full 1 list
full 1 pools --json
full 125 run -- echo hi
full 125 run --capture -- echo hi
full 1 call bench/echo hello
full 1 map echo ::: a b
id=$(submit -- echo hi)
full 1 result "$id"
full 1 logs -f "$id"
full 1 result --json "$id"
full 125 wait --json "$id"
full 125 wait "$id" "$id" --json
full 1 info "$id"
full 1 stats
full 1 ping
full 1 workers
full 1 submit -- true
full 125 submit --wait --json -- true
full 1 cancel "$id" --json
full 1 release "$id" --json

# The reader goes after one line. The endless command has the pipe itself, and ends as in a shell; one
# whose output comes by way of poold is cancelled.
one_line() { # code, word…
	want=$1
	shift
	got=0
	{
		timeout 60 poolctl run "$@" 2>"$dir/err" || got=$?
		echo "$got" >"$dir/code"
	} | head -n 1 >/dev/null
	[ "$(cat "$dir/code")" = "$want" ] || fail "run $*: exit $(cat "$dir/code") instead of $want"
}
one_line 141 -- yes
expect_no_err
one_line 125 --capture -- yes
expect_err_line 'cannot write to standard output: Broken pipe'
got=0
timeout 60 poolctl list >&- 2>"$dir/err" || got=$?
[ $got = 1 ] || fail "list to a closed output: exit $got instead of 1"
