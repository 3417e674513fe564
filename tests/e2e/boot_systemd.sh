#!/bin/bash
# Under a real systemd, booted in a container from a tree of this Debian release: enable the socket,
# submit, restart, crash, stop; and the same service as a user's own.
set -euo pipefail
build=${POOLD_TEST_BUILDDIR:?}

skip()
{
	echo "skipped: $*"
	exit 77
}

fail()
{
	echo "FAILED: $*"
	[ -z "$leader" ] || inside journalctl -b --no-pager -n 60 -u poold -u 'user@*' || :
	exit 1
}

[ "$(id -u)" = 0 ] || skip "booting a container takes root"
for tool in systemd-nspawn mmdebstrap nsenter flock ldd dpkg; do
	command -v $tool >/dev/null || skip "no $tool (Debian: systemd-container mmdebstrap)"
done
# shellcheck disable=SC1091
. /etc/os-release
[ "${ID:-}" = debian ] || skip "this is not Debian, so its libraries are not in a Debian tree"
prefix=$(sed -n 's/^prefix = //p' "$build/Makefile")
case $prefix in
/usr | /usr/local) ;;
*) skip "systemd does not look for units below $prefix" ;;
esac
grep -q '#define HAVE_SYSTEMD 1' "$build/config.h" || skip "built without systemd"

tmp=$(mktemp -d)
tree=$tmp/tree
nspawn='' leader=''

# --- the container ---------------------------------------------------------------------------

inside()
{
	nsenter -t "$leader" -a -- /usr/bin/env -i TERM=dumb LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin timeout 120 "$@"
}

as()
{
	local who=$1
	shift
	inside runuser -u "$who" -- "$@"
}

# until_true WHAT COMMAND…: looks again until the command succeeds.
until_true()
{
	local what=$1 n

	shift
	for ((n = 0; n < 600; n++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	fail "waited in vain: $what"
}

our_cgroups()
{
	find /sys/fs/cgroup -maxdepth 6 -depth -type d \
		\( -path '*/payload' -o -path '*/payload/*' -o -path '*/supervisor' \) 2>/dev/null || :
}

power_off()
{
	local n

	[ -n "$nspawn" ] || return 0
	[ -z "$leader" ] || kill -s RTMIN+4 "$leader" 2>/dev/null || :
	for ((n = 0; n < 900; n++)); do
		kill -0 "$nspawn" 2>/dev/null || break
		# The end of its init ends a container; the end of nspawn would orphan it.
		[ $n -ne 600 ] || [ -z "$leader" ] || kill -9 "$leader" 2>/dev/null || :
		sleep 0.1
	done
	wait "$nspawn" || :
	nspawn='' leader=''
	# An outer manager would do this; where there is none they stay, empty.
	our_cgroups | { grep -vxFf "$tmp/cgroups" || :; } | while read -r group; do
		rmdir "$group" 2>/dev/null || :
	done
}

cleanup()
{
	power_off
	rm -rf --one-file-system "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
our_cgroups >"$tmp/cgroups"
echo / >>"$tmp/cgroups"

# --- the tree --------------------------------------------------------------------------------

unset MAKEFLAGS MFLAGS MAKELEVEL
make -C "$build" install DESTDIR="$tmp/installed" >"$tmp/said" 2>&1 ||
	{ tail -n 30 "$tmp/said"; fail "make install"; }

# The libraries that the programs were linked with, as packages.
packages=$(find "$tmp/installed" -type f -perm -u+x | while read -r file; do
	LD_LIBRARY_PATH=$tmp/installed$prefix/lib ldd "$file" 2>/dev/null || :
done | sed -nE 's|.*=> (/[^ ]+) .*|\1|p' | LC_ALL=C sort -u | while read -r lib; do
	dpkg -S "$lib" 2>/dev/null || dpkg -S "/usr$lib" 2>/dev/null || :
done | cut -d: -f1 | LC_ALL=C sort -u | paste -sd, -)
include=systemd,systemd-sysv,dbus,libpam-systemd,procps,$packages
cache=${POOLD_TEST_CACHE:-$build/test-cache}
base=$cache/boot-$(printf '%s' "$VERSION_CODENAME $include" | cksum | cut -d' ' -f1)
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -d "$base" ]; then
	echo "making a tree of $VERSION_CODENAME"
	rm -rf "$base.new"
	if ! timeout 300 mmdebstrap --variant=minbase --include="$include" \
		"$VERSION_CODENAME" "$base.new" >"$tmp/said" 2>&1 9>&-; then
		rm -rf "$base.new"
		tail -n 5 "$tmp/said"
		skip "mmdebstrap cannot make a tree here"
	fi
	mv "$base.new" "$base"
fi
cp -a --reflink=auto "$base" "$tree"
flock -u 9

cp -a "$tmp/installed/." "$tree/"
ldconfig -r "$tree"

setsid systemd-nspawn -q -D "$tree" --machine="poold-test-$$" --register=no --keep-unit \
	--private-network --boot --console=pipe </dev/null >"$tmp/console" 2>&1 9>&- &
nspawn=$!
find_leader()
{
	kill -0 "$nspawn" 2>/dev/null || return 0
	leader=$(pgrep -P "$nspawn" -x systemd)
}
until_true "the container's init" find_leader
if [ -z "$leader" ]; then
	cat "$tmp/console"
	wait "$nspawn" || :
	nspawn=''
	skip "systemd-nspawn cannot boot here"
fi
booted()
{
	case $(inside systemctl is-system-running 2>/dev/null) in
	running | degraded) ;;
	*) return 1 ;;
	esac
}
until_true "systemd has booted" booted
echo "booted $(inside systemctl --version | head -n 1)"

# --- the system's service --------------------------------------------------------------------

property()
{
	inside systemctl show -P "$2" "$1"
}

answers()
{
	inside poolctl ping
}

inside systemd-sysusers
inside systemd-tmpfiles --create poold.conf
inside useradd -m -G poold member
inside useradd -m stranger
inside systemctl daemon-reload
inside systemctl enable --now poold.socket 2>/dev/null
[ "$(property poold.service ActiveState)" = inactive ] || fail "poold runs before anyone connected"
[ "$(inside stat -c '%U:%G %a' /run/poold/poold.sock)" = "root:poold 660" ] ||
	fail "the socket is $(inside stat -c '%U:%G %a' /run/poold/poold.sock)"

input=$(inside sh -c 'head -c 100000 /dev/zero | tee /tmp/input | sha256sum | cut -d" " -f1; chmod 644 /tmp/input')
hash_as()
{
	as "$1" poolctl call digest/sha256 --input /tmp/input 2>&1 || :
}
case $(hash_as member) in
*"$input"*) ;;
*) fail "the first client of group poold: $(hash_as member)" ;;
esac
[ "$(property poold.service ActiveState)" = active ] || fail "the service is not active"
[ "$(property poold.service NRestarts)" = 0 ] || fail "the service needed restarts to come up"
pid=$(property poold.service MainPID)
[ "$(inside ps -o user= -p "$pid")" = poold ] || fail "poold runs as $(inside ps -o user= -p "$pid")"
echo "the socket started poold as its own user; a member of the group has a result"

as stranger poolctl ping >/dev/null 2>&1 && fail "a stranger may connect"
refusal=$(as member poolctl run -- id 2>&1) && fail "a member runs commands as poold"
case $refusal in
*--user*) ;;
*) fail "a refused command does not name the user's own daemon: $refusal" ;;
esac

id=$(inside poolctl submit -q -- sh -c 'echo from systemd; exit 3') || fail "root cannot submit"
status=0
inside poolctl wait "$id" || status=$?
[ $status = 3 ] || fail "wait exits with $status, not 3"
[ "$(inside poolctl result "$id")" = "from systemd" ] || fail "result: $(inside poolctl result "$id")"
echo "job $id ran"

own=$(inside poolctl run -- cat /proc/self/cgroup | sed -n 's/^0:://p')
case $own in
*/poold.service/pool.default/w*/job) ;;
*) fail "a command's cgroup is $own" ;;
esac
tree='for n in 1 2 3 4 5; do (setsid sh -c "trap : TERM; sleep 1000" &); done; echo on; trap : TERM; sleep 1000; wait'
id=$(inside poolctl submit -q --grace 100ms -- sh -c "$tree")
running()
{
	[ "$(inside poolctl logs "$id")" = on ]
}
until_true "the tree runs" running
inside poolctl cancel -q "$id"
status=0
inside poolctl wait "$id" || status=$?
[ $status = 130 ] || fail "wait for what was cancelled exits with $status"
left=$(inside pgrep -x sleep) && fail "left of a cancelled job: $left"
echo "commands have cgroups of their own, which die whole"
memory=$(inside cat "/sys/fs/cgroup${own%/pool.*}/cgroup.controllers" 2>/dev/null ||
	inside cat "/sys/fs/cgroup/unified${own%/pool.*}/cgroup.controllers")
case $memory in
*memory*) ;;
*) echo "memory_max is not tried: no controller \"memory\" in this container" ;;
esac

conf=$(inside systemctl cat poold.service | sed -n 's/^ExecStart=.* --config //p')
pid=$(property poold.service MainPID)
inside mkfifo -m 666 /tmp/gate
id=$(inside poolctl submit -q -- sh -c 'echo on; read line </tmp/gate')
until_true "a job waits at the gate" running
is_same_service()
{
	[ "$(property poold.service ActiveState) $(property poold.service MainPID)" = "active $pid" ] ||
		fail "after a reload: $(property poold.service ActiveState), not the same process"
}
inside cp "$conf" /tmp/before.conf
printf '[pool more]\nhandler = exec\nworkers = 1\n' | inside tee -a "$conf" >/dev/null
inside systemctl reload poold.service || fail "reload"
is_same_service
[ "$(inside poolctl run --pool more -- echo hi)" = hi ] || fail "the added pool does not serve"
echo 'wrokers = 3' | inside tee -a "$conf" >/dev/null
inside systemctl reload poold.service 2>/dev/null && fail "a reload of a broken configuration succeeds"
is_same_service
line=$(inside grep -n wrokers "$conf" | cut -d: -f1)
told=$(inside journalctl -b -o cat --no-pager -u poold | grep -F "$conf:$line: unknown key \"wrokers\"") ||
	fail "the journal does not say what is wrong with the configuration"
[ "$(inside poolctl run --pool more -- echo hi)" = hi ] || fail "a broken configuration has changed pools"
inside cp /tmp/before.conf "$conf"
inside systemctl reload poold.service || fail "reload of what was mended"
is_same_service
refusal=$(inside poolctl run --pool more -- true 2>&1) && fail "the removed pool still serves"
inside sh -c 'echo >/tmp/gate'
inside poolctl wait "$id" || fail "a job did not outlive reloads"
echo "reloaded, with jobs; a broken configuration changes nothing: $(echo "$told" | tail -n 1)"

inside systemctl restart poold.service
[ "$(property poold.service ActiveState)" = active ] || fail "not active after restart"
new=$(property poold.service MainPID)
case $new in
0 | "$pid") fail "restart did not replace the process" ;;
esac
later=$(inside poolctl submit -q -- true)
[ "$later" -gt "$id" ] || fail "ID $later after ID $id: used again"
echo "restarted; IDs go on at $later"

pid=$(property poold.service MainPID)
inside kill -KILL "$pid"
restarted()
{
	[ "$(property poold.service NRestarts)" -ge 1 ] &&
		[ "$(property poold.service ActiveState)" = active ]
}
until_true "systemd starts poold again after a crash" restarted
until_true "poold answers after a crash" answers
after=$(inside poolctl submit -q -- true)
[ "$after" -gt "$later" ] || fail "ID $after after ID $later: used again"
echo "killed; systemd started it again; IDs go on at $after"

inside systemctl stop poold.socket poold.service
[ "$(property poold.service Result)" = success ] || fail "stop: $(property poold.service Result)"
[ "$(property poold.service ExecMainStatus)" = 0 ] ||
	fail "stopped with exit $(property poold.service ExecMainStatus)"
left=$(inside pgrep -u poold -l) && fail "still there after stop: $left"
echo "stopped, nothing is left of it"

# --- a user's own ----------------------------------------------------------------------------

uid=$(inside id -u member)
home=$(inside getent passwd member | cut -d: -f6)
inside systemctl start "user@$uid.service"
user()
{
	as member env XDG_RUNTIME_DIR="/run/user/$uid" HOME="$home" "$@"
}
user systemctl --user enable --now poold.socket 2>/dev/null || fail "the user's socket"
[ "$(user poolctl run -- id -un)" = member ] || fail "the user's own daemon does not run commands"
[ "$(user systemctl --user show -P ActiveState poold.service)" = active ] ||
	fail "the user's service is not active"
user systemctl --user stop poold.socket poold.service
[ "$(user systemctl --user show -P Result poold.service)" = success ] || fail "the user's stop"
inside test ! -e "$home/.config/poold" || fail "state in ~/.config"
echo "the user's own daemon ran a command as the user"

nspawn_pid=$nspawn
power_off
[ ! -d "/proc/$nspawn_pid" ] || fail "the container did not power off"
