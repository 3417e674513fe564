#!/bin/sh
# Can the simulator fail? Each line of tests/sim/mutants breaks one thing in the core; the simulator
# must notice every one of them. Not part of "make check" (a minute or two of compiling):
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
wrap=-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=queue_enter,--wrap=queue_put_back,--wrap=queue_settle
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
	*) for each in "$tmp"/daemon/core/*.c "$tmp"/tests/sim/*.c "$tmp"/tests/lib/fake_shell.c \
		"$tmp"/tests/lib/fault.c; do
		build "${each%.c}.o" "$each"
	done ;;
	esac
}
rebuild all.h

# shellcheck disable=SC2086
link() { # program
	$cc $cflags $wrap -o "$1" "$tmp"/daemon/core/*.o "$tmp"/tests/sim/*.o \
		"$tmp"/tests/lib/fake_shell.o "$tmp"/tests/lib/fault.o
}

link "$tmp/sim"
"$tmp/sim" --seeds "$seeds" >"$tmp/out" || { cat "$tmp/out"; echo "fails without a mutant"; exit 1; }

n=0 survived=0
while IFS='|' read -r name file expression; do
	case $name in ''|'#'*) continue ;; esac
	if [ $# -gt 0 ]; then
		case " $* " in *" $name "*) ;; *) continue ;; esac
	fi
	source=$tmp/daemon/core/$file
	cp "$source" "$tmp/mutant/"
	sed -E -i "$expression" "$source"
	n=$((n + 1))
	if cmp -s "$source" "$tmp/mutant/$file"; then
		echo "$name: changes nothing in $file"
		survived=$((survived + 1))
	else
		rebuild "$source" 2>"$tmp/out" || { cat "$tmp/out"; exit 1; }
		link "$tmp/sim"
		if timeout 300 "$tmp/sim" --seeds "$seeds" >"$tmp/out" 2>&1; then
			echo "$name: SURVIVED"
			survived=$((survived + 1))
		else
			said=$(grep -m 1 -E '^seed|ERROR|runtime error|Assertion' "$tmp/out" || :)
			echo "$name: killed (${said:-it hung})"
		fi
	fi
	cp "$tmp/mutant/$file" "$source"
	rebuild "$source"
done <"$root/tests/sim/mutants"
echo "$n mutants, $survived survived"
[ "$survived" -eq 0 ]
