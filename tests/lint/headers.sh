#!/bin/sh
# Every header compiles alone. The public ones do so as C99 without a warning, and as C++17.
set -eu
cd "${POOLD_TEST_SRCDIR:?}"
: "${POOLD_TEST_BUILDDIR:?}" "${POOLD_TEST_CC:?}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0 n=0

# Flags come from make with paths relative to the build tree.
compile() { # compiler and flags…, then the source as the last argument
	(cd "$POOLD_TEST_BUILDDIR" && "$@" -fsyntax-only) 2>"$tmp/said" && [ ! -s "$tmp/said" ]
}

for header in $(find proto client daemon tests -name '*.h' | sort); do
	printf '#include "%s"\n' "$header" >"$tmp/alone.c"
	# shellcheck disable=SC2086 # the compiler and its flags are words
	if ! compile $POOLD_TEST_CC $POOLD_TEST_CPPFLAGS -I"$POOLD_TEST_SRCDIR" -std=gnu17 -Wall \
		-Wextra -Wno-unused-parameter -Wno-unused-function -Werror \
		"$tmp/alone.c"; then
		echo "$header does not compile alone:"
		cat "$tmp/said"
		failed=1
	fi
	n=$((n + 1))
done

cxx=
for try in g++ clang++; do
	command -v $try >/dev/null && { cxx=$try; break; }
done
publics="$(find client -maxdepth 1 -name "poold*.h") daemon/worker/poold-module.h"
# As a user sees them: by their names, with nothing of this tree in reach.
mkdir "$tmp/include"
# shellcheck disable=SC2086
cp $publics "$tmp/include/"
for public in $publics; do
	printf '#include <%s>\nint main(void) { return 0; }\n' "${public##*/}" >"$tmp/use.c"
	# shellcheck disable=SC2086
	if ! compile $POOLD_TEST_CC -I"$tmp/include" -std=c99 -pedantic -Wall -Wextra -Werror \
		-Wstrict-prototypes "$tmp/use.c"; then
		echo "$public is not C99:"
		cat "$tmp/said"
		failed=1
	fi
	[ -n "$cxx" ] || { echo "no C++ compiler: $public not tried as C++17"; continue; }
	if ! compile $cxx -x c++ -I"$tmp/include" -std=c++17 -pedantic -Wall -Wextra -Werror \
		"$tmp/use.c"; then
		echo "$public is not C++17:"
		cat "$tmp/said"
		failed=1
	fi
done
echo "$n headers compiled"
exit $failed
