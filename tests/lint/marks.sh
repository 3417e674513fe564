#!/bin/sh
# Nothing half-done is marked in the tree, and nothing in it knows the machine that it was made on.
set -eu
cd "${POOLD_TEST_SRCDIR:?}"
failed=0
list=$(find . \( -name .git -o -name 'build' -o -name 'build-*' -o -name autom4te.cache -o -name m4 \
	-o -name corpus \) -prune -o -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.map' \
	-o -name '*.am' -o -name '*.ac' -o -name '*.sh' -o -name '*.py' -o -name '*.scd' \
	-o -name '*.md' -o -name '*.in' -o -name '*.conf' -o -name '*.socket' \
	-o -name bootstrap -o -path './.ci/*' \) -print | grep -v '/Makefile\.in$\|/config\.h\.in$' |
	grep -v '^\./tests/lint/marks\.sh$' | sort)

refuse() { # what it is, extended regular expression
	# shellcheck disable=SC2086 # no file of this tree has a space in its name
	if grep -HnE "$2" $list; then
		echo "^ $1"
		failed=1
	fi
}
refuse 'a mark of unfinished work' '\<(TODO|FIXME|XXX|HACK|WIP)\>'
refuse 'a path of one machine' \
	'(^|[[:space:]"=:(`<])/(work|home|Users|root)/[a-z]|\.\./shared|/tmp/b-'
refuse 'a conflict left over' '^(<<<<<<<|>>>>>>>)( |$)'
refuse 'white space at the end of a line' '[^[:space:]][ 	]+$'
echo "$(printf '%s\n' "$list" | wc -l) files looked at"
exit $failed
