/* Where they lie:
 *
 *	DELEGATED/main                  the daemon, and zygotes, if memory is limited at all
 *	DELEGATED/pool.NAME             memory.max
 *	DELEGATED/pool.NAME/zygote      its zygote, if its memory is limited: what it loads counts
 *	DELEGATED/pool.NAME/wN          a worker
 *	DELEGATED/pool.NAME/wN/job      its command and all that descends from it
 *
 * A tree that is killed by cgroup.kill dies whole, whatever its members did to their sessions,
 * parents and users, and however fast they fork.
 *
 * Only a group that was delegated is touched: the service manager marks it by an attribute. One
 * that merely can be written to (root can write to all) belongs to somebody else.
 */
#include "daemon/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/log.h"

#define EVENTS_BYTES 512u

/* ---- files ---- */

static int open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int make_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return -1;
	return open_dir(at, name);
}

static bool write_file(int at, const char *name, const char *text)
{
	cleanup_fd int fd = openat(at, name, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool read_file(int at, const char *name, char *text, size_t size)
{
	cleanup_fd int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;

	text[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

/* -1: none. */
static int open_procs(int dir)
{
	return dir < 0 ? -1 : openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
}

static bool was_oom(int dir, uint64_t *n_told)
{
	char events[EVENTS_BYTES];
	uint64_t n = 0, before = *n_told;
	const char *at;

	if (dir < 0 || !read_file(dir, "memory.events", events, sizeof(events)))
		return false;
	at = strstr(events, "oom_kill ");
	if (at)
		n = strtoull(at + strlen("oom_kill "), NULL, 10);
	*n_told = n;
	return n > before;
}

/* ---- the delegated one ---- */

/* Its own, where version 2 is mounted: the line "0::PATH", and the first mount of that type. */
static bool find_own(char path[PATH_MAX])
{
	char line[PATH_MAX + 256], mount[PATH_MAX] = "", own[PATH_MAX] = "";
	FILE *f;

	f = fopen("/proc/self/mountinfo", "re");
	while (f && !*mount && fgets(line, sizeof(line), f))
		if (strstr(line, " - cgroup2 "))
			(void)!sscanf(line, "%*s %*s %*s %*s %4095s", mount);
	if (f)
		fclose(f);
	f = fopen("/proc/self/cgroup", "re");
	while (f && !*own && fgets(line, sizeof(line), f))
		if (strncmp(line, "0::/", 4) == 0)
			snprintf(own, sizeof(own), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
	if (f)
		fclose(f);
	return *mount && *own && snprintf(path, PATH_MAX, "%s%s", mount, own) < PATH_MAX;
}

static bool is_delegated(const char *path)
{
	static const char *const marks[] = {"user.delegate", "trusted.delegate"};
	char value[2] = "";

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (getxattr(path, marks[i], value, sizeof(value)) == 1 && value[0] == '1')
			return true;
	return false;
}

/* A group whose controllers are given to others has no processes itself. */
static bool give_memory(struct cgroups *g, bool is_own)
{
	char controllers[EVENTS_BYTES];
	cleanup_fd int own = -1;

	if (!read_file(g->fd, "cgroup.controllers", controllers, sizeof(controllers)) ||
		!strstr(controllers, "memory")) {
		snprintf(g->why, sizeof(g->why),
			"the controller \"memory\" is not in its cgroup.controllers");
		return false;
	}
	own = is_own ? make_dir(g->fd, "main") : -1;
	if ((is_own && (own < 0 || !write_file(own, "cgroup.procs", "0"))) ||
		!write_file(g->fd, "cgroup.subtree_control", "+memory")) {
		snprintf(g->why, sizeof(g->why),
			"the controller \"memory\" cannot be handed on: %s", strerror(errno));
		return false;
	}
	return true;
}

void cgroups_init(struct cgroups *g, const char *path, bool wants_memory)
{
	char own[PATH_MAX];

	*g = (struct cgroups){.fd = -1};
	if (!path && (!find_own(own) || !is_delegated(own))) {
		snprintf(g->why, sizeof(g->why),
			"no cgroup is delegated to poold (Delegate=yes in a service)");
		return;
	}
	g->fd = open_dir(AT_FDCWD, path ? path : own);
	if (g->fd < 0 || faccessat(g->fd, "cgroup.kill", F_OK, 0) < 0 ||
		faccessat(g->fd, ".", W_OK, AT_EACCESS) < 0) {
		snprintf(g->why, sizeof(g->why), "the cgroup %.80s: %s", path ? path : own,
			strerror(errno));
		log_warning("%s: commands are killed without one", g->why);
		g->fd = fd_close(g->fd);
		return;
	}
	log_info("processes are kept in cgroups below %s", path ? path : own);
	g->has_memory = wants_memory && give_memory(g, !path);
}

void cgroups_deinit(struct cgroups *g)
{
	g->fd = fd_close(g->fd);
}

/* ---- a pool's ---- */

/* Of a daemon that was killed, where no service manager cleans up behind it. What is busy until it
 * has died stays, empty. */
void cgroup_pool_clear(const struct cgroup_pool *p)
{
	int pool = p->dir, fd = pool >= 0 ? open_dir(pool, ".") : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (!d) {
		fd_close(fd);
		return;
	}
	while ((e = readdir(d))) {
		cleanup_fd int dir = -1;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		dir = open_dir(pool, e->d_name);
		(void)write_file(dir, "cgroup.kill", "1");
		(void)unlinkat(dir, "job", AT_REMOVEDIR);
		(void)unlinkat(pool, e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

void cgroups_open_pool(
	const struct cgroups *g, const char *pool, const char *user, struct cgroup_pool *ret)
{
	const struct passwd *owner = user ? getpwnam(user) : NULL;
	char name[NAME_MAX + 1];

	*ret = (struct cgroup_pool){.dir = -1, .zygote = -1, .uid = (uid_t)-1};
	if (owner) {
		ret->uid = owner->pw_uid;
		ret->gid = owner->pw_gid;
	}
	snprintf(name, sizeof(name), "pool.%s", pool);
	if (g->fd >= 0)
		ret->dir = make_dir(g->fd, name);
	if (g->fd >= 0 && ret->dir < 0)
		log_warning("pool %s: no cgroup: %m", pool);
}

void cgroups_open_zygote(const struct cgroups *g, struct cgroup_pool *p)
{
	if (g->has_memory && p->dir >= 0)
		p->zygote = make_dir(p->dir, "zygote");
}

void cgroups_limit_pool(
	const struct cgroups *g, struct cgroup_pool *p, const char *pool, uint64_t memory_max)
{
	char max[32];

	if (!memory_max) {
		(void)write_file(p->dir, "memory.max", "max");
		return;
	}
	snprintf(max, sizeof(max), "%llu", (unsigned long long)memory_max);
	if (p->dir < 0 || !g->has_memory)
		log_warning("pool %s: memory_max is not kept: %s", pool,
			g->why[0] ? g->why : "no pool had one when poold was started");
	else if (!write_file(p->dir, "memory.max", max) ||
		 !write_file(p->dir, "cgroup.subtree_control", "+memory"))
		log_warning("pool %s: memory_max is not kept: %m", pool);
}

void cgroup_pool_deinit(struct cgroup_pool *p)
{
	p->zygote = fd_close(p->zygote);
	p->dir = fd_close(p->dir);
}

int cgroup_pool_open_procs(const struct cgroup_pool *p)
{
	return open_procs(p->zygote);
}

bool cgroup_pool_was_oom(struct cgroup_pool *p)
{
	return was_oom(p->zygote, &p->n_oom_told);
}

/* ---- a worker's ---- */

/* So that a worker of another user can give its command a group of its own; and no more groups than
 * that, which would outlive it. */
static bool give_to(const struct cgroup *c, uid_t uid, gid_t gid)
{
	return write_file(c->dir, "cgroup.max.descendants", "1") && fchown(c->dir, uid, gid) == 0 &&
	       fchownat(c->dir, "cgroup.procs", uid, gid, 0) == 0 &&
	       fchown(c->job, uid, gid) == 0 &&
	       fchownat(c->job, "cgroup.procs", uid, gid, 0) == 0 &&
	       fchownat(c->job, "cgroup.kill", uid, gid, 0) == 0;
}

void cgroup_init(struct cgroup *c, const struct cgroup_pool *p)
{
	static unsigned n;

	*c = (struct cgroup){.pool = p->dir, .dir = -1, .job = -1};
	if (p->dir < 0)
		return;
	/* in one that there was before, somebody may still be dying */
	do
		snprintf(c->name, sizeof(c->name), "w%u", ++n);
	while (mkdirat(p->dir, c->name, 0755) < 0 && errno == EEXIST);
	c->dir = open_dir(p->dir, c->name);
	c->job = c->dir >= 0 ? make_dir(c->dir, "job") : -1;
	if (c->job < 0 || (p->uid != (uid_t)-1 && !give_to(c, p->uid, p->gid))) {
		log_warning("a worker has no cgroup: %m");
		cgroup_deinit(c);
	}
}

void cgroup_deinit(struct cgroup *c)
{
	if (c->dir >= 0) {
		if ((unlinkat(c->dir, "job", AT_REMOVEDIR) < 0 && errno != ENOENT) ||
			unlinkat(c->pool, c->name, AT_REMOVEDIR) < 0)
			log_debug("the cgroup %s stays: %m", c->name);
	}
	c->job = fd_close(c->job);
	c->dir = fd_close(c->dir);
}

int cgroup_open_procs(const struct cgroup *c)
{
	return open_procs(c->dir);
}

void cgroup_kill(const struct cgroup *c)
{
	if (c->dir >= 0 && !write_file(c->dir, "cgroup.kill", "1"))
		log_warning("cannot kill the cgroup %s: %m", c->name);
}

bool cgroup_was_oom(struct cgroup *c)
{
	return was_oom(c->dir, &c->n_oom_told);
}
