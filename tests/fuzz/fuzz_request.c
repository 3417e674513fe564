/* Whatever a client sends, in whatever pieces, with whatever fds: it is answered in MessagePack-RPC
 * or closed, and when it is gone and its futures are released nothing is held.
 *
 * A real connection, real handlers and a real core; workers are made of a list. The input's first
 * bytes say how the rest is cut and which fds go with the pieces, whether the client reads, and how
 * the workers behave:
 *
 *	0	bytes of a piece; 0: all at once
 *	1	fds of the pieces: two bits each, in turn
 *	2	the first of them
 *	3	bit 0: the client does not read; bits 1…: what workers do
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/lobby.h"
#include "daemon/log.h"
#include "daemon/request.h"
#include "daemon/server.h"
#include "daemon/await.h"
#include "daemon/zygote.h"
#include "proto/shm.h"
#include "tests/fuzz/crew.h"
#include "tests/fuzz/fuzz.h"

enum {
	HEAD_BYTES = 4,
	FDS = 7,
	STEPS_MAX = 200,
};

static struct server server;
static int fds[FDS];

/* ---- the daemon ---- */

static void set_up_pool(unsigned i, const char *name, const char *function)
{
	static const char *const more[] = {"echo", "noop"};
	static struct config_pool configs[2];
	static struct zygote zygotes[2];
	struct pool_config config = {.name = name,
		.n_workers = CREW_WORKERS,
		.ahead_max = 2,
		.max_result_bytes = 1 << 20,
		.max_result_fds = PROTO_RESULT_FDS + 1,
		.grace_us = 1000000,
		.poison = 2};
	struct pool *p;

	configs[i] = (struct config_pool){
		.handler = i ? HANDLER_MODULE : HANDLER_EXEC, .allow.everybody = true};
	zygotes[i].config = &configs[i];
	must(core_add_pool(&server.core, &config, &zygotes[i], &p) == 0);
	must(pool_put_function(p, function, "", false) == 0);
	must(pool_put_function(p, more[i], "", i) == 0);
	core_pool_ready(p);
}

static void set_up_fds(void)
{
	static const size_t sizes[] = {0, 3, 5000, 100000};
	int pair[2];

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		fds[i] = shm_new("fuzz", sizes[i]);
		must(fds[i] >= 0 && shm_seal(fds[i]) == 0);
	}
	fds[4] = shm_new("fuzz", 1); /* not sealed */
	crew_output = fds[2];
	must(pipe2(pair, O_CLOEXEC) == 0);
	fds[5] = pair[0];
	fds[6] = pair[1];
}

static void set_up(void)
{
	static const struct conn_ops conn_ops = {.on_message = request_on_message};
	static struct config config = {.ttl_us = 3600000000};
	struct account_limits limits;

	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		limits.uid.n[k] = limits.all.n[k] = 64;
	limits.uid.n[ACCOUNT_BYTES] = limits.all.n[ACCOUNT_BYTES] = 4 << 20;
	limits.uid.n[ACCOUNT_PARKED_BYTES] = limits.all.n[ACCOUNT_PARKED_BYTES] = 1 << 12;
	log_set_level(LOG_ERR);
	set_up_fds();
	server.config = &config;
	server.state = SERVER_SERVING;
	server.deadline = DEADLINE_NONE;
	server.stop_at_us = HEAP_NEVER;
	server.base = event_base_new();
	must(server.base);
	TAILQ_INIT(&server.drains);
	must(core_init(&server.core, &limits, &crew_ops, &server, 1, PROTO_ID_END,
		     &(struct siphash_key){{1, 2}}) == 0);
	conns_init(&server.conns, server.base, &server.core, &conn_ops, &server);
	set_up_pool(0, "default", "exec");
	set_up_pool(1, "bench", "sleep");
}

static void turn(void)
{
	uint64_t now_us = clock_now_us(), next_us = HEAP_NEVER;

	must(event_base_loop(server.base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
	conns_turn(&server.conns, now_us);
	core_turn(&server.core, now_us);
	conns_flush(&server.conns, now_us);
	core_sweep(&server.core);
	conns_sweep(&server.conns, now_us);
	lobby_turn(&server, &next_us);
	crew_work();
}

/* ---- the client ---- */

struct client {
	int sock;
	struct buf in;
	struct scan scan;
	unsigned n_fds; /* came, and not named yet */
	bool is_over;
};

static void must_be_error(struct cursor c)
{
	const char *text;
	uint32_t n;
	size_t len;

	if (cursor_nil(&c))
		return;
	must(cursor_array(&c, &n) && n == 3);
	for (int i = 0; i < 2; i++)
		must(cursor_text(&c, &text, &len) && text_is_plain(text, len));
	must(cursor_peek(&c) == CURSOR_MAP || (crew_behaviour & (4 | 32)));
}

static void take_messages(struct client *k)
{
	struct rpc m;

	while (buf_used(&k->in) && !k->is_over) {
		int r = scan_step(&k->scan, buf_head(&k->in), buf_used(&k->in));

		if (r == SCAN_MORE)
			return;
		must(r == SCAN_DONE);
		must(rpc_parse(&m, buf_head(&k->in), k->scan.pos) == 0);
		must(m.type == RPC_ANSWER || m.type == RPC_NOTIFICATION);
		if (m.type == RPC_ANSWER)
			must_be_error(m.error);
		must((unsigned)__builtin_popcountll(k->scan.fd_mask) <= k->n_fds);
		k->n_fds -= (unsigned)__builtin_popcountll(k->scan.fd_mask);
		buf_consume(&k->in, k->scan.pos);
		scan_init(&k->scan, 2 * PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	}
}

static void read_all(struct client *k)
{
	struct fdqueue q;
	int condition = 0;
	ssize_t n;

	fdqueue_init(&q, PROTO_PACKET_FDS);
	for (;;) {
		size_t room;
		uint8_t *at;

		must(buf_reserve(&k->in, 65536) == 0);
		at = buf_room(&k->in, &room);
		n = fdpass_recv(k->sock, at, room, MSG_DONTWAIT, &q, &condition);
		must(condition == 0);
		k->n_fds += q.n;
		fdqueue_deinit(&q);
		if (n <= 0)
			break;
		buf_commit(&k->in, (size_t)n);
		take_messages(k);
	}
	k->is_over |= n == 0 || n == -ECONNRESET;
}

/* Sends one piece; the daemon takes it at once, or it never will. */
static void send_piece(
	struct client *k, const uint8_t *bytes, size_t n, unsigned first, unsigned n_fds)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, n};
	int some[3];

	for (unsigned i = 0; i < n_fds; i++)
		some[i] = fds[(first + i) % FDS];
	k->is_over |= fdpass_send(k->sock, &iov, 1, MSG_DONTWAIT, some, n_fds) < 0;
}

static void talk(struct client *k, const uint8_t *head, const uint8_t *bytes, size_t size)
{
	size_t step = head[0] ? head[0] : size;
	bool is_reading = !(head[3] & 1);

	for (size_t at = 0, i = 0; at < size && !k->is_over; at += step, i++) {
		size_t n = size - at < step ? size - at : step;

		send_piece(k, bytes + at, n, head[2], head[1] >> 2 * (i % 4) & 3);
		turn();
		if (is_reading)
			read_all(k);
	}
	for (int i = 0; i < 4; i++) {
		turn();
		if (is_reading)
			read_all(k);
	}
}

/* ---- the end ---- */

static void release_all(void)
{
	struct future *f;

	CORE_FOREACH (f, &server.core) {
		core_pin(f);
		(void)core_cancel(&server.core, f, CANCEL_KILL, 0, clock_now_us());
		core_release(&server.core, f);
		core_unpin(&server.core, f);
	}
}

static void must_be_empty(void)
{
	struct pool *p;

	crew_behaviour = 0;
	for (int i = 0; i < STEPS_MAX && (server.conns.n || server.core.table.n); i++) {
		if (!server.conns.n)
			release_all();
		turn();
	}
	conns_look(&server.conns); /* the peer is gone: none lingers for fds that it has not read */
	must(server.conns.n == 0 && server.conns.n_pendings == 0);
	must(server.core.table.n == 0 && server.core.n_unfinished == 0);
	for (int k = 0; k < _ACCOUNT_KIND_MAX; k++)
		must(server.core.accounts.used.n[k] == 0 && server.core.accounts.by_jobs.n[k] == 0);
	must(!server.core.accounts.by_uid);
	server.state = SERVER_SERVING;
	server.core.is_draining = server.core.is_closed = false;
	TAILQ_FOREACH (p, &server.core.pools, in_core)
		core_pool_resume(p);
	server.core.next_id = 1;
}

/* The last of the next free ones: it moves if one before it is taken. */
static int free_fd(void)
{
	int some[32];

	for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
		must((some[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0)) >= 0);
	for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
		close(some[i]);
	return some[ARRAY_SIZE(some) - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client k = {.in = BUF_INIT(4 * PROTO_MESSAGE_BYTES)};
	int pair[2], before;

	if (size < HEAD_BYTES)
		return 0;
	if (!server.base)
		set_up();
	before = free_fd();
	crew_behaviour = data[3];
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	conns_accept(&server.conns, pair[0], (gid_t)-1);
	k.sock = pair[1];
	scan_init(&k.scan, 2 * PROTO_MESSAGE_BYTES, PROTO_DEPTH);
	talk(&k, data, data + HEAD_BYTES, size - HEAD_BYTES);
	close(k.sock);
	buf_deinit(&k.in);
	must_be_empty();
	closer_stop(); /* it has a socket in which something lay unread */
	must(free_fd() == before);
	return 0;
}
