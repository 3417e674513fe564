# shellcheck shell=sh
# For the scripts of tests/cli: a poold of the build tree in its own folder, and words to judge what poolctl does.
# Use: . "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"; then start_poold.

set -eu
build=${POOLD_TEST_BUILDDIR:?}
unset XDG_RUNTIME_DIR POOLD_TIMEOUT TRACEPARENT NO_COLOR CLICOLOR_FORCE || :
LC_ALL=C.UTF-8
export LC_ALL
for program in client/poolctl/poolctl daemon/poold daemon/worker/poold-worker; do
	[ -x "$build/$program" ] || { echo "skipped: no $program in the build tree"; exit 77; }
done
PATH=$build/client/poolctl:$build/daemon:$PATH
dir=$(mktemp -d "${TMPDIR:-/tmp}/poold-cli.XXXXXX")
poold_pid=
reader_pid=
poold_uid= # whom poold runs as, if not as the caller: for root
POOLD_SOCKET=$dir/run/poold.sock
export POOLD_SOCKET

# Ends the daemon by its pid; it must leave in order.
stop_poold() {
	[ -n "$poold_pid" ] || return 0
	kill -TERM "$poold_pid" 2>/dev/null || :
	stopped=0
	wait "$poold_pid" || stopped=$?
	poold_pid=
	wait "$reader_pid" || :
	exec 8>&-
	return $stopped
}

leave() {
	code=$?
	trap - EXIT
	stop_poold || { echo "poold exited with $stopped"; code=1; }
	if [ $code != 0 ] && [ $code != 77 ] && [ -f "$dir/poold.log" ]; then
		sed 's/^/poold: /' "$dir/poold.log"
	fi
	rm -rf "$dir"
	exit $code
}
trap leave EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# Keeps what the daemon says; tells fd 8 once of READY, and of the end.
read_poold() {
	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$dir/poold.log"
		case $line in
		*READY*) echo ready >&8 ;;
		esac
	done <"$dir/said"
	echo gone >&8
}

# Arguments are further lines of the section [daemon].
start_poold() {
	mkdir "$dir/state" "$dir/run"
	[ -z "$poold_uid" ] || chown "$poold_uid" "$dir/state" "$dir/run"
	{
		printf '[daemon]\nsocket = %s\nstate_dir = %s\nworker = %s\nmodule_dir = %s\n' \
			"$POOLD_SOCKET" "$dir/state" "$build/daemon/worker/poold-worker" \
			"$build/daemon/worker/modules/.libs"
		[ $# = 0 ] || printf '%s\n' "$@"
		printf '[pool default]\nhandler = exec\nworkers = 2\n'
		printf '[pool digest]\nhandler = module\nmodule = digest\nworkers = 2\n'
		printf '[pool bench]\nhandler = module\nmodule = bench\nworkers = 2\n'
	} >"$dir/poold.conf"
	mkfifo "$dir/said" "$dir/news"
	exec 8<>"$dir/news"
	read_poold &
	reader_pid=$!
	${poold_uid:+setpriv --reuid $poold_uid --regid $poold_uid --clear-groups --} \
		"$build/daemon/poold" --config "$dir/poold.conf" </dev/null >/dev/null 2>"$dir/said" 8>&- &
	poold_pid=$!
	read -r news <&8
	[ "$news" = ready ] || fail "poold did not start"
}

fail() {
	printf 'FAILED: %s\n' "$*"
	for said in out err; do
		[ -f "$dir/$said" ] && sed "s/^/$said: /" "$dir/$said"
	done
	exit 1
}

# run_ctl CODE WORD…: poolctl with these words exits with CODE; its output is in $dir/out and $dir/err.
run_ctl() {
	want=$1
	shift
	got=0
	timeout 60 poolctl "$@" >"$dir/out" 2>"$dir/err" </dev/null || got=$?
	[ "$got" = "$want" ] || fail "poolctl $*: exit $got instead of $want"
}

# What the last run_ctl printed is exactly this text (a last newline does not count).
expect_out() {
	[ "$(cat "$dir/out")" = "$1" ] || fail "standard output is not \"$1\""
}

# Standard error, or standard output, has a line that matches an extended regular expression.
expect_err_line() {
	grep -qE -e "$1" "$dir/err" || fail "standard error has no line like $1"
}

expect_out_line() {
	grep -qE -e "$1" "$dir/out" || fail "standard output has no line like $1"
}

expect_no_err() {
	[ ! -s "$dir/err" ] || fail "standard error is not empty"
}

# The JSON in $dir/out, read by Python as d (the first line) and all (every line), makes this expression true.
expect_json() {
	"$PYTHON" -c '
import json, sys
every = [json.loads(line) for line in open(sys.argv[1])]
d = every[0]
assert all(x["schema"] == 1 for x in every), "schema"
assert eval(sys.argv[2]), sys.argv[2]' "$dir/out" "$1" 2>"$dir/why" ||
		fail "JSON: not $1: $(tail -n 1 "$dir/why")"
}

# submit WORD…: prints the ID.
submit() {
	timeout 60 poolctl submit -q "$@" </dev/null
}

# Waits until this process reads its signals itself; /proc/PID/status has a mask in hexadecimal, SIGTERM is
# the bit 0x4000.
catches_signals() {
	until mask=$(sed -n 's/^SigBlk:[^0-9a-f]*//p' "/proc/$1/status") && [ $((0x$mask & 0x4000)) != 0 ]; do
		kill -0 "$1" || fail "it ended early"
	done
}
