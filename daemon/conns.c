/* All connections: who may come in, whose turn it is, who is freed when.
 *
 * A peer is what the kernel says it is at connect: uid, gid and supplementary groups. One that
 * exceeds a limit is told so in a `fatal` before its socket is closed.
 *
 * fds that a peer has not read stay in flight, and count against the daemon, for as long as the
 * peer keeps its socket. So a closed connection lingers until they are read or the peer is gone,
 * and remains one of those that its uid may have: who reconnects gets no second share of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/clock.h"
#include "daemon/conn.h"
#include "daemon/log.h"

/* What requests of one uid may take of a turn: once of those that were held back, once of new ones.
 * The last one may take longer. */
#define SHARE_US 5000
/* How soon to look again whether fds were read, while somebody waits for that. */
#define LOOK_US 5000
/* The same for closed connections. */
#define LINGER_LOOK_US 100000

bool conn_is_member(const struct conn *c, gid_t gid)
{
	if (gid == c->conns->namespace.anybody_gid)
		return false;
	if (c->gid == gid)
		return true;
	for (size_t i = 0; i < c->n_groups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

bool conns_may_log(struct conns *cs, enum conns_line line)
{
	return log_limit_admits(&cs->lines[line], clock_now_us());
}

void conns_init(struct conns *cs, struct event_base *base, struct core *core,
	const struct conn_ops *ops, void *userdata)
{
	*cs = (struct conns){.base = base,
		.core = core,
		.ops = ops,
		.userdata = userdata,
		.own_uid = geteuid(),
		.next_number = 1,
		.look_at_us = HEAP_NEVER,
		.namespace = namespace_look(),
		.lines = {
			[CONNS_REFUSED] = {.level = LOG_NOTICE, .what = "refused connections"},
			[CONNS_FATAL] = {.level = LOG_INFO, .what = "connections ended by fatal"},
			[CONNS_FAILED] = {.level = LOG_WARNING, .what = "connections not taken"},
		}};
	TAILQ_INIT(&cs->all);
	TAILQ_INIT(&cs->dirty);
	TAILQ_INIT(&cs->resumed);
	TAILQ_INIT(&cs->closed);
	TAILQ_INIT(&cs->lingering);
}

static void look_in(struct conns *cs, uint64_t within_us, uint64_t now_us)
{
	if (now_us + within_us < cs->look_at_us)
		cs->look_at_us = now_us + within_us;
}

void conns_sweep(struct conns *cs, uint64_t now_us)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&cs->closed))) {
		TAILQ_REMOVE(&cs->closed, c, in_all);
		if (!outbox_look(&c->out, c->fd)) {
			conn_free(c);
			continue;
		}
		conn_silence(c);
		TAILQ_INSERT_TAIL(&cs->lingering, c, in_all);
		look_in(cs, LINGER_LOOK_US, now_us);
	}
}

void conns_deinit(struct conns *cs)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&cs->all)))
		conn_close(c, "the daemon stops");
	conns_sweep(cs, 0);
	while ((c = TAILQ_FIRST(&cs->lingering))) {
		TAILQ_REMOVE(&cs->lingering, c, in_all);
		conn_free(c);
	}
	heap_deinit(&cs->timers);
	for (int i = 0; i < _CONNS_LINE_MAX; i++)
		log_limit_end(&cs->lines[i]);
}

void conns_look(struct conns *cs)
{
	struct conn *c, *next;

	TAILQ_FOREACH (c, &cs->all, in_all)
		outbox_look(&c->out, c->fd);
	for (c = TAILQ_FIRST(&cs->lingering); c; c = next) {
		next = TAILQ_NEXT(c, in_all);
		if (outbox_look(&c->out, c->fd))
			continue;
		TAILQ_REMOVE(&cs->lingering, c, in_all);
		conn_free(c);
	}
}

/* Answers with fds wait for the share of their uid: others of its connections may have read. */
static void look_again(struct conns *cs, uint64_t now_us)
{
	struct conn *c;

	conns_look(cs);
	cs->look_at_us = HEAP_NEVER;
	if (!TAILQ_EMPTY(&cs->lingering))
		look_in(cs, LINGER_LOOK_US, now_us);
	TAILQ_FOREACH (c, &cs->all, in_all)
		if (c->out.is_blocked_by_share)
			conn_touch(c);
}

bool conns_have_time(const struct conns *cs, uid_t uid)
{
	return cs->spent_us[uid % CONNS_SHARES] < SHARE_US;
}

void conns_spend(struct conns *cs, uid_t uid, uint64_t us)
{
	cs->spent_us[uid % CONNS_SHARES] += us;
}

static void renew_shares(struct conns *cs)
{
	memset(cs->spent_us, 0, sizeof(cs->spent_us));
}

void conns_turn(struct conns *cs, uint64_t now_us)
{
	struct conn *c, *next;
	unsigned n = 0;

	pendings_turn(&cs->timers, now_us);
	for (int i = 0; i < _CONNS_LINE_MAX; i++)
		if (now_us >= log_limit_next_us(&cs->lines[i]))
			log_limit_end(&cs->lines[i]);
	if (now_us >= cs->look_at_us)
		look_again(cs, now_us);
	/* One that has still more to say stands in the list again, for the next turn, behind those
	 * that had none in this one. */
	TAILQ_FOREACH (c, &cs->resumed, in_resumed)
		n++;
	renew_shares(cs);
	for (c = TAILQ_FIRST(&cs->resumed); c && n > 0; n--, c = next) {
		next = TAILQ_NEXT(c, in_resumed);
		if (!conns_have_time(cs, c->uid))
			continue; /* it stands before those that had their turn */
		TAILQ_REMOVE(&cs->resumed, c, in_resumed);
		c->is_resumed = false;
		conn_go_on(c);
	}
}

bool conns_flush(struct conns *cs, uint64_t now_us)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&cs->dirty))) {
		TAILQ_REMOVE(&cs->dirty, c, in_dirty);
		c->is_dirty = false;
		conn_flush(c);
		if (c->state < CONN_CLOSED && c->out.is_blocked_by_share)
			look_in(cs, LOOK_US, now_us);
	}
	renew_shares(cs);
	return !TAILQ_EMPTY(&cs->resumed);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t conns_next_us(const struct conns *cs)
{
	struct heap_node *first = heap_first(&cs->timers);
	uint64_t next_us = first ? first->key : HEAP_NEVER;

	next_us = earlier(next_us, cs->look_at_us);
	for (int i = 0; i < _CONNS_LINE_MAX; i++)
		next_us = earlier(next_us, log_limit_next_us(&cs->lines[i]));
	return next_us;
}

bool conns_are_flushed(const struct conns *cs)
{
	struct conn *c;

	TAILQ_FOREACH (c, &cs->all, in_all)
		if (!outbox_is_empty(&c->out) || !TAILQ_EMPTY(&c->ready))
			return false;
	return true;
}

/* Who the peer is, as the kernel says; groups are those of its process when it connected. */
static int identify(struct conn *c)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	c->uid = peer.uid;
	c->gid = peer.gid;
	len = 0;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return 0;
	c->groups = malloc(len);
	if (!c->groups)
		return -ENOMEM;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &len) < 0)
		return -errno;
	c->n_groups = len / sizeof(*c->groups);
	return 0;
}

/* Says why on a socket that gets no connection; what does not fit at once is not said. */
static void refuse(struct conns *cs, int fd, uid_t uid, const char *code, const char *message)
{
	struct buf b = BUF_INIT(1024);

	if (conns_may_log(cs, CONNS_REFUSED))
		log_notice("connection of uid %u refused: %s", uid, message);
	conn_pack_fatal(&b, code, message);
	if (buf_used(&b) && send(fd, buf_head(&b), buf_used(&b), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("the refused peer is gone already");
	buf_deinit(&b);
	cs->n_refused++;
}

static void refuse_more(struct conns *cs, int fd, uid_t uid, const struct refusal *why)
{
	char message[128];

	snprintf(message, sizeof(message), "%s: %llu of at most %llu%s",
		account_kind_name(why->kind), (unsigned long long)why->value,
		(unsigned long long)why->max, why->of_uid ? " for your uid" : " in all");
	refuse(cs, fd, uid, why->of_uid ? "quota" : "full", message);
}

static int admit(struct conns *cs, struct conn *c)
{
	struct account *account;
	struct refusal why;
	int r;

	if (c->uid == cs->namespace.anybody_uid) {
		refuse(cs, c->fd, c->uid, "not_allowed",
			"poold runs in a user namespace that does not know your user, so it cannot "
			"tell you from others");
		return -EACCES;
	}
	r = account_get(&cs->core->accounts, c->uid, &account);
	if (r < 0)
		return r;
	r = account_take_one(account, ACCOUNT_CONNECTIONS, 1, &why);
	if (r) {
		refuse_more(cs, c->fd, c->uid, &why);
		account_unref(account);
		return -EDQUOT;
	}
	c->account = account;
	inbox_init(&c->in, account);
	outbox_init(&c->out, cs->core, account);
	return 0;
}

void conns_accept(struct conns *cs, int fd, gid_t admin_gid)
{
	struct conn *c;
	int r;

	r = conn_new(cs, fd, &c);
	if (r == 0) {
		r = identify(c);
		if (r == 0)
			r = admit(cs, c);
		if (r == 0 && event_add(c->on_readable, NULL) < 0)
			r = -ENOMEM;
		if (r < 0)
			conn_free(c);
	}
	if (r < 0) {
		if (r != -EDQUOT && r != -EACCES && conns_may_log(cs, CONNS_FAILED))
			log_warning("cannot take a connection: %s", strerror(-r));
		return;
	}
	c->is_admin = c->uid == 0 || c->uid == cs->own_uid ||
		      (admin_gid != (gid_t)-1 && conn_is_member(c, admin_gid));
	cs->n++;
	cs->n_accepted++;
	TAILQ_INSERT_TAIL(&cs->all, c, in_all);
	log_debug("conn %llu: uid %u", (unsigned long long)c->number, c->uid);
}
