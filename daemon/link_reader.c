/* A packet holds one or more messages. Each is checked by scan before anything looks at it, its fds
 * are those that it names and no others, and it must be something that this worker may say now.
 * Whatever else: the link is broken and the worker is killed.
 *
 * Telling the core of an answer may lead back here (a client that is told closes, its jobs are
 * cancelled, for that the answers of the same link are read). So the place in the packet is moved
 * on before a message is handled, and nothing of the packet is touched behind such a call.
 */
#include "daemon/link_reader.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/announce.h"
#include "daemon/answer.h"
#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/extra.h"
#include "daemon/final_hook.h"
#include "daemon/log.h"
#include "daemon/zygote.h"
#include "proto/scan.h"
#include "proto/shm.h"

#define PROGRESS_TEXT_BYTES 256
/* So many empty a link, however much it can hold unread. */
#define RECEIVES_MOST 1024

/* ---- notifications ---- */

static void take_ready(struct worker_link *l, struct rpc *m)
{
	struct cursor functions = {}, value;
	const char *key, *reason = "its `ready` is not [{protocol, functions}]";
	uint64_t protocol = 0, rss_kib = 0;
	uint32_t n = 0;
	size_t len;

	if (m->n_params != 1 || !cursor_map(&m->params, &n))
		n = 0;
	while (n-- > 0 && cursor_text(&m->params, &key, &len) && cursor_skip(&m->params, &value)) {
		if (text_equal(key, len, "protocol") && !cursor_uint(&value, &protocol))
			break;
		if (text_equal(key, len, "rss_kib") && !cursor_uint(&value, &rss_kib))
			break;
		if (text_equal(key, len, "functions"))
			functions = value;
	}
	if (cursor_at_end(&functions) || protocol != PROTO_VERSION ||
		announce_check(functions, &reason) != 0) {
		worker_link_break(l, reason);
		return;
	}
	event_del(l->on_late);
	l->was_ready = true;
	worker_link_set_state(l, LINK_OPEN);
	if (rss_kib)
		zygote_weigh(l->zygote, rss_kib);
	core_worker_ready(l->slot, clock_now_us());
}

/* The job that a notification is about, if this worker works on it. */
static struct future *current(const struct worker_link *l, uint64_t id)
{
	struct future *f = slot_first(l->slot);

	return f && f->id == id ? f : NULL;
}

static void take_progress(struct worker_link *l, struct rpc *m)
{
	char plain[PROGRESS_TEXT_BYTES + 1];
	const char *text = "";
	uint64_t id, done, total;
	struct future *f;
	size_t len = 0;

	if (m->n_params != 4 || !cursor_uint(&m->params, &id) || !cursor_uint(&m->params, &done) ||
		!cursor_uint(&m->params, &total) ||
		(!cursor_text(&m->params, &text, &len) && !cursor_nil(&m->params))) {
		worker_link_break(l, "its `progress` is not [id, done, total, text]");
		return;
	}
	f = current(l, id);
	if (!f)
		return;
	if (len > PROGRESS_TEXT_BYTES || !text_is_plain(text, len)) {
		text = text_escape(plain, sizeof(plain), text, len);
		len = strlen(text);
	}
	extra_set_progress(f, done, total, text, len);
	final_hook_news(f, NEWS_PROGRESS);
}

static bool is_memfd(int fd)
{
	size_t len;
	int r = shm_check(fd, SIZE_MAX, &len);

	return r == 0 || r == SHM_E_SEALS;
}

static bool take_stream(struct cursor *c, enum extra_stream *ret)
{
	const char *text;
	size_t len;

	if (!cursor_text(c, &text, &len))
		return false;
	*ret = text_equal(text, len, "stderr") ? STREAM_STDERR : STREAM_STDOUT;
	return *ret == STREAM_STDERR || text_equal(text, len, "stdout");
}

static void take_output(struct worker_link *l, struct rpc *m, struct message_fds *fds)
{
	enum extra_stream stream;
	const void *index;
	struct future *f;
	uint64_t id;
	int8_t type;
	size_t len;

	if (m->n_params != 3 || !cursor_uint(&m->params, &id) ||
		!take_stream(&m->params, &stream) || !cursor_ext(&m->params, &type, &index, &len) ||
		fds->n != 1 || !is_memfd(fds->fds[0])) {
		worker_link_break(l, "its `output` is not [id, stream, memfd]");
		return;
	}
	f = current(l, id);
	if (!f)
		return;
	if (l->output_msgid != f->run->msgid)
		l->output_streams = 0;
	l->output_msgid = f->run->msgid;
	if (l->output_streams & 1u << stream) {
		worker_link_break(l, "it told of the same output twice");
		return;
	}
	l->output_streams |= 1u << stream;
	fds->n = 0;
	extra_set_output(f, stream, fds->fds[0]);
	final_hook_news(f, NEWS_OUTPUT);
}

/* The command has its client's own files. Kept here they would keep readers waiting for the end of
 * a pipe that the command has closed; they go, unless there may be another run. What still lies in
 * the inbox could be this job, whatever its worker says, and come back: then they stay until the
 * job's end. */
static void take_taken(struct worker_link *l, struct rpc *m)
{
	struct future *f;
	uint64_t id;

	if (m->n_params != 1 || !cursor_uint(&m->params, &id)) {
		worker_link_break(l, "its `taken` is not [id]");
		return;
	}
	f = current(l, id);
	if (f && f->is_input_lent && !core_may_run_again(f) && worker_link_inbox_is_empty(l))
		payload_close_own(f->input);
}

static void take_notification(struct worker_link *l, struct rpc *m, struct message_fds *fds)
{
	bool is_ready = text_equal(m->method, m->method_len, "ready");

	if (is_ready != (l->state == LINK_STARTING))
		worker_link_break(l,
			is_ready ? "it is ready a second time" : "its first word is not `ready`");
	else if (is_ready)
		take_ready(l, m);
	else if (text_equal(m->method, m->method_len, "progress"))
		take_progress(l, m);
	else if (text_equal(m->method, m->method_len, "output"))
		take_output(l, m, fds);
	else if (text_equal(m->method, m->method_len, "taken"))
		take_taken(l, m);
	else if (text_equal(m->method, m->method_len, "recycle"))
		core_worker_recycles(l->slot, clock_now_us());
	else
		worker_link_break(l, "an unknown notification");
}

/* ---- packets in memory ---- */

struct incoming_packet {
	struct fdqueue fds;
	size_t len;
	int condition; /* an FDPASS_E_, or 0 */
	uint8_t bytes[PROTO_PACKET_BYTES];
};

/* What comes by one call. */
struct incoming_packets {
	struct incoming_packet of[FDPASS_PACKETS];
};
/* The first bytes of all of them are used at once: no two may share their place in a cache. */
static_assert(sizeof(struct incoming_packet) % 4096 >= 128, "they begin in different lines");

/* n bytes of the packet that is read are through. */
static void move_on(struct incoming *in, size_t n)
{
	in->pos += n;
	if (in->pos == in->packets->of[in->at].len) {
		in->at++;
		in->pos = 0;
	}
}

/* ---- answers ---- */

static void tell_core(struct worker_link *l, const struct answer *a)
{
	if (core_answered(l->slot, a, l->in.now_us) != 0)
		worker_link_break(l, "an answer that nobody waits for");
}

static void take_answer(struct worker_link *l, const struct rpc *m, struct message_fds *fds)
{
	struct answer a;
	const char *reason = NULL;
	bool was_oom;
	int r;

	if (l->state == LINK_STARTING) {
		worker_link_break(l, "its first word is not `ready`");
		return;
	}
	was_oom = cursor_peek(&m->error) != CURSOR_NIL && cgroup_was_oom(&l->cgroup);
	r = answer_parse(m, fds, l->slot, was_oom, &a, &reason);
	if (r == ANSWER_E_PROTOCOL) {
		worker_link_break(l, reason);
		return;
	}
	if (r < 0) {
		log_warning(
			"pool %s: an answer cannot be kept: %s", l->slot->pool->name, strerror(-r));
		a = (struct answer){
			.msgid = m->msgid, .is_failure = true, .failure = FAILURE_QUOTA};
	}
	tell_core(l, &a);
}

/* If the next message is an answer that can be read at one look. */
static bool take_plain_answer(struct worker_link *l)
{
	struct incoming *in = &l->in;
	const struct incoming_packet *p = &in->packets->of[in->at];
	struct answer a;
	size_t n;

	if (p->condition || p->fds.n || l->state == LINK_STARTING)
		return false;
	n = answer_read(p->bytes + in->pos, p->len - in->pos, l->slot, &a);
	if (!n)
		return false;
	move_on(in, n);
	tell_core(l, &a);
	return true;
}

/* ---- packets ---- */

/* The fds that the message names, 0 … k-1, are the next k of the packet; behind its last message
 * none may be left. */
static bool take_fds(struct fdqueue *q, const struct scan *s, bool is_last, struct message_fds *ret)
{
	unsigned n = (unsigned)__builtin_popcountll(s->fd_mask);

	if (n > PROTO_RESULT_FDS || s->fd_mask != (1ull << n) - 1 || !fdqueue_take(q, ret->fds, n))
		return false;
	ret->n = n;
	return !is_last || q->n == 0;
}

/* NULL, or why it is none that a worker may send. */
static const char *next_message(struct worker_link *l, struct rpc *ret, struct message_fds *ret_fds)
{
	struct incoming *in = &l->in;
	struct incoming_packet *p = &in->packets->of[in->at];
	const uint8_t *bytes = p->bytes + in->pos;
	size_t left = p->len - in->pos;
	struct scan s;
	int r;

	if (p->condition)
		return "a packet too long, or with too many fds";
	if (p->len == 0)
		return "an empty packet, or its end of the link is shut down";
	scan_init(&s, left, PROTO_DEPTH);
	r = scan_step(&s, bytes, left);
	if (r != SCAN_DONE)
		return r == SCAN_MORE ? "a message that ends early" : scan_strerror(r);
	move_on(in, s.pos);
	if (s.has_value_ext || s.has_future_ext)
		return "ext types 2 and 3 are the daemon's";
	if (!take_fds(&p->fds, &s, in->pos == 0, ret_fds))
		return "other fds than its messages name";
	if (rpc_parse(ret, bytes, s.pos) != 0)
		return "not MessagePack-RPC";
	return ret->type == RPC_REQUEST ? "a worker has no requests" : NULL;
}

static void handle_message(struct worker_link *l)
{
	struct message_fds fds = {};
	const char *reason;
	struct rpc m;

	reason = next_message(l, &m, &fds);
	if (reason)
		worker_link_break(l, reason);
	else if (m.type == RPC_ANSWER)
		take_answer(l, &m, &fds);
	else
		take_notification(l, &m, &fds);
	while (fds.n > 0)
		closer_close(fds.fds[--fds.n]);
}

/* Memory for packets: the shared piece, or, where a link is read inside another's reading, one
 * more. */
static bool take_memory(struct worker_link *l)
{
	struct incoming *in = &l->in;

	if (in->packets)
		return true;
	in->packets = l->links->spare ? take_ptr(l->links->spare) : malloc(sizeof(*in->packets));
	return in->packets;
}

/* A link that was broken has fds that no message took. */
static void give_memory(struct worker_link *l)
{
	struct incoming *in = &l->in;

	for (unsigned i = 0; i < in->n; i++)
		fdqueue_deinit(&in->packets->of[i].fds);
	in->n = in->at = 0;
	in->pos = 0;
	if (!l->links->spare)
		l->links->spare = take_ptr(in->packets);
	free(take_ptr(in->packets));
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many to ask for: asking for more than there are costs a look for them, and asking for fewer
 * another call. Jobs may share packets, so their number alone says too much. */
static unsigned n_expected(const struct worker_link *l)
{
	unsigned n = smaller(l->slot->n_line, 2 * l->in.n_last + 1);

	return n < 1 ? 1 : smaller(n, FDPASS_PACKETS);
}

/* Whether something came, by one call. */
static bool receive(struct worker_link *l)
{
	struct fdpass_packet packets[FDPASS_PACKETS];
	struct incoming *in = &l->in;
	unsigned n = n_expected(l);
	int r;

	if (!take_memory(l))
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct incoming_packet *p = &in->packets->of[i];

		fdqueue_init(&p->fds, PROTO_PACKET_FDS);
		packets[i] = (struct fdpass_packet){p->bytes, sizeof(p->bytes), &p->fds, 0};
	}
	r = fdpass_recv_packets(l->fd, packets, n, MSG_DONTWAIT);
	if (r < 0 && r != -EAGAIN && r != -EINTR)
		worker_link_break(l, strerror(-r));
	in->n = in->n_last = r > 0 ? (unsigned)r : 0;
	in->at = 0;
	in->pos = 0;
	in->now_us = clock_now_us();
	for (unsigned i = 0; i < in->n; i++) {
		in->packets->of[i].len = packets[i].len;
		in->packets->of[i].condition = packets[i].condition;
	}
	return in->n > 0;
}

/* Also when it is dead: what it sent counts. */
static bool may_read(const struct worker_link *l)
{
	return l->fd >= 0 && !l->is_broken && (l->state == LINK_STARTING || l->was_ready);
}

static void run(struct worker_link *l, unsigned most)
{
	struct incoming *in = &l->in;

	while (may_read(l)) {
		if (in->at == in->n && (most-- == 0 || !receive(l)))
			break;
		if (!take_plain_answer(l))
			handle_message(l);
	}
	if (in->packets)
		give_memory(l);
}

void link_reader_run(struct worker_link *l)
{
	run(l, 1);
}

void link_reader_drain(struct worker_link *l)
{
	run(l, RECEIVES_MOST);
}
