/* Which socket, and is it the right daemon behind it?
 *
 * The uid of the server is that of the process that called listen(), as the kernel remembers it:
 * with socket activation the service manager's, so root's or one's own. Variables of the
 * environment count only where the process has no more rights than who started it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "client/client_internal.h"

#define DEFAULT_SOCKET "/run/poold/poold.sock"
/* Longest wait for a daemon with a full backlog. */
#define CONNECT_SECONDS 10

static int set_path(poold *p, const char *path, const char *origin)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(p->path))
		return cl_fail(p, len ? -ENAMETOOLONG : -EINVAL,
			"the path of the socket has %zu bytes; 1 to %zu are possible", len,
			sizeof(p->path) - 1);
	memcpy(p->path, path, len + 1);
	p->origin = origin;
	return 0;
}

static int look_up(poold *p)
{
	const char *value = secure_getenv("POOLD_SOCKET");
	struct stat st;

	if (p->given_path)
		return set_path(p, p->given_path, "given");
	if (value && *value)
		return set_path(p, value, "$POOLD_SOCKET");
	value = secure_getenv("XDG_RUNTIME_DIR");
	if (value && *value == '/') {
		char path[sizeof(p->path)];
		int n = snprintf(path, sizeof(path), "%s/poold/poold.sock", value);

		if (n > 0 && (size_t)n < sizeof(path) && stat(path, &st) == 0)
			return set_path(p, path, "$XDG_RUNTIME_DIR");
	}
	return set_path(p, DEFAULT_SOCKET, "default");
}

static bool is_trusted(const poold *p, uid_t uid)
{
	const char *value;
	char *end;
	unsigned long trusted;

	if (uid == 0 || uid == geteuid() || (p->has_trusted_uid && uid == p->trusted_uid))
		return true;
	value = secure_getenv("POOLD_SERVER_UID");
	if (!value || *value < '0' || *value > '9')
		return false;
	errno = 0;
	trusted = strtoul(value, &end, 10);
	return errno == 0 && *end == '\0' && trusted == uid;
}

static int check_server(poold *p, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return cl_fail(p, -errno, "%s: no credentials of the server: %s", p->path,
			strerrordesc_np(errno));
	if (!is_trusted(p, peer.uid))
		return cl_fail(p, -EPERM,
			"%s: the server runs as uid %u; root, uid %u, or one that was named is "
			"trusted",
			p->path, (unsigned)peer.uid, (unsigned)geteuid());
	p->server_uid = peer.uid;
	return 0;
}

static int try_connect(int fd, const struct sockaddr_un *address)
{
	uint64_t until_us = cl_now_us() + CONNECT_SECONDS * 1000000u;

	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		if (errno != EINTR || cl_now_us() >= until_us)
			return -errno;
	return 0;
}

int cl_lookup_connect(poold *p, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval longest = {.tv_sec = CONNECT_SECONDS};
	cleanup_fd int fd = -1;
	int r = look_up(p);

	if (r < 0)
		return r;
	memcpy(address.sun_path, p->path, sizeof(address.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cl_fail(p, -errno, "no socket: %s", strerrordesc_np(errno));
	/* a connect to a full backlog waits as long as a send may */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest)) < 0)
		return cl_fail(p, -errno, "no time-out: %s", strerrordesc_np(errno));
	r = try_connect(fd, &address);
	if (r < 0)
		return cl_fail(p, r, "no daemon answers at %s (%s): %s", p->path, p->origin,
			strerrordesc_np(-r));
	r = check_server(p, fd);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}
