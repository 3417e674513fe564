/* What fresh shared memory costs: the ways to fill a memfd, to read one, and to let go of it.
 *
 *	memory fill WAY MIB N		a sealed memfd with MIB of a heap buffer, freed untimed: p50 and p99 in µs
 *	memory read WAY MIB N		every page of one looked at, in a mapping of its own
 *	memory file WAY MIB N		a sealed memfd with the content of a file that the page cache has
 *	memory free WAY MIB N		the last reference
 *	memory all MIB N		every way, in turn, as a table
 *
 * proto/shm goes the ways that pay; "shm" measures what it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "proto/shm.h"
#include "tests/bench/sample.h"

#define PAGE 4096u

static uint8_t *heap; /* as many bytes as the memfd has, all of them there */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int new_memfd(size_t n)
{
	int fd = shm_new("bench", n);

	if (fd < 0)
		die("memfd");
	return fd;
}

/* ---- filling ---- */

enum before {
	BEFORE_NOTHING,
	BEFORE_POPULATE, /* all pages at once, as mmap() does it */
	BEFORE_WRITE,	 /* all pages at once, by madvise() */
	BEFORE_PIECES,	 /* pages of what is written next, by madvise() */
	BEFORE_ALLOCATE, /* pages by fallocate(), not mapped yet */
	BEFORE_HUGE,
};

#define PIECE (2u << 20)

static void copy_in_pieces(uint8_t *to, size_t n)
{
	for (size_t at = 0; at < n; at += PIECE) {
		size_t len = n - at < PIECE ? n - at : PIECE;

		if (madvise(to + at, len, MADV_POPULATE_WRITE) < 0)
			die("madvise");
		memcpy(to + at, heap + at, len);
	}
}

static void copy(int fd, size_t n, enum before before)
{
	int flags = MAP_SHARED | (before == BEFORE_POPULATE ? MAP_POPULATE : 0);
	uint8_t *to;

	if (before == BEFORE_ALLOCATE && fallocate(fd, 0, 0, (off_t)n) < 0)
		die("fallocate");
	to = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (to == MAP_FAILED)
		die("mmap");
	if (before == BEFORE_WRITE && madvise(to, n, MADV_POPULATE_WRITE) < 0)
		die("madvise");
	if (before == BEFORE_HUGE && madvise(to, n, MADV_HUGEPAGE) < 0)
		die("madvise");
	if (before == BEFORE_PIECES)
		copy_in_pieces(to, n);
	else
		memcpy(to, heap, n);
	munmap(to, n);
}

static int fill_copy(size_t n, unsigned before)
{
	int fd = new_memfd(n);

	copy(fd, n, (enum before)before);
	return fd;
}

/* What a function does that computes its result. */
static int fill_set(size_t n, unsigned unused)
{
	int fd = new_memfd(n);
	void *to;

	(void)unused;
	if (shm_map_write(fd, n, &to) < 0)
		die("shm_map_write");
	memset(to, 'x', n);
	shm_unmap(to, n);
	return fd;
}

static int fill_write(size_t n, unsigned piece)
{
	int fd = new_memfd(0);

	for (size_t at = 0; at < n; at += piece)
		if (write(fd, heap + at, n - at < piece ? n - at : piece) < 0)
			die("write");
	return fd;
}

static int fill_shm(size_t n, unsigned unused)
{
	int fd = shm_from_bytes("bench", heap, n);

	(void)unused;
	if (fd < 0)
		die("shm_from_bytes");
	return fd;
}

/* ---- reading ---- */

enum ahead {
	AHEAD_NOTHING,
	AHEAD_POPULATE,
	AHEAD_READ,
	AHEAD_WILLNEED,
	AHEAD_COLLAPSE,
	AHEAD_SHARED,
};

static volatile uint8_t seen;

static void look(const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n; at += PAGE)
		seen = p[at];
}

static void read_mapped(int fd, size_t n, unsigned ahead)
{
	static const int advice[] = {
		[AHEAD_READ] = MADV_POPULATE_READ,
		[AHEAD_WILLNEED] = MADV_WILLNEED,
		[AHEAD_COLLAPSE] = 25 /* MADV_COLLAPSE */,
	};
	int flags = ahead == AHEAD_SHARED ? MAP_SHARED : MAP_PRIVATE;
	uint8_t *p;

	p = mmap(NULL, n, PROT_READ, flags | (ahead == AHEAD_POPULATE ? MAP_POPULATE : 0), fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	if (ahead < sizeof(advice) / sizeof(*advice) && advice[ahead] &&
		madvise(p, n, advice[ahead]) < 0)
		perror("madvise");
	look(p, n);
	munmap(p, n);
}

static void read_copy(int fd, size_t n, unsigned piece)
{
	for (size_t at = 0; at < n; at += piece)
		if (pread(fd, heap, n - at < piece ? n - at : piece, (off_t)at) < 0)
			die("pread");
	look(heap, n < piece ? n : piece);
}

static void read_shm(int fd, size_t n, unsigned unused)
{
	const void *p;

	(void)unused;
	if (shm_map(fd, n, &p) < 0)
		die("shm_map");
	look(p, n);
	shm_unmap(p, n);
}

/* ---- from a file ---- */

static int file = -1; /* the heap's bytes */

static void new_file(size_t n)
{
	const char *dir = getenv("TMPDIR");

	file = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		die("file");
	for (size_t at = 0; at < n; at += PIECE)
		if (write(file, heap + at, n - at < PIECE ? n - at : PIECE) < 0)
			die("file");
}

static int file_range(size_t n, unsigned piece)
{
	int fd = new_memfd(0);
	off64_t at = 0;

	while (at < (off64_t)n)
		if (copy_file_range(file, &at, fd, NULL, piece, 0) <= 0)
			break;
	return fd;
}

static int file_sendfile(size_t n, unsigned piece)
{
	int fd = new_memfd(0);
	off_t at = 0;

	while (at < (off_t)n)
		if (sendfile(fd, file, &at, piece) <= 0)
			die("sendfile");
	return fd;
}

static int file_read(size_t n, unsigned piece)
{
	uint8_t *bytes = malloc(piece);
	int fd = new_memfd(0);
	ssize_t got;

	for (size_t at = 0; bytes && at < n; at += (size_t)got) {
		got = pread(file, bytes, piece, (off_t)at);
		if (got <= 0 || write(fd, bytes, (size_t)got) != got)
			die("read");
	}
	free(bytes);
	return fd;
}

static int file_map(size_t n, unsigned piece)
{
	uint8_t *from = mmap(NULL, n, PROT_READ, MAP_PRIVATE, file, 0);
	int fd = new_memfd(0);

	for (size_t at = 0; at < n; at += piece)
		if (write(fd, from + at, n - at < piece ? n - at : piece) < 0)
			die("write");
	munmap(from, n);
	return fd;
}

static int file_shm(size_t n, unsigned unused)
{
	size_t len;
	int fd;

	(void)unused;
	if (lseek(file, 0, SEEK_SET) < 0)
		die("lseek");
	fd = shm_from_file("bench", file, n, &len);
	if (fd < 0 || len != n)
		die("shm_from_file");
	return fd;
}

/* ---- the ways ---- */

struct way {
	const char *what, *name;
	int (*fill)(size_t n, unsigned how);
	void (*read)(int fd, size_t n, unsigned how);
	unsigned how;
};

static const struct way ways[] = {
	{"fill", "copy", fill_copy, NULL, BEFORE_NOTHING},
	{"fill", "copy-map-populate", fill_copy, NULL, BEFORE_POPULATE},
	{"fill", "copy-populate-write", fill_copy, NULL, BEFORE_WRITE},
	{"fill", "copy-populate-2M", fill_copy, NULL, BEFORE_PIECES},
	{"fill", "copy-fallocate", fill_copy, NULL, BEFORE_ALLOCATE},
	{"fill", "copy-hugepage", fill_copy, NULL, BEFORE_HUGE},
	{"fill", "set", fill_set, NULL, 0},
	{"fill", "write-4K", fill_write, NULL, 4u << 10},
	{"fill", "write-64K", fill_write, NULL, 64u << 10},
	{"fill", "write-1M", fill_write, NULL, 1u << 20},
	{"fill", "write-16M", fill_write, NULL, 16u << 20},
	{"fill", "write-1G", fill_write, NULL, 1u << 30},
	{"fill", "shm", fill_shm, NULL, 0},
	{"read", "private", NULL, read_mapped, AHEAD_NOTHING},
	{"read", "shared", NULL, read_mapped, AHEAD_SHARED},
	{"read", "map-populate", NULL, read_mapped, AHEAD_POPULATE},
	{"read", "populate-read", NULL, read_mapped, AHEAD_READ},
	{"read", "willneed", NULL, read_mapped, AHEAD_WILLNEED},
	{"read", "collapse", NULL, read_mapped, AHEAD_COLLAPSE},
	{"read", "pread-256K", NULL, read_copy, 256u << 10},
	{"read", "shm", NULL, read_shm, 0},
	{"file", "copy-file-range", file_range, NULL, 1u << 30},
	{"file", "sendfile", file_sendfile, NULL, 1u << 30},
	{"file", "read-64K", file_read, NULL, 64u << 10},
	{"file", "read-256K", file_read, NULL, 256u << 10},
	{"file", "read-1M", file_read, NULL, 1u << 20},
	{"file", "map-1M", file_map, NULL, 1u << 20},
	{"file", "map-1G", file_map, NULL, 1u << 30},
	{"file", "shm", file_shm, NULL, 0},
	{"free", "close", fill_shm, NULL, 0},
};

#define N_WAYS (sizeof(ways) / sizeof(*ways))

/* What is timed is what the way is about. */
static uint64_t go(const struct way *w, size_t n)
{
	uint64_t from_ns = sample_now_ns(), ns;
	int fd;

	fd = w->fill ? w->fill(n, w->how) : fill_shm(n, 0);
	if (shm_seal(fd) < 0 && errno != EPERM)
		die("seal");
	if (strcmp(w->what, "read") == 0 || strcmp(w->what, "free") == 0)
		from_ns = sample_now_ns();
	if (w->read)
		w->read(fd, n, w->how);
	if (strcmp(w->what, "free") == 0)
		close(fd);
	ns = sample_now_ns() - from_ns;
	if (strcmp(w->what, "free") != 0)
		close(fd);
	sample_pause(ns);
	return ns;
}

static void measure_all(size_t n, unsigned rounds)
{
	struct sample s[N_WAYS];

	for (size_t i = 0; i < N_WAYS; i++)
		s[i] = sample_new(rounds);
	for (unsigned r = 0; r < rounds; r++)
		for (size_t i = 0; i < N_WAYS; i++)
			sample_add(&s[i], go(&ways[i], n));
	for (size_t i = 0; i < N_WAYS; i++) {
		printf("%s %-20s %6zu MiB ", ways[i].what, ways[i].name, n >> 20);
		sample_print(&s[i]);
	}
}

static void measure(const char *what, const char *name, size_t n, unsigned rounds)
{
	struct sample s = sample_new(rounds);

	for (size_t i = 0; i < N_WAYS; i++) {
		if (strcmp(ways[i].what, what) != 0 || strcmp(ways[i].name, name) != 0)
			continue;
		for (unsigned r = 0; r < rounds; r++)
			sample_add(&s, go(&ways[i], n));
		sample_print(&s);
		return;
	}
	fprintf(stderr, "memory: no way to %s is called %s\n", what, name);
	exit(2);
}

int main(int argc, char **argv)
{
	bool is_all = argc == 4 && strcmp(argv[1], "all") == 0;
	size_t n = is_all || argc == 5 ? strtoul(argv[argc - 2], NULL, 10) << 20 : 0;
	unsigned rounds = (unsigned)strtoul(argv[argc - 1], NULL, 10);

	if (!n || !rounds) {
		fputs("usage: memory fill|read|free WAY MIB N | all MIB N\n", stderr);
		return 2;
	}
	heap = malloc(n);
	if (!heap)
		die("memory");
	memset(heap, 'x', n);
	if (is_all || strcmp(argv[1], "file") == 0)
		new_file(n);
	if (is_all)
		measure_all(n, rounds);
	else
		measure(argv[1], argv[2], n, rounds);
	free(heap);
	return 0;
}
