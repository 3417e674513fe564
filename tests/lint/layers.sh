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
client/examples/	^client/poold\.h$
client/			^client/[^/]*$|^proto/|^config\.h$
daemon/core/		^daemon/core/
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

# The headers could lie, the objects do not: what the compiled core calls.
impure='socket|bind|connect|accept4?|listen|send|recv|sendto|recvfrom|sendmsg|recvmsg|read|write|pread|pwrite|readv|writev
open|open64|openat|openat64|close|fopen|fopen64|fdopen|popen|pipe2?|dup|dup2|dup3|fcntl|fcntl64|ioctl|mmap|mmap64|memfd_create
fork|vfork|clone|execv|execve|execvp|execl|posix_spawn|posix_spawnp|system|kill|raise|signal|sigaction|waitpid|wait4|waitid
time|clock|clock_gettime|gettimeofday|nanosleep|clock_nanosleep|sleep|usleep|alarm|timer_create|timerfd_create
rand|random|srand|srandom|drand48|getrandom|getentropy|arc4random|getpid|getppid|getuid|geteuid|getenv|syscall|poll|select|epoll_wait
event_.*|evbuffer_.*|evutil_.*|msgpack_.*|sd_.*'
impure=$(printf '%s' "$impure" | tr '\n' '|')
if command -v nm >/dev/null; then
	find "$build/daemon/core" -path '*/.libs/*' -prune -o -name '*.o' -print 2>/dev/null |
		sort >"$tmp/objects" || :
	while read -r object; do
		nm -u "$object" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -xE "$impure" |
			sed "s|^|${object#"$build"/}: calls |" >"$tmp/calls" || :
		if [ -s "$tmp/calls" ]; then
			cat "$tmp/calls"
			failed=1
		fi
	done <"$tmp/objects"
	echo "$(wc -l <"$tmp/objects") objects of the core looked at"
fi
echo "$(wc -l <"$tmp/files") files looked at"
exit $failed
