#!/bin/sh
# The bar is drawn on a terminal, on standard error, and nowhere else.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

run_ctl 0 map --bar -- echo ::: a b
expect_no_err
"$PYTHON" -c 'import os; os.openpty()' 2>/dev/null || { echo "skipped: no pseudo-terminals here"; exit 77; }
timeout 60 "$PYTHON" -c '
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
	os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 1)
	os.execvp("poolctl", ["poolctl", "map", "--bar", "--", "echo", ":::", "a", "b"])
shown = b""
while True:
	try:
		piece = os.read(terminal, 4096)
	except OSError:
		break
	if not piece:
		break
	shown += piece
assert b"/2 ended, 0 failed" in shown, shown
assert shown.endswith(b"\r\x1b[K"), shown
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$dir/out"
expect_out "$(printf 'a\nb')"
