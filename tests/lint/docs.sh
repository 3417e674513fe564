#!/bin/sh
# In a public header every function has a comment right above it that says Blocks, Owner, Returns,
# Errors and Since.
set -eu
cd "${POOLD_TEST_SRCDIR:?}"
failed=0 seen=0
for header in client/poold*.h daemon/worker/poold-module.h; do
	[ -f $header ] || continue
	seen=1
	awk -v file=$header '
	/\/\*/ { text = ""; open = 1; ended = 0 }
	open { text = text "\n" $0 }
	open && /\*\// { open = 0; ended = NR; next }
	open { next }
	/^[[:space:]]*#/ || /^[[:space:]]*$/ || /^extern "C"/ { if (/^[[:space:]]*$/) text = ""; next }
	# A declaration starts in the first column and may go on over several lines.
	{
		line = $0
		if (line ~ /^[[:space:]]/ || line ~ /^[})]/)
			next
		if (line ~ /^typedef/ || line !~ /poold_[a-z0-9_]+[[:space:]]*\(/)
			next
		match(line, /poold_[a-z0-9_]+[[:space:]]*\(/)
		name = substr(line, RSTART, RLENGTH - 1)
		n++
		split("Blocks Owner Returns Errors Since", need, " ")
		for (i = 1; i <= 5; i++)
			if (text !~ need[i] ":") {
				printf "%s:%d: %s() does not say %s:\n", file, NR, name, need[i]
				bad = 1
			}
		text = ""
	}
	END { printf "%s: %d functions\n", file, n; exit bad }' $header || failed=1
done
[ $seen = 1 ] || { echo "skipped: no public header yet"; exit 77; }
exit $failed
