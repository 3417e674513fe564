#include "daemon/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* One that was there already keeps its mode. */
static int make(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int make_all(const char *path, mode_t mode)
{
	cleanup_free char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = part; (slash = strchr(slash + 1, '/'));) {
		int r;

		*slash = '\0';
		r = access(part, F_OK) == 0 ? 0 : make(part, mode);
		if (r < 0)
			return r;
		*slash = '/';
	}
	return make(part, mode);
}

/* A group that is the daemon's own or root's may write: many users have a group to themselves and a
 * umask of 002. */
static const char *why_unsafe(const struct stat *st)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return "it belongs to another user";
	if (st->st_mode & S_IWOTH)
		return "everybody may write to it";
	if ((st->st_mode & S_IWGRP) && st->st_gid != getegid() && st->st_gid != 0)
		return "a group may write to it";
	return NULL;
}

int directory_open(const char *path, mode_t mode, int *ret_fd, const char **ret_reason)
{
	cleanup_fd int fd = -1;
	const char *reason;
	struct stat st;
	int r;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		r = make_all(path, mode);
		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	reason = why_unsafe(&st);
	if (reason) {
		*ret_reason = reason;
		return DIRECTORY_E_UNSAFE;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
