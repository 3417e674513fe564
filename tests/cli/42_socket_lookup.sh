#!/bin/sh
# The socket is --socket, then POOLD_SOCKET, then the one below XDG_RUNTIME_DIR.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
start_poold

socket=$POOLD_SOCKET
unset POOLD_SOCKET
run_ctl 0 --socket "$socket" ping
run_ctl 0 ping --socket "$socket"
POOLD_SOCKET=$socket run_ctl 0 ping
mkdir -p "$dir/xdg/poold"
ln -s "$socket" "$dir/xdg/poold/poold.sock"
XDG_RUNTIME_DIR=$dir/xdg run_ctl 0 ping
expect_out_line "$dir/xdg/poold/poold.sock"
