#!/bin/sh
# map runs a command for each argument, in order unless told otherwise, and tells failures.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 map -- echo '<{}>' ::: a b 'c d'
expect_out "$(printf '<a>\n<b>\n<c d>')"
run_ctl 0 map echo ::: a b
expect_out "$(printf 'a\nb')"
run_ctl 0 map --shell 'echo {}; echo {}' ::: x
expect_out "$(printf 'x\nx')"
# The first argument ends after the second, which it waits for; it is printed first unless told otherwise.
mkfifo "$dir/second-runs"
script='if [ $1 = slow ]; then read _ <"$2"; else echo >"$2"; fi; echo $1'
run_ctl 0 map -- sh -c "$script" - {} "$dir/second-runs" ::: slow fast
expect_out "$(printf 'slow\nfast')"
printf 'one\ntwo words\n' | timeout 60 poolctl map echo >"$dir/out"
expect_out "$(printf 'one\ntwo words')"
printf 'one\0t\nwo\0' | timeout 60 poolctl map -0 --tag -- echo x >"$dir/out"
expect_out "$(printf 'one\tx one\nt\nwo\tx t\nt\nwo\two')"
run_ctl 0 map --tag -- printf '%s\n1\n2' ::: a b
expect_out "$(printf 'a\ta\na\t1\na\t2\nb\tb\nb\t1\nb\t2')"
run_ctl 1 map -- sh -c 'echo $0; echo oops >&2; exit $0' ::: 0 3
expect_out "$(printf '0\n3')"
expect_err_line '^oops$'
expect_err_line '3: .*exit'
run_ctl 0 map echo </dev/null
expect_out ''
run_ctl 0 map --json -- echo ::: a b
expect_json '[x["argument"] for x in every] == ["a", "b"] and d["result"]["stdout"] == "a\n" and d["state"] == "done"'
run_ctl 0 map --summary -- true ::: a b
expect_err_line '2 done, 0 failed in .* jobs/s, work share [0-9.]+'
run_ctl 0 list -q
expect_out ''
run_ctl 1 map -p bogus -- true ::: a b
expect_err_line bogus
