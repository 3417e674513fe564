#!/bin/sh
# Ctrl-C at each verb that blocks. Who only looks on goes; the job of "call" and "map" goes with its poolctl.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

# Sends SIGINT once the daemon knows of the caller; a shell starts background jobs with SIGINT ignored.
interrupt() { # what the shell shall see, a running job's label or "", word…
	want=$1
	label=$2
	shift 2
	"$PYTHON" -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("poolctl", ["poolctl", *sys.argv[1:]])' "$@" >"$dir/out" 2>"$dir/err" </dev/null &
	caller=$!
	if [ -n "$label" ]; then
		while [ -z "$(poolctl list -q --state running --label "$label")" ]; do :; done
	else
		while [ "$(connections)" -lt 2 ]; do :; done
	fi
	case " $* " in
	*" wait "*) catches_signals $caller ;;
	esac
	kill -INT $caller
	code=0
	wait $caller || code=$?
	[ $code = "$want" ] || fail "poolctl $*: exit $code instead of $want"
}

# Those of poolctl, and the one that asks.
connections() {
	poolctl stats --json | "$PYTHON" -c '
import json, sys
print(json.load(sys.stdin)["total_limits"]["connections"]["used"])'
}

mkfifo "$dir/up"
id=$(submit -- sh -c "echo up >'$dir/up'; exec sleep 60")
read -r _ <"$dir/up"
for verb in wait "wait --any" result "logs -f"; do
	# shellcheck disable=SC2086
	interrupt 130 "" $verb "$id"
done
interrupt 130 "" --json wait "$id"
expect_json 'd["exit_source"] == "poolctl" and d["exit_code"] == 130'
run_ctl 0 info "$id"
expect_out_line '^state +running$'
run_ctl 0 cancel "$id"

interrupt 130 waited submit --wait --label waited -- sleep 60
interrupt 130 called call bench/sleep --json-arg 60000000 --label called
interrupt 130 mapped map --label mapped sleep ::: 60
interrupt 130 ran run --label ran -- sleep 60
run_ctl 0 list -q --state running
[ "$(wc -l <"$dir/out")" = 1 ] || fail "not only the job of submit goes on"
run_ctl 0 list -q --label waited --state running
run_ctl 0 cancel "$(cat "$dir/out")"
