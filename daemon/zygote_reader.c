/* A zygote only answers: `setup` with its functions or the reason why there are none, `fork` with a
 * process ID. The process is the daemon's child already, since the zygote waited for the middle
 * one; whether it really is, and a new one, the kernel and the reaper are asked.
 */
#include "daemon/zygote_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/announce.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/zygote_request.h"
#include "proto/rpc.h"
#include "proto/scan.h"

#define REASON_BYTES 512

static void take_setup_error(struct zygote *z, struct cursor error)
{
	char plain[REASON_BYTES];
	const char *text;
	uint32_t n;
	size_t len;

	if (!cursor_array(&error, &n) || n < 2 || !cursor_skip(&error, NULL) ||
		!cursor_text(&error, &text, &len)) {
		zygote_break(z, "an error that is not [code, message, …]");
		return;
	}
	if (len < sizeof(plain) && text_is_plain(text, len))
		snprintf(plain, sizeof(plain), "%.*s", (int)len, text);
	else
		text_escape(plain, sizeof(plain), text, len);
	zygote_fail(z, plain);
}

static void take_setup(struct zygote *z, struct rpc *m)
{
	const char *key, *reason = "its answer to `setup` is not {functions}";
	struct cursor functions = {}, value;
	uint64_t rss_kib = 0;
	uint32_t n = 0;
	size_t len;
	int r;

	if (cursor_peek(&m->error) != CURSOR_NIL) {
		take_setup_error(z, m->error);
		return;
	}
	if (!cursor_map(&m->result, &n))
		n = 0;
	while (n-- > 0 && cursor_text(&m->result, &key, &len) && cursor_skip(&m->result, &value))
		if (text_equal(key, len, "functions"))
			functions = value;
		else if (text_equal(key, len, "rss_kib"))
			(void)!cursor_uint(&value, &rss_kib);
	r = announce_apply(functions, z->pool, &reason);
	if (r != 0) {
		zygote_break(z, r < 0 ? strerror(-r) : reason);
		return;
	}
	event_del(z->timer);
	zygote_set_state(z, ZYGOTE_READY);
	z->ready_us = clock_now_us();
	z->n_failed = 0;
	z->has_settled = true;
	z->rss_kib = rss_kib;
	log_info("pool %s is ready: %u function%s, zygote %d", z->pool->name, z->pool->n_functions,
		z->pool->n_functions == 1 ? "" : "s", (int)z->process.pid);
	core_pool_ready(z->pool);
}

static void take_fork_error(struct zygote *z, struct worker_link *l, struct cursor error)
{
	const char *text = "";
	char plain[128];
	uint32_t n;
	size_t len = 0;

	if (cursor_array(&error, &n) && n >= 2 && cursor_skip(&error, NULL))
		(void)!cursor_text(&error, &text, &len);
	log_warning("pool %s: no worker: %s", z->pool->name,
		text_escape(plain, sizeof(plain), text, len));
	worker_link_fail(l);
}

static void take_fork(struct zygote *z, struct rpc *m)
{
	struct worker_link *l = NULL;
	uint64_t pid;
	int r;

	for (unsigned i = 0; i < z->n_forks; i++)
		if (z->forks[i].msgid == m->msgid) {
			l = z->forks[i].link;
			z->forks[i] = z->forks[--z->n_forks];
			break;
		}
	if (!l) {
		zygote_break(z, "an answer that nobody waits for");
		return;
	}
	if (z->n_forks == 0 && z->is_retired)
		zygote_dismiss(z);
	else if (z->n_forks == 0)
		event_del(z->timer);
	else
		zygote_set_timer(z, z->config->start_timeout_us);
	if (cursor_peek(&m->error) != CURSOR_NIL) {
		take_fork_error(z, l, m->error);
		return;
	}
	r = cursor_uint(&m->result, &pid) && pid > 0 && pid <= INT32_MAX ? 0 : -EPROTO;
	if (r == 0)
		r = worker_link_start(l, (pid_t)pid, z->config->start_timeout_us);
	if (r < 0) {
		worker_link_fail(l);
		zygote_break(z, "the process that it reports is no new child of ours");
	}
}

static void take_packet(struct zygote *z, const uint8_t *bytes, size_t len)
{
	struct scan s;
	struct rpc m;

	if (scan_value(bytes, len, PROTO_DEPTH, &s) != 0 || s.fd_mask ||
		rpc_parse(&m, bytes, len) != 0 || m.type != RPC_ANSWER)
		zygote_break(z, "a packet that is no answer");
	else if (z->state == ZYGOTE_SETUP && m.msgid == ZYGOTE_SETUP_MSGID)
		take_setup(z, &m);
	else
		take_fork(z, &m);
}

bool zygote_reader_run(struct zygote *z)
{
	static uint8_t bytes[PROTO_PACKET_BYTES];
	struct fdqueue none;
	int condition = 0;
	ssize_t n;

	if (z->control < 0)
		return false;
	fdqueue_init(&none, 0);
	n = fdpass_recv(z->control, bytes, sizeof(bytes), MSG_DONTWAIT, &none, &condition);
	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n <= 0) {
		/* it is dead or dying: its pidfd tells */
		event_del(z->on_packet);
		return false;
	}
	if (condition)
		zygote_break(z, "a packet too long, or with fds");
	else
		take_packet(z, bytes, (size_t)n);
	return true;
}
