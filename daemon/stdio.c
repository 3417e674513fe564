/* A client's own file is looked at, never read, written, moved in or mapped. Nothing is asked that
 * its file system would have to answer: one of the client's own could take for ever, and the daemon
 * with it. So the type comes from what the kernel knows already, and a position is nobody's
 * business here (lseek() waits for a read that is under way).
 */
#include "daemon/stdio.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The index that the value at c is as a whole; NULL. */
static const uint8_t *whole_index(struct cursor c)
{
	const uint8_t *index = cursor_fd_index(&c);

	return index && cursor_at_end(&c) ? index : NULL;
}

static uint8_t role_of_key(const char *key, size_t len)
{
	if (text_equal(key, len, "stdin"))
		return STDIO_IN;
	if (text_equal(key, len, "stdout"))
		return STDIO_OUT;
	return text_equal(key, len, "stderr") ? STDIO_ERR : STDIO_VALUE;
}

static void mark_all(struct cursor value, uint8_t *roles)
{
	while (!cursor_at_end(&value)) {
		const uint8_t *index = cursor_fd_index(&value);

		if (index)
			roles[*index] |= STDIO_VALUE;
		else if (!cursor_step(&value))
			break;
	}
}

void stdio_find(struct cursor input, uint8_t *roles)
{
	struct cursor all = input, key, value;
	const uint8_t *index;
	const char *text;
	uint32_t n;
	size_t len;

	if (!cursor_map(&input, &n)) {
		mark_all(all, roles);
		return;
	}
	for (; n > 0 && cursor_skip(&input, &key) && cursor_skip(&input, &value); n--) {
		uint8_t role = STDIO_VALUE;

		mark_all(key, roles);
		if (cursor_text(&key, &text, &len))
			role = role_of_key(text, len);
		index = whole_index(value);
		if (index)
			roles[*index] |= role;
		else
			mark_all(value, roles);
	}
}

static const char *check_access(int fd, unsigned roles)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_PATH)
		return "it is a place in the file system, not an open file (O_PATH)";
	if (roles & STDIO_IN && (flags & O_ACCMODE) == O_WRONLY)
		return "stdin: it is not open for reading";
	if (roles & (STDIO_OUT | STDIO_ERR) && (flags & O_ACCMODE) == O_RDONLY)
		return "stdout, stderr: it is not open for writing";
	return NULL;
}

/* Of a memfd; a file that knows no seals has none. */
static bool is_write_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
}

static const char *check_kind(int fd, unsigned roles)
{
	static const char others[] =
		"stdin, stdout, stderr: it is no regular file, pipe, terminal or /dev/null";
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return others;
	switch (st.stx_mode & S_IFMT) {
	case S_IFREG:
		if (roles & (STDIO_OUT | STDIO_ERR) && is_write_sealed(fd))
			return "stdout, stderr: it is sealed against writing";
		return NULL;
	case S_IFIFO: return NULL;
	case S_IFCHR:
		if (makedev(st.stx_rdev_major, st.stx_rdev_minor) == makedev(1, 3) || isatty(fd))
			return NULL;
		return others;
	case S_IFSOCK:
		return "stdin, stdout, stderr: it is a socket, which has to be relayed through a "
		       "pipe";
	default: return others;
	}
}

const char *stdio_check(int fd, unsigned roles)
{
	const char *reason = check_access(fd, roles);

	return reason ? reason : check_kind(fd, roles);
}
