#!/bin/sh
# shutdown --mode finish: jobs that wait end first, new ones are refused.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkfifo "$dir/up" "$dir/go"
run_ctl 1 shutdown --mode now
run_ctl 1 shutdown --mode kill --timeout 1s
first=$(submit -- sh -c "echo up >'$dir/up'; read -r _ <'$dir/go'")
read -r _ <"$dir/up"
waiting=$(submit --after "$first" -- echo waited)
poolctl result "$waiting" >"$dir/waited" &
waiter=$!
run_ctl 0 shutdown --mode finish --timeout 1h
run_ctl 125 run -- true
echo go >"$dir/go"
wait $waiter || fail "result: exit $?"
grep -q waited "$dir/waited" || fail "no result"
read -r news <&8
[ "$news" = gone ] || fail "poold did not end"
