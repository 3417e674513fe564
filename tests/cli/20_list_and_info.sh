#!/bin/sh
# list and info show what was said at submit, and filters pick.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

a=$(submit --label first --group g1 -- true)
b=$(submit --label second --group g2 -- false)
poolctl wait "$a" "$b" >/dev/null || :
run_ctl 0 list
expect_out_line '^ *ID +STATE'
expect_out_line "^ *$a +done .* first\$"
expect_out_line "^ *$b +failed \\(exit\\) .* second\$"
run_ctl 0 list --no-legend
expect_out_line "^ *$a "
! grep -q STATE "$dir/out" || fail "titles in spite of --no-legend"
run_ctl 0 list -q
expect_out "$(printf '%s\n%s' "$a" "$b")"
run_ctl 0 list -q --state failed
expect_out "$b"
run_ctl 0 list -q --group g1
expect_out "$a"
run_ctl 0 list -q --label second
expect_out "$b"
run_ctl 0 list -q -n 1
expect_out "$b"
run_ctl 0 list -q --pool digest
expect_out ''
run_ctl 0 list --json
expect_json '[f["id"] for f in d["futures"]] == ['"$a, $b"'] and d["futures"][0]["submitted"].endswith("Z")'
run_ctl 0 info "$b"
expect_out_line '^state +failed'
expect_out_line '^label +second$'
expect_out_line '^timing\.run +[0-9.]+(us|ms|s)$'
expect_out_line '^error\.details\.signal +-$'
run_ctl 0 status --json "$a" "$b"
expect_json '[x["label"] for x in every] == ["first", "second"] and d["submitted_ns"] > 10**18'
run_ctl 3 info 9007199254740991
run_ctl 3 info "$a" 9007199254740991
run_ctl 0 list -q --since 1h
expect_out "$(printf '%s\n%s' "$a" "$b")"
run_ctl 0 list -q --after "$a"
expect_out "$b"
run_ctl 0 list -q --before "$b"
expect_out "$a"
run_ctl 0 list -o id,GROUP,label --label first
expect_out_line '^ID +GROUP +LABEL$'
expect_out_line "^ *$a +g1 +first$"
run_ctl 2 list -o id,colour
expect_err_line '"colour" is no column'
run_ctl 2 list -o ''
# More than the daemon gives at a time: page by page, the oldest first.
"$PYTHON" -c '
import sys
sys.path.insert(0, sys.argv[1])
from wire import Client
with Client(sys.argv[2]) as c:
    print(*c.call("submit_many", "bench/noop", [None] * 2100), sep="\n")
' "$POOLD_TEST_SRCDIR/tests/lib" "$POOLD_SOCKET" >"$dir/ids"
run_ctl 0 list -q
tail -n 1000 "$dir/ids" | cmp -s - "$dir/out" || fail "list is not the newest 1000"
run_ctl 0 list -q -n 2050
tail -n 2050 "$dir/ids" | cmp -s - "$dir/out" || fail "list -n 2050 is not the newest 2050"
run_ctl 0 list -q -n 5000
{ printf '%s\n%s\n' "$a" "$b"; cat "$dir/ids"; } | cmp -s - "$dir/out" || fail "list -n 5000 is not all"
