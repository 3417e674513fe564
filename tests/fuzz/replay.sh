#!/bin/sh
# Every fuzz target passes over its corpus and some thousand mutations of it. A fuzzer and a replaying target take
# the same arguments.
set -eu
corpus=${POOLD_TEST_SRCDIR:?}/tests/fuzz/corpus
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" # a fuzzer writes what it found here

for name in scan cursor rpc request; do
	[ -n "$(ls "$corpus/$name")" ] || { echo "no corpus for $name"; exit 1; }
	mkdir "$name"
	cp "$corpus/$name"/* "$name"
	chmod -R u+w "$name"
	"${POOLD_TEST_BUILDDIR:?}/tests/fuzz/fuzz_$name" -runs=20000 -seed=1 -max_len=4096 "$name" >"$name.log" 2>&1 || {
		cat "$name.log"
		exit 1
	}
	tail -n 1 "$name.log"
done
