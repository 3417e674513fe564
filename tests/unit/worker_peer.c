#include "tests/unit/worker_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "proto/scan.h"
#include "proto/shm.h"

#define CONTROL_FD 3

static void init(struct peer *p, int fd)
{
	*p = (struct peer){.fd = fd, .output = -1, .packet = malloc(PROTO_PACKET_BYTES)};
	ck_assert_ptr_nonnull(p->packet);
	buf_init(&p->out, PROTO_PACKET_BYTES);
	fdqueue_init(&p->fds, PROTO_PACKET_FDS);
}

static void deinit(struct peer *p)
{
	fdqueue_deinit(&p->fds);
	buf_deinit(&p->out);
	free(take_ptr(p->packet));
	p->fd = fd_close(p->fd);
	p->output = fd_close(p->output);
}

static char *build_path(const char *suffix)
{
	const char *build = getenv("POOLD_TEST_BUILDDIR");
	char *path;

	ck_assert_int_gt(asprintf(&path, "%s/%s", build ? build : ".", suffix), 0);
	return path;
}

char *peer_module_path(const char *name)
{
	static const char *const dirs[] = {"daemon/worker/modules", "tests/unit/modules"};
	char suffix[256], *path;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(suffix, sizeof(suffix), "%s/.libs/%s.so", dirs[i], name);
		path = build_path(suffix);
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	ck_abort_msg("module %s is not built", name);
	return NULL;
}

static void __attribute__((noreturn)) be_worker(const char *path, int link)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0)
		_exit(99);
	/* the link may be fd 3 already, and close-on-exec */
	if (link == CONTROL_FD ? fcntl(link, F_SETFD, 0) < 0 : dup2(link, CONTROL_FD) < 0)
		_exit(99);
	execl(path, "poold-worker", "proof", (char *)NULL);
	_exit(99);
}

void peer_start(struct peer *z)
{
	char *path = build_path("daemon/worker/poold-worker");
	int pair[2];

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	init(z, pair[0]);
	z->pid = fork();
	ck_assert_int_ge(z->pid, 0);
	if (z->pid == 0)
		be_worker(path, pair[1]);
	close(pair[1]);
	free(path);
}

static void expect_set_up(struct peer *z)
{
	struct reply r;

	peer_send(z, NULL, 0);
	r = peer_receive(z);
	ck_assert_msg(!r.word[0], "%s: %s", r.word, r.message);
	ck_assert_ptr_nonnull(strstr(r.value, "\"functions\""));
	peer_forget(&r);
}

void peer_start_exec(struct peer *z)
{
	peer_start(z);
	peer_add(z, "[iis[{ssssss}]]", 0, 1, "setup", "pool", "proof", "handler", "exec", "cwd",
		"/");
	expect_set_up(z);
}

void peer_start_module(struct peer *z, const char *name)
{
	char *path = peer_module_path(name);

	peer_start(z);
	peer_add(z, "[iis[{ssssss}]]", 0, 1, "setup", "pool", "proof", "handler", "module",
		"module", path);
	expect_set_up(z);
	free(path);
}

void peer_fork(struct peer *z, struct peer *w)
{
	int pair[2], pipes[2];
	struct reply r;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	init(w, pair[0]);
	w->output = pipes[0];
	peer_add(z, "[iis[FF]]", 0, 2, "fork", 0, 1);
	peer_send(z, (int[]){pair[1], pipes[1]}, 2);
	close(pair[1]);
	close(pipes[1]);
	r = peer_receive(z);
	ck_assert_msg(!r.word[0], "%s: %s", r.word, r.message);
	w->pid = atoi(r.value);
	ck_assert_int_gt(w->pid, 0);
	peer_forget(&r);

	r = peer_receive(w);
	ck_assert_str_eq(r.word, "ready");
	ck_assert_ptr_nonnull(strstr(r.value, "\"protocol\": 1"));
	peer_forget(&r);
}

int peer_await_end(struct peer *p)
{
	int status;

	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	deinit(p);
	return status;
}

void peer_end(struct peer *p)
{
	int status;

	p->fd = fd_close(p->fd);
	status = peer_await_end(p);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

void peer_add(struct peer *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	literal_vpack(&p->out, format, ap);
	va_end(ap);
}

void peer_send(struct peer *p, const int *fds, unsigned n_fds)
{
	struct iovec iov = {(void *)buf_head(&p->out), buf_used(&p->out)};

	ck_assert_int_eq(fdpass_send(p->fd, &iov, 1, 0, fds, n_fds), (ssize_t)iov.iov_len);
	buf_clear(&p->out);
}

static void receive_packet(struct peer *p)
{
	int condition;
	ssize_t n;

	ck_assert_uint_eq(p->fds.n, 0);
	n = fdpass_recv(p->fd, p->packet, PROTO_PACKET_BYTES, 0, &p->fds, &condition);
	ck_assert_msg(n > 0, "received %zd", n);
	ck_assert_int_eq(condition, 0);
	p->len = (size_t)n;
	p->pos = 0;
}

static char *copy_text(const char *text, size_t n)
{
	char *copy = strndup(text, n);

	ck_assert_ptr_nonnull(copy);
	return copy;
}

/* [value, meas] or [code, message, {data, meas}]. Answers of the zygote have neither meas. */
static void take_answer(struct reply *r, struct rpc *m)
{
	struct cursor c = m->error, value;
	const char *text, *key;
	size_t n, key_len;
	uint32_t count;

	if (cursor_array(&c, &count)) {
		ck_assert(count == 3 && cursor_text(&c, &text, &n));
		r->word = copy_text(text, n);
		ck_assert(cursor_text(&c, &text, &n));
		r->message = copy_text(text, n);
		ck_assert(cursor_map(&c, &count));
		for (uint32_t i = 0; i < count; i++) {
			ck_assert(cursor_text(&c, &key, &key_len) && cursor_skip(&c, &value));
			if (text_equal(key, key_len, "data"))
				r->value = literal_text(value);
			else if (text_equal(key, key_len, "meas"))
				r->meas = literal_text(value);
			else if (text_equal(key, key_len, "index"))
				ck_assert(cursor_uint(&value, &r->index));
			else if (text_equal(key, key_len, "results"))
				r->results = literal_text(value);
		}
		return;
	}
	r->word = copy_text("", 0);
	c = m->result;
	if (cursor_array(&c, &count) && count == 2) {
		ck_assert(cursor_skip(&c, &value));
		r->value = literal_text(value);
		r->meas = literal_text(c);
	} else {
		r->value = literal_text(m->result);
	}
}

struct reply peer_receive(struct peer *p)
{
	struct reply r = {};
	struct scan s;
	struct rpc m;

	if (p->pos == p->len)
		receive_packet(p);
	scan_init(&s, p->len - p->pos, PROTO_DEPTH);
	ck_assert_int_eq(scan_step(&s, p->packet + p->pos, p->len - p->pos), SCAN_DONE);
	ck_assert_int_eq(rpc_parse(&m, p->packet + p->pos, s.pos), 0);
	p->pos += s.pos;

	r.type = m.type;
	r.msgid = m.msgid;
	r.n_fds = (unsigned)__builtin_popcountll(s.fd_mask);
	ck_assert(fdqueue_take(&p->fds, r.fds, r.n_fds));
	if (m.type == RPC_ANSWER) {
		take_answer(&r, &m);
	} else {
		r.word = copy_text(m.method, m.method_len);
		r.value = literal_list(m.params, m.n_params);
	}
	return r;
}

void peer_expect_end_of_file(struct peer *p)
{
	int condition;

	ck_assert_uint_eq(p->pos, p->len);
	ck_assert_int_eq(
		fdpass_recv(p->fd, p->packet, PROTO_PACKET_BYTES, 0, &p->fds, &condition), 0);
}

void peer_forget(struct reply *r)
{
	for (unsigned i = 0; i < r->n_fds; i++)
		fd_close(r->fds[i]);
	free(r->word);
	free(r->message);
	free(r->value);
	free(r->meas);
	free(r->results);
	*r = (struct reply){};
}

void peer_cancel(struct peer *w, uint64_t id)
{
	peer_add(w, "[is[u]]", 2, "cancel", id);
	peer_send(w, NULL, 0);
	ck_assert_int_eq(kill(w->pid, SIGTERM), 0);
}

int peer_memfd(const void *bytes, size_t n)
{
	int fd = shm_from_bytes("proof", bytes, n);

	ck_assert_int_ge(fd, 0);
	return fd;
}
