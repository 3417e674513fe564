#include "client/poolctl/map_source.h"

#include <errno.h>
#include <string.h>

#define READ_BYTES 65536u

void map_source_init_words(struct map_source *s, char **words, size_t n)
{
	*s = (struct map_source){.words = words, .n_words = n};
}

void map_source_init_stdin(struct map_source *s, char end)
{
	*s = (struct map_source){.end = end, .buf = BUF_INIT(MAP_SOURCE_ARGUMENT_BYTES)};
}

void map_source_deinit(struct map_source *s)
{
	buf_deinit(&s->buf);
}

size_t map_source_total(const struct map_source *s)
{
	return s->n_words;
}

static int next_word(struct map_source *s, char **ret)
{
	char *word;

	if (s->next == s->n_words)
		return MAP_SOURCE_END;
	word = strdup(s->words[s->next]);
	if (!word)
		return -ENOMEM;
	s->next++;
	*ret = word;
	return MAP_SOURCE_ONE;
}

int map_source_next(struct map_source *s, char **ret)
{
	const uint8_t *start = buf_head(&s->buf), *end;
	size_t used = buf_used(&s->buf), len;
	char *text;

	if (s->words)
		return next_word(s, ret);
	end = used ? memchr(start, s->end, used) : NULL;
	if (!end && !s->is_at_end)
		return MAP_SOURCE_WAIT;
	if (!end && used == 0)
		return MAP_SOURCE_END;
	len = end ? (size_t)(end - start) : used;
	text = strndup((const char *)start, len);
	if (!text)
		return -ENOMEM;
	buf_consume(&s->buf, end ? len + 1 : len);
	*ret = text;
	return MAP_SOURCE_ONE;
}

int map_source_read(struct map_source *s)
{
	size_t room;
	uint8_t *to;
	ssize_t n;
	int r;

	r = buf_reserve(&s->buf, buf_used(&s->buf) ? 1 : READ_BYTES);
	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	to = buf_room(&s->buf, &room);
	n = read(STDIN_FILENO, to, room);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		s->is_at_end = true;
	buf_commit(&s->buf, (size_t)n);
	return 0;
}
