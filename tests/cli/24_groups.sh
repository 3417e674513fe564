#!/bin/sh
# wait, cancel and release take what futures are in place of their IDs; what ends things asks on a terminal.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

a=$(submit --group g -- true)
b=$(submit --group g -- true)
other=$(submit --label x -- false)
run_ctl 0 wait --group g
expect_out_line "^$a done\$"
expect_out_line "^$b done\$"
run_ctl 1 wait --all
expect_out_line "^$other failed\$"
run_ctl 1 wait --label x
expect_out_line "^$other failed\$"
run_ctl 0 wait --group none
expect_err_line 'nothing to wait for'
run_ctl 125 wait --group g "$a"
expect_err_line 'exclude each other'
run_ctl 0 cancel --all
expect_no_err
run_ctl 1 cancel --all --state done
expect_err_line "$a had ended before"
run_ctl 0 release --group g
expect_err_line '2 released'
run_ctl 0 list -q
expect_out "$other"

one=$(submit --group g -- sleep 60)
two=$(submit --group h -- sleep 60)
run_ctl 124 wait --group g --timeout 0
run_ctl 0 cancel --group g --json --reason 'not wanted'
expect_json 'd["outcomes"][0]["id"] == '"$one"' and len(d["outcomes"]) == 1'
run_ctl 1 wait --group g
run_ctl 0 list -q --state running
expect_out "$two"

# More than one request may act on.
"$PYTHON" -c '
import sys
sys.path.insert(0, sys.argv[1])
from wire import Client
with Client(sys.argv[2]) as c:
    for _ in range(4):
        c.call("submit_many", "default/exec", [["sleep", "60"]] * 9000, {"group": "many"})
' "$POOLD_TEST_SRCDIR/tests/lib" "$POOLD_SOCKET"
run_ctl 0 cancel --group many -q --mode kill
expect_no_err
run_ctl 1 wait --group many --timeout 60s -q
run_ctl 0 release --group many
expect_err_line '36000 released'

"$PYTHON" -c 'import os; os.openpty()' 2>/dev/null || { echo "skipped: no pseudo-terminals here"; exit 77; }
# on_terminal CODE ANSWER WORD…: poolctl with these words on a terminal of its own, where this is typed.
on_terminal() {
	timeout 60 "$PYTHON" -c '
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
	os.execvp("poolctl", ["poolctl", *sys.argv[3:]])
shown = b""
while True:
	try:
		piece = os.read(terminal, 4096)
	except OSError:
		break
	if not piece:
		break
	if b"[y/N]" in piece:
		os.write(terminal, sys.argv[2].encode() + b"\n")
	shown += piece
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(shown.decode())
assert code == int(sys.argv[1]), code' "$@" >"$dir/out" 2>&1 || fail "on a terminal: $*"
}
on_terminal 1 n cancel --all
expect_out_line 'Cancel 1 future\? \[y/N\]'
expect_out_line 'nothing was done'
on_terminal 1 '' cancel --group h
run_ctl 0 list -q --state running
expect_out "$two"
on_terminal 0 y cancel --all --mode kill
expect_out_line "$two cancelling"
run_ctl 1 wait --all
on_terminal 1 n release --all
on_terminal 0 '' release --all --yes
! grep -q 'y/N' "$dir/out" || fail "asks in spite of --yes"
run_ctl 0 list -q
expect_out ''
