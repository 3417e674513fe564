#!/bin/sh
# The completion offers verbs, and the options of a verb.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"
command -v bash >/dev/null || { echo "skipped: no bash"; exit 77; }

complete_words() { # the words of the command line, the last one to be completed
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
		_poolctl; printf "%s\n" "${COMPREPLY[@]}"' - \
		"$POOLD_TEST_SRCDIR/client/poolctl/completions/poolctl" "$@" >"$dir/out"
}

complete_words poolctl su
expect_out submit
complete_words poolctl submit --wait-
expect_out --wait-timeout
complete_words poolctl list --soc
expect_out --socket
complete_words poolctl --json f
expect_out "$(printf 'forget\nfunctions')"
complete_words poolctl wait ''
expect_out ''
