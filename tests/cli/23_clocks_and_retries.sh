#!/bin/sh
# Each clock ends a job with 124 and says which; retries run it again; retry hands it in once more.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 124 run --json --deadline 100ms -- sleep 60
expect_json 'every[-1]["error"]["details"]["clock"] == "deadline"'
run_ctl 124 run --json --delay 1h --deadline 100ms -- true
expect_json 'every[-1]["error"]["details"]["clock"] == "deadline"'
one=$(submit -- sleep 60)
two=$(submit -- sleep 60)
run_ctl 124 run --json --start-within 100ms -- true
expect_json 'every[-1]["error"]["details"]["clock"] == "start_within"'
run_ctl 0 cancel "$one" "$two"
run_ctl 130 wait "$one"

# It fails twice.
run_ctl 0 run --retries 3 --backoff 10ms -- sh -c 'echo $POOLD_ATTEMPT; test $POOLD_ATTEMPT = 3'
run_ctl 3 run --retries 3 --retry-on lost,timeout -- sh -c 'exit 3'
id=$(submit --retries 1 --retry-on failed -- sh -c 'exit 5')
run_ctl 5 wait "$id"
run_ctl 0 --json info "$id"
expect_json '[a["attempt"] for a in d["attempts"]] == [1, 2]'

# Once more.
run_ctl 0 retry "$id"
again=$(cat "$dir/out")
[ "$again" != "$id" ] || fail "retry gave the same ID"
run_ctl 5 wait "$again"
run_ctl 0 --json retry "$id" "$again"
expect_json '[r["retry_of"] for r in d["retried"]] == ['"$id, $again]"
run_ctl 3 retry 999999999
id=$(submit -- true)
run_ctl 0 wait "$id"
run_ctl 1 retry "$id"

run_ctl 125 run --deadline 0 -- true
run_ctl 125 run --retries 1001 -- true
run_ctl 125 run --retries 1 --retry-on often -- true
run_ctl 125 run --backoff 1s -- true
