#!/bin/sh
# Each line of tests/sim/mutants still finds what it breaks. Whether the simulator notices is for
# tests/sim/mutants.sh, which takes minutes.
set -eu
cd "${POOLD_TEST_SRCDIR:?}"
failed=0 n=0 name=
while IFS='|' read -r word file expression; do
	case $word in
	''|'#'*) continue ;;
	+) ;;
	*) name=$word ;;
	esac
	n=$((n + 1))
	if sed -E "$expression" "daemon/core/$file" | cmp -s - "daemon/core/$file"; then
		echo "$name: finds nothing to break in $file: $expression"
		failed=1
	fi
done <tests/sim/mutants
echo "$n lines looked at"
[ "$n" -gt 0 ]
exit $failed
