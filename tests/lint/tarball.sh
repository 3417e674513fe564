#!/bin/sh
# The tarball has every file that git has, but what only a checkout needs.
set -eu
src=${POOLD_TEST_SRCDIR:?} build=${POOLD_TEST_BUILDDIR:?}
command -v git >/dev/null || { echo "skipped: no git"; exit 77; }
[ "$(git -C "$src" rev-parse --show-cdup 2>/dev/null || echo none)" = "" ] ||
	{ echo "skipped: $src is no checkout"; exit 77; }
[ -w "$src" ] || { echo "skipped: the source directory is read-only"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# distdir only copies; a second name keeps it apart from a "make dist" beside it.
unset MAKEFLAGS MFLAGS MAKELEVEL
make -C "$build" distdir distdir="$tmp/dist" >"$tmp/said" 2>&1 ||
	{ tail -n 30 "$tmp/said"; echo "make distdir failed"; exit 1; }
git -C "$src" ls-files --cached | LC_ALL=C sort | while read -r file; do
	# Deleted but not yet committed is no fault of the list.
	[ -e "$src/$file" ] && printf '%s\n' "$file"
done | grep -vxE '(m4/)?\.gitignore|\.gitattributes|\.ci/.*' >"$tmp/git"
(cd "$tmp/dist" && find . -type f | sed 's|^\./||' | LC_ALL=C sort) >"$tmp/tar"
LC_ALL=C comm -23 "$tmp/git" "$tmp/tar" >"$tmp/missing"
if [ -s "$tmp/missing" ]; then
	echo "in git, but not in the tarball (EXTRA_DIST?):"
	cat "$tmp/missing"
	exit 1
fi
echo "$(wc -l <"$tmp/git") files"
