#!/bin/sh
# map with --files gives a function the content of each file; the digests are those of sha256sum.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkdir "$dir/in"
: >"$dir/in/empty"
printf x >"$dir/in/one"
head -c 65536 /dev/urandom >"$dir/in/at the limit"
head -c 2000000 /dev/urandom >"$dir/in/large"
(cd "$dir/in" && sha256sum ./* | sed 's/ .*//') >"$dir/want"
run_ctl 0 map -f digest/sha256 --files ::: "$dir"/in/*
cmp "$dir/out" "$dir/want"
(cd "$dir/in" && find . -type f -print0 | timeout 60 poolctl map -0 -f digest/sha256 --files --tag) |
	awk -F'\t' '{ print $2 "  " $1 }' >"$dir/sums"
(cd "$dir/in" && sha256sum --quiet -c "$dir/sums")
run_ctl 1 map -f digest/sha256 --files ::: "$dir/in/one" "$dir/in/absent" "$dir/in/empty"
expect_err_line 'absent: .*No such file'
[ "$(wc -l <"$dir/out")" = 2 ] || fail "the others were not done"
