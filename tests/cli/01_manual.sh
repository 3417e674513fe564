#!/bin/sh
# The manual page has every verb and every option of the tables, with its letter and argument, and no others.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"

page=$POOLD_TEST_SRCDIR/docs/poolctl.1.scd
poolctl help --tables >"$dir/tables"

# "-t --timeout TIME" of each option, as the tables and as the page have it.
awk -F'\t' '$2 != "verb" {
	print ($2 == "-" ? "" : $2 " ") $3 ($4 == "-" ? "" : " " $4) }' "$dir/tables" |
	sort -u >"$dir/of_tables"
# An entry is a line behind an empty one.
awk '/^# EXIT STATUS/ { exit } /^\*-/ && last == "" { print } { last = $0 }' "$page" |
	sed 's/_, \*-/_\n*-/g; s/\*, \*-\([^-]\)\*, /*\n*-\1*, /g' |
	sed 's/stdout\*, \*--stderr/stdout*\n*--stderr/' |
	sed 's/[*_,]//g; s/ \+/ /g; s/ $//' | sort -u >"$dir/of_page"
if ! diff "$dir/of_tables" "$dir/of_page" >"$dir/out"; then
	fail "options differ: < tables, > manual"
fi

awk -F'\t' '$2 == "verb" { print $1; if ($3 != "-") print $3 }' "$dir/tables" | while read -r verb; do
	grep -qE "^(## |\*|\*poolctl ).*\b$verb\b" "$page" || fail "the manual has no verb $verb"
done

# The synopsis has the same operands as the help of each verb.
awk -F'\t' '$2 == "verb" { print $1 }' "$dir/tables" >"$dir/verbs"
while read -r verb; do
	poolctl "$verb" --help </dev/null | sed -n '1s/^Usage: //p'
done <"$dir/verbs" | sed 's/ | -f/\npoolctl submit [OPTION…] -f/' | sort >"$dir/of_tables"
sed -n '/^# SYNOPSIS/,/^# DESCRIPTION/s/++$//; /^# SYNOPSIS/,/^# DESCRIPTION/p' "$page" |
	sed -n '/^\*poolctl [a-z]/{s/[*_]//g; s/\.\.\./…/g; p}' |
	while read -r line; do
		for verb in $(cat "$dir/verbs"); do
			line=$(printf '%s' "$line" | sed "s/ | \($verb\( \[\| |\|\$\)\)/ @poolctl \1/")
		done
		printf '%s\n' "$line" | sed 's/ @/\n/g'
	done | sort >"$dir/of_page"
diff "$dir/of_tables" "$dir/of_page" >"$dir/out" || fail "operands differ: < help, > synopsis"
