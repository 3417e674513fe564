#!/bin/sh
# clang-format would change nothing.
set -eu
command -v clang-format >/dev/null || { echo "skipped: no clang-format"; exit 77; }
cd "${POOLD_TEST_SRCDIR:?}"
failed=0 n=0
for file in $(find proto client daemon tests -name '*.[ch]' | sort); do
	clang-format --dry-run -Werror "$file" 2>&1 | grep -m 3 'error:' && failed=1
	n=$((n + 1))
done
echo "$n files looked at"
exit $failed
