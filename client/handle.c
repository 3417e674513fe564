/* The handle: made, connected, counted, and dead in a child after fork().
 *
 * A child shares the connection's socket, so a byte from there would break the parent's stream. The
 * kernel tells in which process we are: a page that it empties in children, which costs a look at
 * memory where getpid() costs a system call. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "client/client_internal.h"
#include "client/poold-request.h"
#include "config.h"

#define OUT_BYTES     (8u * 1024u * 1024u)
#define OUT_BYTES_MIN (64u * 1024u)

poold_public const char *poold_version(void)
{
	return PACKAGE_VERSION;
}

int cl_check(const poold *p)
{
	if (!p)
		return -EINVAL;
	return cl_is_alive(p) ? 0 : -ECHILD;
}

int cl_not_open(poold *p)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	/* why it was lost is noted already */
	return p->state == CL_LOST ? p->lost_error : cl_fail(p, -ENOTCONN, "not connected yet");
}

static void mark_alive(poold *p)
{
	long size = sysconf(_SC_PAGESIZE);
	void *page = mmap(
		NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p->pid = getpid();
	if (page == MAP_FAILED)
		return;
	if (madvise(page, (size_t)size, MADV_WIPEONFORK) < 0) {
		munmap(page, (size_t)size);
		return;
	}
	p->alive = page;
	*p->alive = 1;
}

poold_public int poold_new(poold **ret_handle)
{
	poold *p;

	if (!ret_handle)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->n_refs = 1;
	p->fd = -1;
	mark_alive(p);
	strcpy(p->client_name, "libpoold");
	buf_init(&p->in, 0);
	buf_init(&p->out, SIZE_MAX / 4);
	buf_init(&p->releases, SIZE_MAX / 4);
	fdqueue_init(&p->in_fds, PROTO_PACKET_FDS);
	p->out_max = OUT_BYTES;
	TAILQ_INIT(&p->futures);
	STAILQ_INIT(&p->due);
	LIST_INIT(&p->sets);
	LIST_INIT(&p->watches);
	*ret_handle = p;
	return 0;
}

poold_public poold *poold_ref(poold *p)
{
	if (p)
		p->n_refs++;
	return p;
}

static void free_handle(poold *p)
{
	int cb = 0;

	p->is_closing = true;
	if (p->state == CL_OPEN) {
		if (cl_is_alive(p)) {
			cl_future_send_all_releases(p);
			cl_io_send(p);
		}
		cl_io_lose(p, -ENOTCONN, &cb);
	}
	cl_future_orphan_all(p);
	cl_future_free_spares(p);
	cl_set_orphan_all(p);
	cl_io_close(p);
	poold_reply_unref(p->hello);
	if (p->alive)
		munmap(p->alive, (size_t)sysconf(_SC_PAGESIZE));
	free(p->given_path);
	free(p);
}

poold_public poold *poold_unref(poold *p)
{
	if (p && --p->n_refs == 0)
		free_handle(p);
	return NULL;
}

/* What can be set only while nobody is connected. */
static int check_closed(poold *p)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	return p->state == CL_OPEN ? cl_fail(p, -EISCONN, "connected to %s", p->path) : 0;
}

poold_public int poold_set_socket(poold *p, const char *path)
{
	char *copy = NULL;
	int r = check_closed(p);

	if (r < 0)
		return r;
	if (path && strlen(path) >= sizeof(p->path))
		return cl_fail(p, -ENAMETOOLONG, "a socket's path has %zu bytes at most",
			sizeof(p->path) - 1);
	if (path) {
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
	}
	free(p->given_path);
	p->given_path = copy;
	return 0;
}

poold_public int poold_set_server_uid(poold *p, uid_t uid)
{
	int r = check_closed(p);

	if (r < 0)
		return r;
	p->trusted_uid = uid;
	p->has_trusted_uid = true;
	return 0;
}

poold_public int poold_set_client_name(poold *p, const char *name)
{
	int r = check_closed(p);

	if (r < 0)
		return r;
	if (!name || strlen(name) >= sizeof(p->client_name))
		return cl_fail(p, -EINVAL, "a client's name has %zu bytes at most",
			sizeof(p->client_name) - 1);
	strcpy(p->client_name, name);
	return 0;
}

poold_public int poold_set_out_max(poold *p, size_t bytes)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (bytes < OUT_BYTES_MIN)
		return cl_fail(
			p, -EINVAL, "the output buffer has %u bytes at least", OUT_BYTES_MIN);
	p->out_max = bytes;
	return 0;
}

/* Connects, and writes hello and what waits again. */
static int open_connection(poold *p)
{
	int fd, r, cb = 0;

	if (p->is_pumping)
		return cl_fail(p, -EDEADLK, "a callback cannot connect");
	r = cl_lookup_connect(p, &fd);
	if (r < 0)
		return r;
	cl_io_open(p, fd);
	r = cl_call_send_hello(p);
	if (r == 0)
		r = cl_batch_deliver_again(p);
	if (r < 0)
		cl_io_lose(p, cl_fail(p, r, "no memory to begin with"), &cb);
	return r;
}

poold_public int poold_connect(poold *p)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (p->state != CL_NEW)
		return cl_fail(p, -EISCONN, "connected before, to %s", p->path);
	return open_connection(p);
}

poold_public int poold_reconnect(poold *p)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (p->state != CL_LOST)
		return cl_fail(p, -EISCONN, "the connection is not lost");
	return open_connection(p);
}

poold_public int poold_open(poold **ret_handle, const char *path)
{
	poold *p;
	int r;

	if (!ret_handle)
		return -EINVAL;
	r = poold_new(&p);
	if (r < 0)
		return r;
	r = poold_set_socket(p, path);
	if (r == 0)
		r = poold_connect(p);
	if (r < 0) {
		poold_unref(p);
		return r;
	}
	*ret_handle = p;
	return 0;
}

poold_public const char *poold_get_socket(const poold *p)
{
	return p && p->path[0] ? p->path : NULL;
}

poold_public const char *poold_get_socket_origin(const poold *p)
{
	return p ? p->origin : NULL;
}

poold_public int poold_get_server_uid(const poold *p, uid_t *ret_uid)
{
	int r = cl_check(p);

	if (r < 0)
		return r;
	if (!ret_uid)
		return -EINVAL;
	if (p->state != CL_OPEN)
		return -ENOTCONN;
	*ret_uid = p->server_uid;
	return 0;
}
