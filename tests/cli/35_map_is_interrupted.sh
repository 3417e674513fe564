#!/bin/sh
# A signal to map cancels what runs and hands in no more.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkfifo "$dir/up"
# Not below timeout(1): a signal that it gets before its fork() returned ends it alone.
poolctl map -j 2 -- sh -c "echo up >'$dir/up'; exec sleep 60" ::: a b c d \
	>"$dir/out" 2>"$dir/err" </dev/null &
mapper=$!
# Both: who writes to a pipe without a reader dies of it.
exec 7<>"$dir/up"
read -r _ <&7
read -r _ <&7
# Who signals a process and its group, as timeout(1) does, means one signal.
kill -TERM $mapper $mapper
code=0
wait $mapper || code=$?
[ $code = 130 ] || fail "exit $code instead of 130"
expect_err_line '^poolctl: a: cancelled: '
expect_err_line '^poolctl: interrupted$'
! grep -q '^poolctl: [cd]: ' "$dir/err" || fail "more was handed in"
run_ctl 0 list -q
expect_out ''
