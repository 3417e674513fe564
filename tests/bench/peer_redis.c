/* Redis: a list of jobs, and one of results. */
#include "tests/bench/peer.h"

#include <stdio.h>
#include <stdlib.h>

static void push(struct peer *p, const char *list, size_t n)
{
	char line[64];

	snprintf(line, sizeof(line), "*3\r\n$5\r\nLPUSH\r\n$1\r\n%s\r\n$%zu\r\n", list, n);
	peer_say(p, line);
	peer_payload(p, n);
	peer_say(p, "\r\n");
}

static void pop(struct peer *p, const char *list)
{
	char line[64];

	snprintf(line, sizeof(line), "*3\r\n$5\r\nBRPOP\r\n$1\r\n%s\r\n$1\r\n0\r\n", list);
	peer_say(p, line);
}

static void begin(struct peer *p)
{
	if (p->role == PEER_WORKER)
		pop(p, "j");
}

static void submit(struct peer *p)
{
	push(p, "j", PEER_JOB_BYTES);
}

static void ask(struct peer *p)
{
	pop(p, "r");
}

/* Of "$N", N bytes and CR LF; 0 while it is not whole. */
static size_t bulk(const char *at, size_t n)
{
	size_t line = peer_line(at, n), size;

	if (!line)
		return 0;
	size = line + strtoul(at + 1, NULL, 10) + 2;
	return n < size ? 0 : size;
}

static size_t take(struct peer *p, const char *at, size_t n)
{
	size_t line = peer_line(at, n), list, element;

	if (!line || at[0] == ':') /* how long a list is now */
		return line;
	if (at[0] != '*')
		peer_refuse(p, at, line);
	list = bulk(at + line, n - line);
	element = list ? bulk(at + line + list, n - line - list) : 0;
	if (!element)
		return 0;
	if (p->role == PEER_RECEIVER) {
		p->n_done++;
	} else {
		push(p, "r", PEER_RESULT_BYTES);
		pop(p, "j");
	}
	return line + list + element;
}

const struct peer_protocol peer_redis = {
	.name = "redis", .begin = begin, .submit = submit, .ask = ask, .take = take};
