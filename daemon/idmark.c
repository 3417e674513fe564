/* The mark.
 *
 * state_dir/next_id holds a number in decimal and a newline: every ID below it counts as used. The
 * mark is moved before the IDs are given out, never after, so a crash wastes a block at worst and
 * repeats nothing. A new mark is written beside the old one, synced, renamed over it, and the
 * directory synced: at any moment one whole mark is there.
 *
 * The newline tells a whole number from a cut one. A file that holds anything else is kept for
 * people as next_id.bad, and the IDs go on from the time, which is ahead of what counting from 1 in
 * blocks has reached before 1.6 million starts.
 */
#include "daemon/idmark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/directory.h"
#include "daemon/lockfile.h"
#include "daemon/log.h"
#include "proto/limits.h"

static const char mark_name[] = "next_id";
static const char new_name[] = "next_id.new";
static const char bad_name[] = "next_id.bad";
static const char lock_name[] = "poold.lock";

enum { MARK_TEXT = 24 };

struct idmark {
	int dir_fd; /* -1: no usable directory */
	int lock_fd;
	uint64_t end;	   /* the mark on disk */
	uint64_t retry_at; /* after a failure: not before this ID */
};

enum {
	MARK_E_NONE = 1,
	MARK_E_BAD = 2,
};

/* 0 with *ret, MARK_E_NONE, MARK_E_BAD. */
static int read_mark(int dir_fd, uint64_t *ret)
{
	cleanup_fd int fd = -1;
	char text[MARK_TEXT];
	uint64_t mark;
	char *end;
	ssize_t n;

	fd = openat(dir_fd, mark_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? MARK_E_NONE : MARK_E_BAD;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return MARK_E_BAD;
	text[n] = '\0';
	if (strspn(text, "0123456789") != (size_t)n - 1 || text[n - 1] != '\n')
		return MARK_E_BAD;
	mark = strtoull(text, &end, 10);
	if (mark == 0 || mark > PROTO_ID_END)
		return MARK_E_BAD;
	*ret = mark;
	return 0;
}

static int write_mark(int dir_fd, uint64_t mark)
{
	cleanup_fd int fd = -1;
	char text[MARK_TEXT];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", mark);

	fd = openat(dir_fd, new_name,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	errno = EIO; /* of a short write */
	if (write(fd, text, (size_t)n) != n || fsync(fd) < 0)
		return -errno;
	if (renameat(dir_fd, new_name, dir_fd, mark_name) < 0 || fsync(dir_fd) < 0)
		return -errno;
	return 0;
}

static uint64_t id_of_time(void)
{
	return clock_us(CLOCK_REALTIME) * 4;
}

/* Opens and locks. 0; IDMARK_E_HELD; DIRECTORY_E_UNSAFE is turned into -EPERM with a reason. */
static int open_directory(struct idmark *m, const char *state_dir, const char **ret_reason)
{
	cleanup_fd int dir_fd = -1;
	pid_t pid;
	int r;

	r = directory_open(state_dir, 0700, &dir_fd, ret_reason);
	if (r == DIRECTORY_E_UNSAFE)
		return -EPERM;
	if (r < 0)
		return r;
	r = lockfile_take(dir_fd, lock_name, &m->lock_fd, &pid);
	if (r == LOCKFILE_E_HELD) {
		log_err("another poold runs here: %s is locked by pid %d", state_dir, (int)pid);
		return IDMARK_E_HELD;
	}
	if (r < 0)
		return r;
	m->dir_fd = take_fd(&dir_fd);
	return 0;
}

/* The mark as the directory has it, or what takes its place. */
static uint64_t find_mark(int dir_fd, const char *state_dir)
{
	uint64_t mark;

	switch (read_mark(dir_fd, &mark)) {
	case 0: return mark;
	case MARK_E_NONE: return 1;
	}
	log_warning("%s/%s holds no mark: kept as %s, IDs go on from the time", state_dir,
		mark_name, bad_name);
	if (renameat(dir_fd, mark_name, dir_fd, bad_name) < 0)
		log_warning("%s/%s: cannot be renamed: %s", state_dir, mark_name, strerror(errno));
	return id_of_time();
}

/* From the time, but not below `least`. */
static void start_from_time(
	struct idmark *m, uint64_t least, const char *state_dir, const char *why)
{
	uint64_t now = id_of_time();

	log_warning("no usable state directory (%s%s%s): the first ID is taken from the clock; if "
		    "it was set back, "
		    "IDs can repeat",
		state_dir ? state_dir : "", state_dir ? ": " : "", why);
	m->dir_fd = fd_close(m->dir_fd);
	m->end = now > least ? now : least;
}

int idmark_new(const char *state_dir, struct idmark **ret, uint64_t *ret_first, uint64_t *ret_end)
{
	cleanup(idmark_freep) struct idmark *m = calloc(1, sizeof(*m));
	const char *reason = NULL;
	uint64_t first = 1;
	int r = -ENOENT;

	if (!m)
		return -ENOMEM;
	m->dir_fd = m->lock_fd = -1;
	if (state_dir) {
		r = open_directory(m, state_dir, &reason);
		if (r > 0)
			return r;
	}
	if (r == 0) {
		first = find_mark(m->dir_fd, state_dir);
		m->end = first + IDMARK_BLOCK;
		if (m->end <= PROTO_ID_END)
			r = write_mark(m->dir_fd, m->end);
	}
	if (r < 0) {
		start_from_time(m, first, state_dir,
			reason	    ? reason
			: state_dir ? strerror(-r)
				    : "none is known");
		first = m->end;
		m->end = PROTO_ID_END;
	}
	if (first >= PROTO_ID_END || m->end > PROTO_ID_END) {
		log_err("all IDs below 2^53 are used up (next is %" PRIu64 ")", first);
		return -ERANGE;
	}
	*ret_first = first;
	*ret_end = m->end;
	*ret = take_ptr(m);
	return 0;
}

struct idmark *idmark_free(struct idmark *m)
{
	if (!m)
		return NULL;
	fd_close(m->lock_fd);
	fd_close(m->dir_fd);
	free(m);
	return NULL;
}

uint64_t idmark_reserve_more(struct idmark *m, uint64_t next_id)
{
	uint64_t left = m->end - next_id;
	int r;

	if (m->dir_fd < 0 || left > IDMARK_BLOCK / 2 || next_id < m->retry_at ||
		m->end > PROTO_ID_END - IDMARK_BLOCK)
		return m->end;
	r = write_mark(m->dir_fd, m->end + IDMARK_BLOCK);
	if (r < 0) {
		/* The nearer the end, the sooner again. */
		m->retry_at = next_id + left / 16 + 1;
		log_err("the mark of IDs cannot be moved: %s; %" PRIu64 " are left", strerror(-r),
			left);
		return m->end;
	}
	m->end += IDMARK_BLOCK;
	return m->end;
}
