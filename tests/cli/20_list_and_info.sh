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
run_ctl 0 status --json "$a" "$b"
expect_json '[x["label"] for x in every] == ["first", "second"] and d["submitted_ns"] > 10**18'
run_ctl 3 info 9007199254740991
run_ctl 3 info "$a" 9007199254740991
