#!/bin/sh
# shutdown ends the daemon in order; whoever waits is answered.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold 'stop_timeout = 100ms'

mkfifo "$dir/up"
id=$(submit -- sh -c "echo up >'$dir/up'; exec sleep 60")
read -r _ <"$dir/up"
poolctl wait --json "$id" >"$dir/waited" &
waiter=$!
run_ctl 0 ping
poolctl shutdown
code=0
wait $waiter || code=$?
[ $code = 125 ] || fail "wait: exit $code instead of 125"
cp "$dir/waited" "$dir/out"
expect_json 'd["exit_source"] in ("aborted", "poold", "poolctl")'
read -r news <&8
[ "$news" = gone ] || fail "poold did not end"
run_ctl 4 ping
