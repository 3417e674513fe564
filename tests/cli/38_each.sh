#!/bin/sh
# --each runs a function for each element; map --chunk puts many arguments into a job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 call --each bench/echo one two
expect_out '["one","two"]'
run_ctl 0 call --each bench/echo one
expect_out '["one"]'
run_ctl 0 call --each bench/sum --json-arg '["a", "b"]'
expect_out '[97,98]'
run_ctl 1 call --each bench/sum --json-arg '["a", 2]'
expect_err_line 'Invalid argument'
run_ctl 1 call --each --json bench/sum --json-arg '["a", 2]'
expect_json 'd["error"]["details"]["index"] == 1 and d["error"]["details"]["results"] == [97]'
run_ctl 1 call --each bench/echo
expect_err_line 'no array'
id=$(submit --each -f bench/echo --json-arg '[1, [2]]')
run_ctl 0 result "$id"
expect_out '[1,[2]]'
run_ctl 0 release "$id"
run_ctl 2 submit --each -- true
expect_err_line '--each is for functions'

seq 5000 >"$dir/want"
for chunk in 1 7 1000 auto; do
	timeout 120 poolctl map -f bench/echo --chunk $chunk <"$dir/want" >"$dir/out"
	cmp "$dir/out" "$dir/want"
	timeout 120 poolctl map -f bench/echo --chunk $chunk --unordered -j 3 <"$dir/want" | sort -n | cmp - "$dir/want"
done
run_ctl 0 map -f bench/sum --chunk 3 --tag ::: a b c d
expect_out "$(printf 'a\t97\nb\t98\nc\t99\nd\t100')"
run_ctl 0 map --json -f bench/sum --chunk 2 ::: a
expect_json 'd["result"] == 97 and d["state"] == "done" and d["seq"] == 1 and d["argument"] == "a"'
run_ctl 1 map -f bench/read8 --chunk 10 ::: aaaaaaaa b cccccccc
expect_out "$(printf '7016996765293437281\n7161677110969590627')"
expect_err_line 'b: failed'
run_ctl 1 map -f bench/nothing --chunk 2 ::: a b c d e
expect_err_line 'a: refused'
[ "$(wc -l <"$dir/err")" = 1 ]
run_ctl 1 map -f bench/fail --chunk 5 -j 1 --halt now ::: $(seq 100)
[ "$(wc -l <"$dir/err")" -lt 20 ]
head -c 100000 /dev/zero >"$dir/large"
run_ctl 1 map -f bench/sum --chunk 10 --files ::: "$dir/large" "$dir/none" "$dir/large"
expect_out "$(printf '0\n0')"
expect_err_line 'No such file'
(echo a; echo b; echo c) | timeout 60 poolctl map -f bench/echo --chunk 100 >"$dir/out"
expect_out "$(printf 'a\nb\nc')"
poolctl map -f bench/sleep --chunk 1 -j 2 ::: 1 2 3 >"$dir/out" 2>"$dir/err" </dev/null && fail "texts are no times"
printf '%s\n' a b c d e >"$dir/names"
mkfifo "$dir/args"
poolctl map -f bench/echo --chunk 2 <"$dir/args" >"$dir/out" 2>"$dir/err" &
mapper=$!
exec 8>"$dir/args"
cat "$dir/names" >&8
while [ "$(wc -l <"$dir/out")" -lt 5 ]; do
	kill -0 $mapper || fail "map ended"
	poolctl ping >"$dir/ping"
done
kill -TERM $mapper
code=0
wait $mapper || code=$?
exec 8>&-
[ $code = 130 ] || fail "exit $code instead of 130"
cmp "$dir/out" "$dir/names"
run_ctl 2 map --chunk 2 -- echo ::: a
run_ctl 2 map -f bench/echo --chunk 2 --joblog "$dir/log" ::: a
run_ctl 2 map -f bench/echo --chunk 0 ::: a
run_ctl 2 map -f bench/echo --chunk -1 ::: a
expect_err_line 'neither auto nor'
run_ctl 0 list -q
expect_out ''
