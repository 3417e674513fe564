#!/bin/sh
# The manual pages are well-formed: mandoc or groff has nothing to say about them.
set -eu
src=${POOLD_TEST_SRCDIR:?} build=${POOLD_TEST_BUILDDIR:?}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0 n=0
for source in "$src"/docs/*.scd; do
	[ -f "$source" ] || break
	page=$(basename "$source" .scd)
	at=$build/docs/$page
	[ -f "$at" ] || at=$src/docs/$page
	[ -f "$at" ] || { echo "$page was not built"; failed=1; continue; }
	n=$((n + 1))
	for section in NAME SYNOPSIS DESCRIPTION EXAMPLES; do
		grep -qx "# $section" "$source" || { echo "$page has no section $section"; failed=1; }
	done
	# No page for its own sake: each one points on.
	grep -qx '# SEE ALSO' "$source" || { echo "$page has no section SEE ALSO"; failed=1; }
	if command -v mandoc >/dev/null; then
		# Empty paragraphs are the generator's own output is not ours; a page that is not installed
		# yet cannot be referred to.
		mandoc -T lint -W warning "$at" >"$tmp/said" 2>&1 || :
		grep -v 'skipping paragraph macro\|cross reference\|referenced manual not found' "$tmp/said" >"$tmp/rest" || :
	elif command -v man >/dev/null && command -v groff >/dev/null; then
		LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$at" \
			2>"$tmp/rest" >/dev/null || failed=1
	else
		continue
	fi
	if [ -s "$tmp/rest" ]; then
		cat "$tmp/rest"
		failed=1
	fi
done
[ $n -gt 0 ] || { echo "skipped: no manual page was built"; exit 77; }
echo "$n pages"
exit $failed
