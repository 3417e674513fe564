#!/bin/sh
# Thousands of arguments: every one once and in order, with few fds and a bounded window.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

seq 5000 >"$dir/want"
(ulimit -n 32 && timeout 120 poolctl map -f bench/echo -j 16 <"$dir/want") >"$dir/out"
cmp "$dir/out" "$dir/want"
timeout 120 poolctl map --unordered -f bench/echo <"$dir/want" | sort -n | cmp - "$dir/want"
head -c 100000 /dev/zero >"$dir/large"
yes "$dir/large" | head -n 200 >"$dir/names"
(ulimit -n 32 && timeout 120 poolctl map -f bench/echo --files <"$dir/names") | wc -c >"$dir/out"
expect_out 20000200
run_ctl 0 list -q
expect_out ''
