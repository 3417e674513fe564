/* What a broker has to do at least: requests of one client go to two workers, and answers back. */
#include "tests/bench/floor.h"

#include <endian.h>
#include <msgpack.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "tests/bench/stream.h"

#define WINDOW	   64
#define BROKER_MAX (64u << 20)

struct message {
	uint32_t msgid;
};

/* Messages are a fixed row of bytes around their number. Nothing of poold's own encoding and
 * decoding is used, so that the floor stays where it is when these get faster. */
static void pack(struct buf *b, const void *head, size_t head_len, uint32_t msgid, const void *tail,
	size_t tail_len)
{
	uint8_t *at;
	size_t room;

	if (buf_reserve(b, head_len + 4 + tail_len) < 0)
		floor_die("memory");
	at = buf_room(b, &room);
	memcpy(at, head, head_len);
	msgid = htobe32(msgid);
	memcpy(at + head_len, &msgid, 4);
	memcpy(at + head_len + 4, tail, tail_len);
	buf_commit(b, head_len + 4 + tail_len);
}

/* [0, msgid, "run", [64 bytes]] */
static void pack_request(struct buf *b, uint32_t msgid)
{
	static const uint8_t tail[7 + FLOOR_BYTES] = {0xa3, 'r', 'u', 'n', 0x91, 0xc4, FLOOR_BYTES};

	pack(b, "\x94\x00\xce", 3, msgid, tail, sizeof(tail));
}

/* [1, msgid, nil, nil] */
static void pack_answer(struct buf *b, uint32_t msgid)
{
	pack(b, "\x94\x01\xce", 3, msgid, "\xc0\xc0", 2);
}

/* Calls `each` for every whole message in front, and drops it. */
static void take_messages(
	struct buf *b, void (*each)(const struct message *, void *), void *userdata)
{
	static msgpack_zone zone;

	if (!zone.chunk_size && !msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE))
		floor_die("memory");
	for (;;) {
		size_t n = 0;
		msgpack_object o;
		struct message m;
		msgpack_unpack_return r;

		if (!buf_used(b))
			return;
		msgpack_zone_clear(&zone);
		r = msgpack_unpack((const char *)buf_head(b), buf_used(b), &n, &zone, &o);
		if (r != MSGPACK_UNPACK_SUCCESS && r != MSGPACK_UNPACK_EXTRA_BYTES)
			return;
		if (o.type != MSGPACK_OBJECT_ARRAY || o.via.array.size != 4)
			floor_die("a message");
		m.msgid = (uint32_t)o.via.array.ptr[1].via.u64;
		each(&m, userdata);
		buf_consume(b, n);
	}
}

static void answer_run(const struct message *m, void *out)
{
	pack_answer(out, m->msgid);
}

static void worker(int fd)
{
	struct buf in = BUF_INIT(BROKER_MAX), out = BUF_INIT(BROKER_MAX);

	while (stream_read(fd, &in, 0) > 0) {
		take_messages(&in, answer_run, &out);
		if (send(fd, buf_head(&out), buf_used(&out), MSG_NOSIGNAL) < 0)
			break;
		buf_clear(&out);
	}
	_exit(0);
}

struct broker {
	uint32_t *queue;
	unsigned head, tail;
	struct buf out;
	unsigned n_inflight[FLOOR_WORKERS];
	unsigned from; /* the worker whose answers are read */
};

static void enqueue(const struct message *m, void *userdata)
{
	struct broker *b = userdata;

	b->queue[b->tail++] = m->msgid;
}

static void forward_answer(const struct message *m, void *userdata)
{
	struct broker *b = userdata;

	b->n_inflight[b->from]--;
	pack_answer(&b->out, m->msgid);
}

static void feed(struct broker *b, int fd, unsigned w, unsigned pack)
{
	static struct buf packet = {.max = BROKER_MAX};

	while (b->head < b->tail && b->n_inflight[w] < WINDOW) {
		for (unsigned i = 0; i < pack && b->head < b->tail && b->n_inflight[w] < WINDOW;
			i++) {
			pack_request(&packet, b->queue[b->head++]);
			b->n_inflight[w]++;
		}
		if (send(fd, buf_head(&packet), buf_used(&packet), MSG_NOSIGNAL) < 0)
			floor_die("send");
		buf_clear(&packet);
	}
}

static void broker(int client, const int *workers, unsigned n, unsigned pack)
{
	struct broker b = {.queue = calloc(n, sizeof(*b.queue)), .out = BUF_INIT(BROKER_MAX)};
	struct buf in = BUF_INIT(BROKER_MAX), answers = BUF_INIT(BROKER_MAX);
	struct pollfd fds[1 + FLOOR_WORKERS] = {{.fd = client}};

	for (int w = 0; w < FLOOR_WORKERS; w++)
		fds[1 + w] = (struct pollfd){.fd = workers[w], .events = POLLIN};
	for (;;) {
		fds[0].events = buf_used(&b.out) ? POLLIN | POLLOUT : POLLIN;
		if (poll(fds, 1 + FLOOR_WORKERS, -1) < 0)
			floor_die("poll");
		if ((fds[0].revents & (POLLIN | POLLHUP)) &&
			stream_read(client, &in, MSG_DONTWAIT) == 0)
			_exit(0);
		take_messages(&in, enqueue, &b);
		for (b.from = 0; b.from < FLOOR_WORKERS; b.from++)
			while (fds[1 + b.from].revents &&
				stream_read(workers[b.from], &answers, MSG_DONTWAIT) > 0)
				take_messages(&answers, forward_answer, &b);
		for (unsigned w = 0; w < FLOOR_WORKERS; w++)
			feed(&b, workers[w], w, pack);
		stream_write(client, &b.out);
	}
}

static void count(const struct message *m, void *n)
{
	++*(unsigned *)n;
}

void floor_broker(unsigned n, unsigned pack)
{
	struct buf in = BUF_INIT(BROKER_MAX), out = BUF_INIT(BROKER_MAX);
	int client[2], links[FLOOR_WORKERS][2], ends[FLOOR_WORKERS];
	unsigned sent = 0, done = 0;
	uint64_t from_us;

	floor_pair(SOCK_STREAM, client);
	for (int w = 0; w < FLOOR_WORKERS; w++) {
		floor_pair(SOCK_SEQPACKET, links[w]);
		ends[w] = links[w][0];
		if (floor_child() == 0) {
			for (int i = 0; i <= w; i++)
				close(links[i][0]);
			close(client[0]);
			close(client[1]);
			worker(links[w][1]);
		}
		close(links[w][1]);
	}
	if (floor_child() == 0) {
		close(client[0]);
		broker(client[1], ends, n, pack);
	}
	close(client[1]);
	for (int w = 0; w < FLOOR_WORKERS; w++)
		close(links[w][0]);
	from_us = clock_now_us();
	while (done < n) {
		struct pollfd p = {.fd = client[0], .events = sent < n ? POLLIN | POLLOUT : POLLIN};

		while (sent < n && buf_used(&out) < STREAM_CHUNK)
			pack_request(&out, sent++);
		stream_write(client[0], &out);
		if (buf_used(&out))
			p.events |= POLLOUT;
		poll(&p, 1, -1);
		if ((p.revents & POLLIN) && stream_read(client[0], &in, MSG_DONTWAIT) > 0)
			take_messages(&in, count, &done);
	}
	printf("{\"per_second\": %.0f}\n", n / ((double)(clock_now_us() - from_us) / 1e6));
	close(client[0]);
	buf_deinit(&in);
	buf_deinit(&out);
}
