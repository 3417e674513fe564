#!/bin/sh
# Includes point down only: proto knows nothing of ours, client and worker know proto, the daemon's
# shell knows its core and proto, and the core is pure: a short list of headers of libc, and no
# symbol that reaches the world.
set -eu
cd "${POOLD_TEST_SRCDIR:?}"
build=${POOLD_TEST_BUILDDIR:?}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# Which of our headers ("…") the files of a folder may include, as an extended regular expression.
# The first line that matches the path decides; subfolders come before their parents.
cat >"$tmp/rules" <<'RULES'
proto/			^proto/
client/poolctl/		^(client|proto)/|^config\.h$
client/examples/	^client/poold(-[a-z]+)?\.h$
client/poold.h		^poold-(input|submit|future)\.h$
client/poold-		^poold(-reply)?\.h$
client/			^client/[^/]*$|^proto/|^config\.h$
daemon/core/		^daemon/core/
daemon/worker/examples/	^daemon/worker/poold-module\.h$
daemon/worker/modules/	^daemon/worker/poold-module\.h$
daemon/worker/		^daemon/worker/|^proto/|^config\.h$
daemon/			^daemon/[^/]*$|^daemon/core/|^proto/|^config\.h$
RULES

find proto client daemon -name '*.[ch]' | sort >"$tmp/files"
[ -s "$tmp/files" ] || { echo "no sources below $PWD"; exit 1; }

while read -r file; do
	allowed=$(awk -v f="$file" 'index(f, $1) == 1 { print $2; exit }' "$tmp/rules")
	grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file" |
		sed -E 's/^([0-9]+):[^"]*"([^"]*)".*/\1 \2/' >"$tmp/found" || :
	while read -r line header; do
		if ! printf '%s\n' "$header" | grep -qE "$allowed"; then
			echo "$file:$line: \"$header\" is above or beside this folder"
			failed=1
		fi
	done <"$tmp/found"
done <"$tmp/files"

# libevent is the daemon's shell's alone; nobody but poolctl writes JSON; the library links msgpack
# and nothing else.
foreign() { # regular expression of <headers>, regular expression of paths that may have them
	while read -r file; do
		printf '%s\n' "$file" | grep -qE "$2" && continue
		grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($1)" "$file" &&
			failed=1
	done <"$tmp/files"
	:
}
foreign 'event2?[/.]' '^daemon/[^/]*$'
foreign 'jansson' '^client/poolctl/'
foreign 'ini\.h|systemd/' '^daemon/[^/]*$'
foreign 'openssl/' '^daemon/worker/modules/'

# The core: these headers of libc, and no others.
pure='assert|ctype|errno|inttypes|limits|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|sys/queue|sys/types|uthash|utlist'
if [ -d daemon/core ]; then
	grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' daemon/core/*.[ch] |
		grep -vE "<($pure)\.h>" && { echo "the core is pure: not these headers"; failed=1; }
fi

# The headers could lie, the objects do not: beside itself, the compiled core calls only what
# handles memory and strings. Names with __ come from the compiler and its sanitizers.
calls='malloc|aligned_alloc|calloc|realloc|reallocarray|free|abort|qsort|bsearch|mem[a-z]+|bcmp|str[a-z]+|snprintf|vsnprintf|__.*|_GLOBAL_OFFSET_TABLE_'
if command -v nm >/dev/null && [ -d "$build/daemon/core" ]; then
	find "$build/daemon/core" -name '*.o' >"$tmp/objects"
	# shellcheck disable=SC2046 # no object has a space in its name
	nm -A $(cat "$tmp/objects") | awk -v calls="^($calls)\$" '
		{ sub(/@.*/, "", $NF) }
		$(NF - 1) == "U" || $(NF - 1) == "w" { used[$NF] = $1; next }
		{ defined[$NF] = 1 }
		END {
			for (name in used)
				if (!(name in defined) && name !~ calls)
					print used[name] " calls " name
		}' | sed "s|^$build/||" >"$tmp/calls"
	if [ -s "$tmp/calls" ]; then
		echo "the core is pure, it calls only memory and strings:"
		cat "$tmp/calls"
		failed=1
	fi
	echo "$(wc -l <"$tmp/objects") objects of the core looked at"
fi
echo "$(wc -l <"$tmp/files") files looked at"
exit $failed
