#!/bin/sh
# Can the simulator fail? Each line of tests/sim/mutants breaks one thing in the core, with the lines
# behind it that begin with "+"; the simulator must notice every one of them, and every line must
# still find what it breaks. Not part of "make check" (a minute or two of compiling):
#
#	tests/sim/mutants.sh [SEEDS] [NAME…]
#
# SEEDS (default 1-3000) are tried for each; NAMEs pick mutants. Uses CC and CFLAGS; works in a
# folder of its own below TMPDIR, the tree stays as it is.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seeds=${1:-1-3000}
[ $# -gt 0 ] && shift
cc=${CC:-gcc}
cflags=${CFLAGS:--O1 -g -std=gnu17 -fsanitize=address,undefined -fno-sanitize-recover=all}
wrap=-Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc,--wrap=realloc,--wrap=strdup,--wrap=queue_enter,--wrap=queue_put_back,--wrap=queue_settle
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

build() { # object, source below $tmp
	# shellcheck disable=SC2086 # flags are words
	$cc $cflags -I"$tmp" -c -o "$1" "$2"
}

mkdir -p "$tmp/daemon" "$tmp/tests" "$tmp/mutant"
cp -r "$root/daemon/core" "$tmp/daemon/"
cp -r "$root/tests/lib" "$root/tests/sim" "$tmp/tests/"
# A header's mutant is built into everything.
rebuild() { # source or header
	case $1 in
	*.c) build "${1%.c}.o" "$1" ;;
	*) for each in "$tmp"/daemon/core/*.c "$tmp"/tests/sim/*.c "$tmp"/tests/lib/fake_*.c \
		"$tmp"/tests/lib/fault.c; do
		build "${each%.c}.o" "$each"
	done ;;
	esac
}
rebuild all.h

# shellcheck disable=SC2086
link() { # program
	$cc $cflags $wrap -o "$1" "$tmp"/daemon/core/*.o "$tmp"/tests/sim/*.o \
		"$tmp"/tests/lib/fake_*.o "$tmp"/tests/lib/fault.o
}

link "$tmp/sim"
"$tmp/sim" --seeds "$seeds" >"$tmp/out" || { cat "$tmp/out"; echo "fails without a mutant"; exit 1; }

n=0 failed=0 name= changed=

edit() { # file, expression
	source=$tmp/daemon/core/$1
	[ -e "$tmp/mutant/$1" ] || cp "$source" "$tmp/mutant/"
	cp "$source" "$tmp/before"
	sed -E -i "$2" "$source"
	changed="$changed $1"
	if cmp -s "$source" "$tmp/before"; then
		echo "$name: changes nothing in $1: $2"
		is_void=1
	fi
}

rebuild_changed() {
	for each in $changed; do
		rebuild "$tmp/daemon/core/$each" || return
	done
}

# Tries the mutant whose edits are made, and takes them back.
try() {
	[ -n "$name" ] || return 0
	n=$((n + 1))
	if [ "$is_void" ]; then
		failed=$((failed + 1))
	elif ! rebuild_changed 2>"$tmp/out"; then
		cat "$tmp/out"
		echo "$name: does not compile"
		failed=$((failed + 1))
	else
		link "$tmp/sim"
		if timeout 300 "$tmp/sim" --seeds "$seeds" >"$tmp/out" 2>&1; then
			echo "$name: SURVIVED"
			failed=$((failed + 1))
		else
			said=$(grep -m 1 -E '^seed|ERROR|runtime error|Assertion' "$tmp/out" || :)
			echo "$name: killed (${said:-it hung})"
		fi
	fi
	for each in "$tmp"/mutant/*; do
		mv "$each" "$tmp/daemon/core/"
	done
	rebuild_changed
	name= changed=
}

while IFS='|' read -r word file expression; do
	case $word in
	''|'#'*) continue ;;
	+) [ -z "$name" ] || edit "$file" "$expression"; continue ;;
	esac
	try
	if [ $# -gt 0 ]; then
		case " $* " in *" $word "*) ;; *) continue ;; esac
	fi
	name=$word is_void=
	edit "$file" "$expression"
done <"$root/tests/sim/mutants"
try
echo "$n mutants, $failed survived or mean nothing"
[ "$n" -gt 0 ] && [ "$failed" -eq 0 ]
