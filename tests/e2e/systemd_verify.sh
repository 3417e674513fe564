#!/bin/sh
# The shipped units say nothing that systemd does not understand. systemd-analyze prints unknown
# keys but exits 0, so the proof is that it stays silent.
set -eu
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze"; exit 77; }

src=${POOLD_TEST_SRCDIR:?} build=${POOLD_TEST_BUILDDIR:?}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Documentation= is looked up by man; only where man can find the pages of this tree.
pages=0
if command -v man >/dev/null; then
	for page in poold.8 poold.conf.5; do
		section=${page##*.}
		for at in "$build/docs/$page" "$src/docs/$page"; do
			[ -f "$at" ] || continue
			mkdir -p "$tmp/man/man$section"
			cp "$at" "$tmp/man/man$section/"
			pages=$((pages + 1))
			break
		done
	done
fi
if [ $pages = 2 ]; then pages=yes; else pages=no; fi
export MANPATH="$tmp/man"

failed=0
verify() { # directory below systemd/, manager
	mkdir -p "$tmp/units/$2"
	cp "$src/systemd/$1/poold.socket" "$tmp/units/$2/"
	# The unit names the installed programs, which need not be there yet.
	sed 's#^\(ExecStart\|ExecReload\)=[^ ]*#\1=/bin/true#' "$build/systemd/$1/poold.service" \
		>"$tmp/units/$2/poold.service"
	rc=0
	XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$tmp} systemd-analyze "--$2" --man=$pages verify \
		"$tmp/units/$2/poold.service" "$tmp/units/$2/poold.socket" 2>"$tmp/said" || rc=$?
	if [ $rc -ne 0 ] || [ -s "$tmp/said" ]; then
		echo "the $2 units: exit $rc"
		cat "$tmp/said"
		failed=1
	fi
}
verify . system
verify user user

# An unknown key must be noticed, else the silence above proves nothing.
mkdir "$tmp/units/bad"
{ echo '[Service]'; echo 'ExecStart=/bin/true'; echo 'NoSuchKey=1'; } >"$tmp/units/bad/bad.service"
systemd-analyze --man=no verify "$tmp/units/bad/bad.service" 2>"$tmp/said" || :
grep -q NoSuchKey "$tmp/said" || { echo "systemd-analyze did not see an unknown key"; failed=1; }

if command -v systemd-sysusers >/dev/null; then
	mkdir -p "$tmp/root/etc"
	systemd-sysusers --root="$tmp/root" "$src/systemd/sysusers.d/poold.conf" >"$tmp/said" 2>&1 ||
		{ cat "$tmp/said"; failed=1; }
	for who in passwd:poold group:poold group:poold-admin; do
		grep -q "^${who#*:}:" "$tmp/root/etc/${who%%:*}" ||
			{ echo "sysusers made no ${who#*:} in ${who%%:*}"; failed=1; }
	done
fi
exit $failed
