#!/bin/sh
# --admit-within: where a limit is reached a verb waits for room, not longer than it was told, and for nothing that only
# its own user could do.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold '[limits]' 'jobs = 2' 'futures = 5'

# Two of them are all that may be there.
sleeper() {
	poolctl submit -f bench/sleep --json-arg 600000000
}
end() {
	poolctl cancel "$first" "$second" >"$dir/cancelled"
	poolctl wait "$first" "$second" >"$dir/waited" || [ $? = 1 ]
	poolctl release "$first" "$second" >"$dir/released"
}
# So many requests wait for room.
await_waiting() {
	until [ "$(poolctl --json stats | "${PYTHON:?}" -c \
		'import json, sys; print(json.load(sys.stdin)["limits"]["parked_bytes"]["used"] > 0)')" = "$1" ]; do
		:
	done
}

first=$(sleeper)
second=$(sleeper)
run_ctl 1 submit -- true
expect_err_line 'limit of jobs'
run_ctl 1 submit --admit-within 50ms -- true
expect_err_line 'limit of jobs'
run_ctl 125 run --admit-within 50ms -- true
expect_err_line 'limit of jobs'
run_ctl 2 submit --admit-within 0 -- true
expect_err_line 'admit-within must be above 0'
run_ctl 2 put --admit-within 0 --json-arg 1
expect_err_line 'admit-within must be above 0'

# Each of them waits until there is room, and then does what it does.
poolctl run --admit-within 10m -- echo let in >"$dir/out" &
runs=$!
await_waiting True
end
wait $runs
echo 'let in' | cmp - "$dir/out"
await_waiting False

first=$(sleeper)
second=$(sleeper)
poolctl call --admit-within 10m bench/echo called >"$dir/called" &
calls=$!
await_waiting True
poolctl map --admit-within 10m -f bench/echo ::: a b c >"$dir/mapped" &
maps=$!
end
wait $calls
wait $maps
grep -q called "$dir/called"
[ "$(wc -l <"$dir/mapped")" = 3 ]

# Who is interrupted while it waits leaves nothing behind.
first=$(sleeper)
second=$(sleeper)
poolctl submit --admit-within 10m -- true >"$dir/out" &
waits=$!
await_waiting True
kill -INT $waits || :
kill -TERM $waits || :
wait $waits && exit 1
await_waiting False
end

# What only its own releases could free is not waited for.
poolctl release --all
for i in 1 2 3 4 5; do
	poolctl put --json-arg $i >>"$dir/ids"
done
run_ctl 1 put --admit-within 10m --json-arg 6
expect_err_line 'limit of futures'
# shellcheck disable=SC2046 # IDs are words
poolctl release $(head -n 4 "$dir/ids")
run_ctl 0 put --admit-within 10m --json-arg 6
