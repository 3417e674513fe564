/* What the files leave open and the table of keys cannot say in a text: places that depend on who
 * runs the daemon and how, limits that depend on the machine. */
#include "daemon/config_parse.h"
#include "proto/limits.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#define fail_nowhere(p, ...) config_fail(p, "", 0, __VA_ARGS__)

bool config_is_system(void)
{
	return geteuid() == 0;
}

int config_text(char **text, const char *format, ...)
{
	va_list args;
	char *made;
	int n;

	va_start(args, format);
	n = vasprintf(&made, format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	free(*text);
	*text = made;
	return 0;
}

/* The XDG rules: a relative path counts as not set. */
static const char *directory_from(const char *variable)
{
	const char *path = getenv(variable);

	return path && path[0] == '/' ? path : NULL;
}

int config_user_directory(const char *variable, const char *below, char **ret)
{
	const char *path = directory_from(variable), *home;
	struct passwd *user;

	if (path)
		return config_text(ret, "%s/poold", path);
	home = directory_from("HOME");
	if (!home) {
		user = getpwuid(geteuid());
		home = user && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
	}
	if (!home)
		return 0;
	return config_text(ret, "%s/%s/poold", home, below);
}

/* systemd gives a list with colons: the first one. */
static int first_of_list(const char *list, char **ret)
{
	return config_text(ret, "%.*s", (int)strcspn(list, ":"), list);
}

static int set_socket(struct config_parse *p, const struct config_override *o)
{
	struct config *c = p->config;
	const char *runtime;
	cleanup_free char *here = NULL;

	if (o->socket && o->socket[0] == '/')
		return config_text(&c->socket, "%s", o->socket);
	if (o->socket) {
		here = getcwd(NULL, 0);
		if (!here)
			return fail_nowhere(p, "--socket %s: %s", o->socket, strerror(errno));
		return config_text(&c->socket, "%s/%s", here, o->socket);
	}
	if (c->socket || p->keys[KEY_DAEMON_socket].is_bad)
		return 0;
	runtime = directory_from("RUNTIME_DIRECTORY");
	if (runtime) {
		int r = first_of_list(runtime, &here);

		return r < 0 ? r : config_text(&c->socket, "%s/poold.sock", here);
	}
	if (config_is_system())
		return config_text(&c->socket, "/run/poold/poold.sock");
	runtime = directory_from("XDG_RUNTIME_DIR");
	if (!runtime)
		return fail_nowhere(p, "XDG_RUNTIME_DIR is not set, so there is no place for the "
				       "socket: give --socket PATH, or socket in [daemon]");
	return config_text(&c->socket, "%s/poold/poold.sock", runtime);
}

static int check_socket(struct config_parse *p, const struct config_override *o)
{
	static const struct config_origin nowhere;
	const struct config_origin *origin = o->socket ? &nowhere : &p->keys[KEY_DAEMON_socket];
	size_t n = p->config->socket ? strlen(p->config->socket) : 0,
	       most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (n == 0 || (n <= most && p->config->socket[n - 1] != '/'))
		return 0;
	return config_fail_at(p, origin,
		n > most ? "%s%s: has %zu bytes: at most %zu" : "%s%s: is a directory",
		o->socket ? "--socket " : "socket = ", p->config->socket, n, most);
}

static int set_state_dir(struct config *c, const struct config_override *o)
{
	const char *given = directory_from("STATE_DIRECTORY");

	if (c->state_dir)
		return 0;
	if (given)
		return first_of_list(given, &c->state_dir);
	if (o->socket) {
		size_t n = (size_t)(strrchr(c->socket, '/') - c->socket);

		return config_text(&c->state_dir, "%.*s", n ? (int)n : 1, c->socket);
	}
	if (config_is_system())
		return config_text(&c->state_dir, "/var/lib/poold");
	return config_user_directory("XDG_STATE_HOME", ".local/state", &c->state_dir);
}

static uint64_t memory_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 1ull << 30;
}

/* The hard limit: the daemon raises its own to that. */
static uint64_t nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	return limit.rlim_max < 1 << 20 ? limit.rlim_max : 1 << 20;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Only what no file set: `value` may use what was settled before. */
#define settle(p, key, member, value)                                                              \
	do {                                                                                       \
		if (!(p)->keys[key].file)                                                          \
			(member) = (value);                                                        \
	} while (0)

static void set_limits(struct config_parse *p)
{
	uint64_t *uid = p->config->limits.uid.n, *all = p->config->limits.all.n;
	uint64_t bytes = memory_bytes(), fds = nofile();

	settle(p, KEY_LIMITS_bytes, uid[ACCOUNT_BYTES], bytes / 2);
	settle(p, KEY_LIMITS_fds, uid[ACCOUNT_FDS], larger(fds / 2, 1));
	settle(p, KEY_LIMITS_total_bytes, all[ACCOUNT_BYTES], bytes / 4 * 3);
	settle(p, KEY_LIMITS_total_fds, all[ACCOUNT_FDS], larger(fds / 4 * 3, 1));
	settle(p, KEY_LIMITS_total_connections, all[ACCOUNT_CONNECTIONS], larger(fds / 8, 8));
	settle(p, KEY_LIMITS_connections, uid[ACCOUNT_CONNECTIONS],
		smaller(1024, all[ACCOUNT_CONNECTIONS]));
	settle(p, KEY_LIMITS_total_jobs, all[ACCOUNT_JOBS], larger(4000000, uid[ACCOUNT_JOBS]));
	settle(p, KEY_LIMITS_total_futures, all[ACCOUNT_FUTURES],
		larger(8000000, uid[ACCOUNT_FUTURES]));
	settle(p, KEY_LIMITS_total_waits, all[ACCOUNT_WAITS], larger(8000000, uid[ACCOUNT_WAITS]));
	/* The kernel refuses to send fds when as many as may be open are on their way. */
	uid[ACCOUNT_UNREAD_FDS] = larger(fds / 8, PROTO_UNREAD_FDS);
	all[ACCOUNT_UNREAD_FDS] = larger(fds / 2, PROTO_UNREAD_FDS);
	/* Who waits for room must not fill another store instead: some of the largest messages. */
	uid[ACCOUNT_PARKED_BYTES] = 8 * PROTO_MESSAGE_BYTES;
	all[ACCOUNT_PARKED_BYTES] = 64 * PROTO_MESSAGE_BYTES;
	uid[ACCOUNT_PARKED_FDS] = larger(fds / 64, 2 * PROTO_MESSAGE_FDS);
	all[ACCOUNT_PARKED_FDS] = larger(fds / 32, 4 * PROTO_MESSAGE_FDS);
}

/* That there is a socket_group was checked when it was read. Without their group there are no
 * administrators, which is no reason not to serve. */
static void set_groups(struct config_parse *p)
{
	const struct config_origin *origin = &p->keys[KEY_DAEMON_admin_group];
	struct config *c = p->config;

	c->socket_gid = c->admin_gid = (gid_t)-1;
	if (c->socket_group && config_group(c->socket_group, &c->socket_gid) != 0)
		c->socket_gid = (gid_t)-1;
	if (c->admin_group && config_group(c->admin_group, &c->admin_gid) != 0)
		log_warning("%s:%d: admin_group = %s is no group of this host: it has no members",
			origin->file, origin->line, c->admin_group);
}

int config_set_rest(struct config_parse *p, const struct config_override *o)
{
	struct config *c = p->config;
	int r;

	r = set_socket(p, o);
	if (r == 0)
		r = check_socket(p, o);
	if (r == 0)
		r = set_state_dir(c, o);
	if (r == 0 && !c->worker)
		r = config_text(&c->worker, "%s", POOLD_WORKER);
	if (r == 0 && !c->module_dir)
		r = config_text(&c->module_dir, "%s", POOLD_MODULE_DIR);
	settle(p, KEY_DAEMON_socket_mode, c->socket_mode, config_is_system() ? 0660 : 0600);
	set_groups(p);
	set_limits(p);
	return r;
}
