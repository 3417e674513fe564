/* Few futures have any of this, so it is a block of its own. Everything in it is charged to the
 * future's owner before it is made: into what the record keeps, so that the core gives it back when
 * the record goes.
 */
#include "daemon/extra.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/closer.h"
#include "daemon/core/core.h"
#include "daemon/final_hook.h"

static bool has(const struct jobspec *spec, uint32_t bit)
{
	return spec->set & bit;
}

size_t extra_size(const struct jobspec *spec)
{
	size_t n = 0;

	if (has(spec, JOBSPEC_BIT(LABEL)))
		n += spec->label_len + 1;
	if (has(spec, JOBSPEC_BIT(TRACE)))
		n += spec->trace_len + 1;
	return n || spec->attached ? sizeof(struct future_extra) + n : 0;
}

static struct future_extra *new_empty(size_t size)
{
	struct future_extra *e = malloc(size);

	if (!e)
		return NULL;
	*e = (struct future_extra){};
	for (int i = 0; i < _STREAM_MAX; i++)
		e->output_fd[i] = -1;
	return e;
}

/* Copies a text to *at and moves on. */
static char *put_text(char **at, const char *text, size_t len)
{
	char *copy = *at;

	memcpy(copy, text, len);
	copy[len] = '\0';
	*at += len + 1;
	return copy;
}

int extra_new(const struct jobspec *spec, struct future_extra **ret)
{
	size_t size = extra_size(spec);
	struct future_extra *e = NULL;
	char *at;

	if (size) {
		e = new_empty(size);
		if (!e)
			return -ENOMEM;
		at = e->texts;
		if (has(spec, JOBSPEC_BIT(LABEL)))
			e->label = put_text(&at, spec->label, spec->label_len);
		if (has(spec, JOBSPEC_BIT(TRACE)))
			e->trace = put_text(&at, spec->trace, spec->trace_len);
	}
	*ret = e;
	return 0;
}

struct future_extra *extra_free(struct future_extra *e)
{
	if (!e)
		return NULL;
	for (int i = 0; i < _STREAM_MAX; i++)
		closer_close(e->output_fd[i]);
	if (e->hold)
		pending_remove(e->hold, false);
	free(e->own_label);
	free(e->reason);
	free(e->progress_text);
	free(e);
	return NULL;
}

/* As what it brought along: a job that waits counts on room for its result beside it. */
static bool charge(struct future *f, size_t bytes)
{
	return core_keep(f, (uint32_t)bytes, NULL) == 0;
}

static void give_back(struct future *f, size_t bytes)
{
	core_unkeep(f, (uint32_t)bytes);
}

struct future_extra *extra_of(struct future *f)
{
	size_t bytes = future_annex_bytes(f) + sizeof(struct future_extra);
	struct future_extra *e = future_extra(f);

	if (e)
		return e;
	if (!charge(f, bytes))
		return NULL;
	e = new_empty(sizeof(*e));
	if (e && future_take_annex(f) == 0)
		return f->annex->extra = e;
	give_back(f, bytes);
	free(e);
	return NULL;
}

static char *drop_text(struct future *f, char *text)
{
	if (text)
		give_back(f, strlen(text) + 1);
	free(text);
	return NULL;
}

/* NULL for no text, without room, and without memory. */
static char *keep_text(struct future *f, const char *text, size_t len)
{
	char *copy;

	len = strnlen(text, len);
	if (len == 0 || !charge(f, len + 1))
		return NULL;
	copy = strndup(text, len);
	if (!copy)
		give_back(f, len + 1);
	return copy;
}

int extra_set_label(struct future *f, const char *text, size_t len, struct refusal *ret_refusal)
{
	size_t bytes = len ? len + 1 : 0;
	struct future_extra *e = future_extra(f);
	char *copy = NULL;
	int r;

	if (!e && !len)
		return 0;
	if (!e)
		bytes += future_annex_bytes(f) + sizeof(*e);
	r = core_keep(f, (uint32_t)bytes, ret_refusal);
	if (r)
		return r;
	if (!e)
		e = new_empty(sizeof(*e));
	if (len)
		copy = strndup(text, len);
	if (!e || (len && !copy) || future_take_annex(f) < 0) {
		core_unkeep(f, (uint32_t)bytes);
		if (!future_extra(f))
			free(e);
		free(copy);
		return -ENOMEM;
	}
	if (e->own_label)
		core_unkeep(f, (uint32_t)strlen(e->own_label) + 1);
	free(e->own_label);
	e->own_label = copy;
	e->label = copy;
	f->annex->extra = e;
	return 0;
}

void extra_set_reason(struct future *f, const char *text, size_t len)
{
	struct future_extra *e = extra_of(f);

	if (!e)
		return;
	e->reason = drop_text(f, e->reason);
	e->reason = keep_text(f, text, len);
}

void extra_set_progress(
	struct future *f, uint64_t done, uint64_t total, const char *text, size_t len)
{
	struct future_extra *e = extra_of(f);

	if (!e)
		return;
	e->has_progress = true;
	e->progress_done = done;
	e->progress_total = total;
	e->progress_text = drop_text(f, e->progress_text);
	e->progress_text = keep_text(f, text, len);
}

void extra_next_run(struct future *f)
{
	struct future_extra *e = future_extra(f);

	if (!e)
		return;
	final_hook_news(f, NEWS_RUN_OVER);
	e->has_progress = false;
	e->progress_text = drop_text(f, e->progress_text);
	for (int i = 0; i < _STREAM_MAX; i++) {
		if (e->output_fd[i] < 0)
			continue;
		account_give_one(f->account, ACCOUNT_FDS, 1);
		f->kept_fds--;
		closer_close(take_fd(&e->output_fd[i]));
	}
}

void extra_set_output(struct future *f, enum extra_stream stream, int fd)
{
	struct future_extra *e = extra_of(f);

	if (e && e->output_fd[stream] < 0 &&
		account_take_one(f->account, ACCOUNT_FDS, 1, NULL) == 0) {
		f->kept_fds++;
		e->output_fd[stream] = take_fd(&fd);
	}
	fd_close(fd);
}

uint64_t extra_output_bytes(const struct future *f, int stream)
{
	int fd = future_extra(f) ? future_extra(f)->output_fd[stream] : -1;
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}
