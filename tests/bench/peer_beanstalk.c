/* beanstalkd: lines. It knows no results, so they go back as jobs of a second queue. */
#include "tests/bench/peer.h"

#include <stdio.h>
#include <string.h>

static void begin(struct peer *p)
{
	if (p->role == PEER_SENDER)
		peer_say(p, "use jobs\r\n");
	else if (p->role == PEER_RECEIVER)
		peer_say(p, "watch results\r\nignore default\r\n");
	else
		peer_say(p, "use results\r\nwatch jobs\r\nignore default\r\nreserve\r\n");
}

static void put(struct peer *p, size_t n)
{
	char line[64];

	snprintf(line, sizeof(line), "put 0 0 60 %zu\r\n", n);
	peer_say(p, line);
	peer_payload(p, n);
	peer_say(p, "\r\n");
}

static void submit(struct peer *p)
{
	put(p, PEER_JOB_BYTES);
}

static void ask(struct peer *p)
{
	peer_say(p, "reserve\r\n");
}

static void reserved(struct peer *p, unsigned long long id)
{
	char line[64];

	snprintf(line, sizeof(line), "delete %llu\r\n", id);
	if (p->role == PEER_RECEIVER) {
		p->n_done++;
		peer_say(p, line);
		return;
	}
	put(p, PEER_RESULT_BYTES);
	peer_say(p, line);
	ask(p);
}

static size_t take(struct peer *p, const char *at, size_t n)
{
	static const char *const others[] = {"INSERTED", "DELETED", "USING", "WATCHING"};
	size_t line = peer_line(at, n), size;
	unsigned long long id;

	if (!line)
		return 0;
	if (sscanf(at, "RESERVED %llu %zu", &id, &size) == 2) {
		if (n < line + size + 2)
			return 0;
		reserved(p, id);
		return line + size + 2;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strncmp(at, others[i], strlen(others[i])) == 0)
			return line;
	peer_refuse(p, at, line);
}

const struct peer_protocol peer_beanstalk = {
	.name = "beanstalk", .begin = begin, .submit = submit, .ask = ask, .take = take};
