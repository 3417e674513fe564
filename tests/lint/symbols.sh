#!/bin/sh
# libpoold exports what its map lists and the map lists what the headers declare: no name more,
# none less, all of them poold_.
set -eu
src=${POOLD_TEST_SRCDIR:?} build=${POOLD_TEST_BUILDDIR:?}
map=$src/client/libpoold.map headers=$(find "$src/client" -maxdepth 1 -name "poold*.h")
library=$build/client/.libs/libpoold.so
[ -f "$map" ] || { echo "skipped: no $map"; exit 77; }
command -v nm >/dev/null || { echo "skipped: no nm"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# D and T with a version; the node itself is an absolute symbol.
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	LC_ALL=C sort >"$tmp/library"
grep -oE '^[[:space:]]+[a-z_0-9]+;' "$map" | tr -d ' \t;' | LC_ALL=C sort >"$tmp/map"
# Words followed by "(" that are declared, not mentioned in a comment or used as a type.
# shellcheck disable=SC2086
sed -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//d' -e '/^[[:space:]]*#/d' $headers | tr '\n' ' ' | tr ';' '\n' |
	grep -v typedef | grep -oE 'poold_[a-z0-9_]+[[:space:]]*\(' | tr -d ' (\t' |
	LC_ALL=C sort -u >"$tmp/header"

failed=0
[ -s "$tmp/map" ] || { echo "the map is empty"; failed=1; }
grep -v '^poold_' "$tmp/library" && { echo "exported without poold_ in front"; failed=1; }
grep -n '\*;' "$map" | grep -v 'local:' && { echo "a wildcard in the map"; failed=1; }
diff -u "$tmp/map" "$tmp/library" || { echo "the library exports other names than the map"; failed=1; }
diff -u "$tmp/map" "$tmp/header" || { echo "the headers declare other names than the map"; failed=1; }
echo "$(wc -l <"$tmp/map") names"
exit $failed
