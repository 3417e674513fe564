#include "tests/unit/fake_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/scan.h"

#define BUFFER_BYTES (64u * 1024u * 1024u)

void fake_daemon_start(struct fake_daemon *d)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*d = (struct fake_daemon){.fd = -1};
	folder_make(&d->folder);
	buf_init(&d->in, BUFFER_BYTES);
	fdqueue_init(&d->fds, PROTO_PACKET_FDS);
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(d->listener, 0);
	strcpy(address.sun_path, fake_daemon_path(d));
	ck_assert_int_eq(bind(d->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(d->listener, 8), 0);
}

void fake_daemon_stop(struct fake_daemon *d)
{
	fake_daemon_hang_up(d);
	fd_close(d->listener);
	folder_remove(&d->folder);
}

const char *fake_daemon_path(const struct fake_daemon *d)
{
	return folder_at(&d->folder, "poold.sock");
}

void fake_daemon_accept(struct fake_daemon *d)
{
	int fd;

	fake_daemon_hang_up(d);
	/* the newest: before it there may be some that the client gave up */
	while ((fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		fd_close(d->fd);
		d->fd = fd;
	}
	ck_assert_int_ge(d->fd, 0);
}

void fake_daemon_hang_up(struct fake_daemon *d)
{
	d->fd = fd_close(d->fd);
	buf_deinit(&d->in);
	fdqueue_deinit(&d->fds);
}

poold *fake_daemon_connect(struct fake_daemon *d)
{
	poold *p = NULL;

	ck_assert_int_eq(poold_open(&p, fake_daemon_path(d)), 0);
	fake_daemon_accept(d);
	ck_assert_int_eq(client_run(p), 0);
	ck_assert_uint_eq(
		fake_daemon_expect(d, "hello",
			"[{\"client\": \"libpoold\", \"version\": \"0.1.0\", \"fds\": true}]"),
		1);
	fake_daemon_say(d, "[iin{s{si}}]", 1, 1, "limits", "message_bytes", 1 << 20);
	ck_assert_int_eq(client_run(p), 0);
	return p;
}

void fake_daemon_write(
	struct fake_daemon *d, const void *bytes, size_t n, const int *fds, unsigned n_fds)
{
	struct iovec iov = {(void *)bytes, n};

	ck_assert_int_eq(fdpass_send(d->fd, &iov, 1, MSG_DONTWAIT, fds, n_fds), (ssize_t)n);
}

static void say(
	struct fake_daemon *d, const int *fds, unsigned n_fds, const char *format, va_list ap)
{
	struct buf b = BUF_INIT(BUFFER_BYTES);

	literal_vpack(&b, format, ap);
	fake_daemon_write(d, buf_head(&b), buf_used(&b), fds, n_fds);
	buf_deinit(&b);
}

void fake_daemon_say(struct fake_daemon *d, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(d, NULL, 0, format, ap);
	va_end(ap);
}

void fake_daemon_say_fds(
	struct fake_daemon *d, const int *fds, unsigned n_fds, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(d, fds, n_fds, format, ap);
	va_end(ap);
	for (unsigned i = 0; i < n_fds; i++)
		fd_close(fds[i]);
}

/* What lies in the socket. False if nothing did. */
static bool receive(struct fake_daemon *d)
{
	int condition;
	uint8_t *room;
	size_t len;
	ssize_t n;

	ck_assert_int_eq(buf_reserve(&d->in, 65536), 0);
	room = buf_room(&d->in, &len);
	n = fdpass_recv(d->fd, room, len, MSG_DONTWAIT, &d->fds, &condition);
	if (n == -EAGAIN)
		return false;
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(condition, 0);
	buf_commit(&d->in, (size_t)n);
	return true;
}

struct request fake_daemon_read(struct fake_daemon *d)
{
	struct request r = {};
	struct scan scan;
	struct rpc rpc;
	struct cursor params;

	scan_init(&scan, PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	while (buf_used(&d->in) == 0 ||
		scan_step(&scan, buf_head(&d->in), buf_used(&d->in)) == SCAN_MORE)
		ck_assert_msg(receive(d), "the client sent no whole message");
	ck_assert_int_eq(scan_step(&scan, buf_head(&d->in), buf_used(&d->in)), SCAN_DONE);
	ck_assert_int_eq(rpc_parse(&rpc, buf_head(&d->in), scan.pos), 0);
	r.type = rpc.type;
	r.msgid = rpc.msgid;
	r.method = strndup(rpc.method, rpc.method_len);
	/* the parameters with the head of their array, which is one byte */
	ck_assert_uint_lt(rpc.n_params, 16);
	params = cursor_of(rpc.params.p - 1, (size_t)(rpc.params.end - rpc.params.p) + 1);
	r.params = literal_text(params);
	r.n_fds = (unsigned)__builtin_popcountll(scan.fd_mask);
	ck_assert_uint_eq(scan.fd_mask, (1ull << r.n_fds) - 1);
	ck_assert(fdqueue_take(&d->fds, r.fds, r.n_fds));
	buf_consume(&d->in, scan.pos);
	return r;
}

void request_forget(struct request *r)
{
	free(r->method);
	free(r->params);
	while (r->n_fds > 0)
		fd_close(r->fds[--r->n_fds]);
}

void fake_daemon_expect_silence(struct fake_daemon *d)
{
	ck_assert(!receive(d));
	ck_assert_uint_eq(buf_used(&d->in), 0);
	ck_assert_uint_eq(d->fds.n, 0);
}

uint32_t fake_daemon_expect(struct fake_daemon *d, const char *method, const char *params)
{
	struct request r = fake_daemon_read(d);
	uint32_t msgid = r.msgid;

	ck_assert_str_eq(r.method, method);
	ck_assert_str_eq(r.params, params);
	ck_assert_uint_eq(r.n_fds, 0);
	request_forget(&r);
	return msgid;
}

int client_run(poold *p)
{
	int r;

	do
		r = poold_process(p);
	while (r > 0);
	return r;
}
