/* Listening and accepting.
 *
 * A socket of our own must neither steal a running daemon's place nor leave a moment in which the
 * wrong people can connect or the wrong program can listen:
 *
 *	directory    made if missing; refused if others could exchange what lies in it
 *	PATH.lock    locked for life: of two starts at a time one goes on
 *	PATH         anything but a socket is left alone; a socket is replaced only if a connect is
 *	             refused, which means that nobody listens
 *	bind         with a umask that opens it to nobody, then group, then mode, then listen
 *
 * At the end it is removed if it is still the same file.
 *
 * Accepting goes on until there is no connection left or a few dozen were taken, so that others get
 * their turn. Without fds or memory the next try would fail at once, and the level-triggered event
 * would spin: the listener pauses instead, connections wait in the socket, and one line a minute
 * tells.
 */
#include "daemon/listener.h"

#include <config.h> /* quotes would find daemon/config.h */

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "daemon/clock.h"
#include "daemon/directory.h"
#include "daemon/lockfile.h"
#include "daemon/log.h"

#define BACKLOG		1024
#define ACCEPTS_A_TURN	64u
#define PAUSE_US	100000
#define LOG_INTERVAL_US 60000000ull

struct listener {
	int fd;
	char *path;
	/* Of an own socket; dir_fd is -1 for one that was handed over. */
	int dir_fd;
	int lock_fd;
	dev_t device;
	ino_t inode;
	struct event *readable;
	struct event *pause;
	uint64_t n_unlogged;  /* pauses since the last line */
	uint64_t log_next_us; /* not before */
	bool *freed;	      /* set while accepting: told when the callee frees us */
	listener_accept_fn on_accept;
	void *userdata;
};

/* ---- a socket of our own ---- */

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	assert(strlen(path) < sizeof(a.sun_path)); /* checked by config */
	strcpy(a.sun_path, path);
	return a;
}

static int refuse(const char *path, const char *why)
{
	log_err("%s: %s", path, why);
	return LISTENER_E_REFUSED;
}

static int failed(const char *path, const char *what)
{
	int r = -errno;

	log_err("%s: %s: %s", path, what, strerror(-r));
	return r;
}

static int open_directory(struct listener *l, mode_t socket_mode)
{
	/* Who may connect must get through. */
	mode_t mode = socket_mode & 0077 ? 0755 : 0700;
	cleanup_free char *directory = strdup(l->path);
	const char *reason;
	char *slash;
	int r;

	if (!directory)
		return -ENOMEM;
	slash = strrchr(directory, '/');
	slash[slash == directory] = '\0';
	r = directory_open(directory, mode, &l->dir_fd, &reason);
	if (r == DIRECTORY_E_UNSAFE) {
		log_err("%s: no safe place for a socket: %s", directory, reason);
		return LISTENER_E_REFUSED;
	}
	if (r < 0)
		log_err("%s: cannot be opened or made: %s", directory, strerror(-r));
	return r;
}

static int lock(struct listener *l)
{
	cleanup_free char *name = NULL;
	pid_t pid;
	int r;

	if (asprintf(&name, "%s.lock", base_name(l->path)) < 0)
		return -ENOMEM;
	r = lockfile_take(l->dir_fd, name, &l->lock_fd, &pid);
	if (r == LOCKFILE_E_HELD) {
		log_err("%s: another poold listens (pid %d)", l->path, (int)pid);
		return LISTENER_E_REFUSED;
	}
	if (r < 0)
		log_err("%s.lock: cannot be locked: %s", l->path, strerror(-r));
	return r;
}

/* Does somebody listen on it? 0: no. */
static int check_dead(const char *path)
{
	struct sockaddr_un a = address_of(path);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failed(path, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN)
		return refuse(path, "another poold listens");
	if (errno != ECONNREFUSED && errno != ENOENT)
		return failed(path, "is a socket that cannot be tried");
	return 0;
}

/* Removes what a dead daemon left. */
static int clear_place(struct listener *l)
{
	struct stat st;
	int r;

	if (fstatat(l->dir_fd, base_name(l->path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(l->path, "cannot be looked at");
	if (S_ISLNK(st.st_mode))
		return refuse(l->path, "a symbolic link is in the way");
	if (!S_ISSOCK(st.st_mode))
		return refuse(l->path, "something that is no socket is in the way");
	r = check_dead(l->path);
	if (r != 0)
		return r;
	if (unlinkat(l->dir_fd, base_name(l->path), 0) < 0 && errno != ENOENT)
		return failed(l->path, "cannot be removed");
	log_info("%s: removed, nobody listened", l->path);
	return 0;
}

static int bind_closed(struct listener *l)
{
	struct sockaddr_un a = address_of(l->path);
	mode_t before = umask(0777);
	int r = bind(l->fd, (struct sockaddr *)&a, sizeof(a));

	umask(before);
	return r < 0 ? failed(l->path, "cannot be bound") : 0;
}

static int open_to_group(struct listener *l, const struct config *config)
{
	const char *name = base_name(l->path);
	struct stat st;

	if (fstatat(l->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(l->path, "cannot be looked at");
	l->device = st.st_dev;
	l->inode = st.st_ino;
	if (config->socket_gid != (gid_t)-1 &&
		fchownat(l->dir_fd, name, (uid_t)-1, config->socket_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(l->path, "cannot be given to socket_group");
	if (fchmodat(l->dir_fd, name, config->socket_mode, 0) < 0)
		return failed(l->path, "cannot be given socket_mode");
	return 0;
}

static int make_socket(struct listener *l, const struct config *config)
{
	int r;

	l->path = strdup(config->socket);
	if (!l->path)
		return -ENOMEM;
	r = open_directory(l, config->socket_mode);
	if (r == 0)
		r = lock(l);
	if (r == 0)
		r = clear_place(l);
	if (r != 0)
		return r;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return failed(l->path, "socket");
	r = bind_closed(l);
	if (r == 0)
		r = open_to_group(l, config);
	if (r == 0 && listen(l->fd, BACKLOG) < 0)
		r = failed(l->path, "cannot be listened on");
	return r;
}

static void remove_socket(struct listener *l)
{
	struct stat st;

	if (l->inode && fstatat(l->dir_fd, base_name(l->path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == l->device && st.st_ino == l->inode)
		unlinkat(l->dir_fd, base_name(l->path), 0);
}

/* ---- a socket that was handed over ---- */

enum { NOTHING_HANDED_OVER = LISTENER_E_REFUSED + 1 };

#ifdef HAVE_SYSTEMD

static int adopt(struct listener *l, int fd, const char *name)
{
	struct sockaddr_un a = {0};
	socklen_t len = sizeof(a);
	int flags;

	if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
		return refuse(name, "handed over, but no listening Unix stream socket");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return failed(name, "handed over, but not usable");
	/* An abstract name begins with NUL; a path need not end with one. */
	if (len > offsetof(struct sockaddr_un, sun_path) && a.sun_path[0] == '\0')
		a.sun_path[0] = '@';
	l->path = strndup(a.sun_path, len - offsetof(struct sockaddr_un, sun_path));
	if (!l->path)
		return -ENOMEM;
	l->fd = fd;
	return 0;
}

static int take_over(struct listener *l)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), r;

	if (n < 0) {
		errno = -n;
		return failed("LISTEN_FDS", "not usable");
	}
	if (n == 0)
		return NOTHING_HANDED_OVER;
	r = n == 1 ? adopt(l, SD_LISTEN_FDS_START, names[0])
		   : refuse("LISTEN_FDS", "more than one socket was handed over");
	for (int i = 0; i < n; i++) {
		if (r != 0)
			close(SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	free(names);
	return r;
}

#else

static int take_over(struct listener *l)
{
	return NOTHING_HANDED_OVER;
}

#endif

/* ---- accepting ---- */

static void pause_accepting(struct listener *l, int error)
{
	struct timeval t = {.tv_usec = PAUSE_US};
	uint64_t now_us = clock_now_us();

	event_del(l->readable);
	event_add(l->pause, &t);
	l->n_unlogged++;
	if (now_us < l->log_next_us)
		return;
	log_err("%s: cannot accept: %s (%llu pauses since the last such line)", l->path,
		strerror(error), (unsigned long long)l->n_unlogged);
	l->n_unlogged = 0;
	l->log_next_us = now_us + LOG_INTERVAL_US;
}

static void on_pause_over(evutil_socket_t fd, short what, void *userdata)
{
	struct listener *l = userdata;

	event_add(l->readable, NULL);
}

/* The fault of one connection, not of the listener. */
static bool is_of_peer(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

static void on_readable(evutil_socket_t listening, short what, void *userdata)
{
	struct listener *l = userdata;
	bool freed = false;

	l->freed = &freed;
	for (unsigned i = 0; i < ACCEPTS_A_TURN && !freed; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			l->on_accept(fd, l->userdata);
		} else if (!is_of_peer(errno)) {
			if (errno != EAGAIN)
				pause_accepting(l, errno);
			break;
		}
	}
	if (!freed)
		l->freed = NULL;
}

int listener_new(struct event_base *base, const struct config *config, listener_accept_fn on_accept,
	void *userdata, struct listener **ret)
{
	cleanup(listener_freep) struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	*l = (struct listener){.fd = -1,
		.dir_fd = -1,
		.lock_fd = -1,
		.on_accept = on_accept,
		.userdata = userdata};
	r = take_over(l);
	if (r == NOTHING_HANDED_OVER)
		r = make_socket(l, config);
	if (r != 0)
		return r;
	l->readable = event_new(base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	l->pause = evtimer_new(base, on_pause_over, l);
	if (!l->readable || !l->pause || event_add(l->readable, NULL) < 0)
		return -ENOMEM;
	*ret = take_ptr(l);
	return 0;
}

struct listener *listener_free(struct listener *l)
{
	if (!l)
		return NULL;
	if (l->freed)
		*l->freed = true;
	if (l->readable)
		event_free(l->readable);
	if (l->pause)
		event_free(l->pause);
	remove_socket(l);
	fd_close(l->fd);
	fd_close(l->lock_fd);
	fd_close(l->dir_fd);
	free(l->path);
	free(l);
	return NULL;
}

const char *listener_path(const struct listener *l)
{
	return l->path;
}
