#!/bin/sh
# logs shows what is there, also while the job runs; -f goes on to its end.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

mkfifo "$dir/up" "$dir/go" "$dir/live"
id=$(submit -- sh -c "echo one; echo two >&2; echo up >'$dir/up'; read _ <'$dir/go'; echo three")
read -r _ <"$dir/up"
poolctl logs -f "$id" >"$dir/live" 2>"$dir/err" &
follower=$!
{
	read -r line
	[ "$line" = one ] || fail "\"$line\" is not the first line"
	echo go >"$dir/go"
	read -r line
	[ "$line" = three ] || fail "\"$line\" is not the last line"
} <"$dir/live"
wait $follower
[ "$(cat "$dir/err")" = two ] || fail "standard error is not \"two\""
run_ctl 0 wait "$id"
run_ctl 0 logs "$id"
expect_out "$(printf 'one\nthree')"
run_ctl 0 logs --stderr "$id"
expect_out two
expect_no_err
run_ctl 0 logs --stdout "$id"
expect_no_err
run_ctl 0 logs --stdout --offset 4 "$id"
expect_out three
run_ctl 0 logs --json "$id"
expect_json '"".join(x["data"] for x in every if x["stream"] == "stdout") == "one\nthree\n"'
run_ctl 3 logs 9007199254740991

# A character of three bytes in three pieces stays text; one that never becomes whole, and other bytes, do not.
mkfifo "$dir/step"
# Open here all the time: else the second read could see the end of the first writer.
exec 6<>"$dir/step"
id=$(submit -- sh -c "
	printf 'a\\342'; read _ <'$dir/step'; printf '\\202'; read _ <'$dir/step'; printf '\\254z\\303'")
rm "$dir/live"
mkfifo "$dir/live"
poolctl logs --json --stdout -f "$id" >"$dir/live" 2>"$dir/err" &
follower=$!
exec 7<"$dir/live"
read -r line <&7
echo go >&6
while [ "$(poolctl logs --stdout "$id" | wc -c)" -lt 3 ]; do :; done
echo go >&6
{ printf '%s\n' "$line"; cat <&7; } >"$dir/out"
wait $follower
expect_json '[x["data"] for x in every] == ["a", "\u20acz", {"base64": "ww=="}]'
expect_json '[x["offset"] for x in every] == [0, 1, 5]'

# Another run is shown from its beginning; --offset is of the first one that is seen.
rm "$dir/live"
mkfifo "$dir/live"
id=$(submit --retries 1 --retry-on failed --backoff 10ms -- sh -c "
	test \$POOLD_ATTEMPT = 2 && { echo short; exit 0; }
	echo a long first line; read _ <'$dir/go'; exit 1")
poolctl logs -f --offset 2 "$id" >"$dir/live" 2>"$dir/err" &
follower=$!
{
	read -r line
	[ "$line" = 'long first line' ] || fail "\"$line\" is not the first line"
	echo go >"$dir/go"
	read -r line
	[ "$line" = short ] || fail "\"$line\" is not what the second run wrote"
} <"$dir/live"
wait $follower
expect_err_line '^poolctl: attempt 2$'
run_ctl 0 logs --json "$id"
expect_json '(d["attempt"], d["data"]) == (2, "short\n")'
# One that was never run has nothing to show.
id=$(submit --delay 1h -- true)
run_ctl 0 cancel -q "$id"
run_ctl 0 logs -f "$id"
expect_out ''
