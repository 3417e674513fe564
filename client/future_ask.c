/* What a future asks of the daemon beside its end: to be cancelled, to be forgotten. Both go as
 * notifications, for there is nothing to learn from an answer. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"

#define GATHER_US    1000u
#define GATHER_BYTES (256u * sizeof(uint64_t))

static const char *const modes[] = {
	[POOLD_CANCEL_QUEUED] = "queued",
	[POOLD_CANCEL_TERM] = "term",
	[POOLD_CANCEL_KILL] = "kill",
};

const char *cl_cancel_mode_name(poold_cancel_mode mode)
{
	return (unsigned)mode < ARRAY_SIZE(modes) ? modes[mode] : NULL;
}

/* {mode, reason} */
void cl_cancel_pack_options(
	struct bufpack *p, poold_cancel_mode mode, const char *reason, size_t reason_len)
{
	bufpack_map(p, reason_len > 0 ? 2 : 1);
	bufpack_text(p, "mode");
	bufpack_text(p, modes[mode]);
	if (reason_len > 0) {
		bufpack_text(p, "reason");
		bufpack_text_n(p, reason, reason_len);
	}
}

/* Written even when much waits to be sent: it was promised, and it is small. */
int cl_future_send_cancel(
	poold_future *f, poold_cancel_mode mode, const char *reason, size_t reason_len)
{
	struct cl_draft d;

	cl_draft_begin_small(&d, f->handle);
	rpc_pack_notification(&d.pk, "cancel");
	bufpack_array(&d.pk, 2);
	bufpack_array(&d.pk, 1);
	bufpack_uint(&d.pk, f->by_id.key);
	cl_cancel_pack_options(&d.pk, mode, reason, reason_len);
	return cl_draft_commit(&d);
}

static int cancel_later(
	poold_future *f, poold_cancel_mode mode, const char *reason, size_t reason_len)
{
	struct cl_cancel *cancel = malloc(sizeof(*cancel) + reason_len);

	if (!cancel)
		return -ENOMEM;
	cancel->mode = mode;
	cancel->reason_len = reason_len;
	memcpy(cancel->reason, reason, reason_len);
	free(f->cancel);
	f->cancel = cancel;
	return 0;
}

poold_public int poold_future_cancel(poold_future *f, poold_cancel_mode mode, const char *reason)
{
	size_t reason_len;
	int r;

	reason = reason ? reason : "";
	reason_len = strlen(reason);
	if (!f || !cl_cancel_mode_name(mode) || reason_len > PROTO_REASON_BYTES)
		return -EINVAL;
	if (f->state == POOLD_DISCONNECTED)
		return -ENOTCONN;
	if (cl_future_is_settled(f))
		return 0;
	if (!f->handle)
		return -ENOTCONN;
	r = cl_check_open(f->handle);
	if (r < 0)
		return r;
	if (f->state == POOLD_SENT)
		r = cancel_later(f, mode, reason, reason_len);
	else
		r = cl_future_send_cancel(f, mode, reason, reason_len);
	return r < 0 ? r : 1;
}

void cl_future_note_release(poold_future *f)
{
	poold *p = f->handle;

	/* without memory for this the daemon forgets it by itself, later */
	if (buf_append(&p->releases, &f->by_id.key, sizeof(f->by_id.key)) < 0)
		return;
	f->is_released = true;
	if (f->value.parts)
		p->release_at_us = 1; /* long ago */
	else if (p->release_at_us == 0)
		p->release_at_us = cl_now_us() + GATHER_US;
}

poold_public int poold_future_release(poold_future *f)
{
	int r;

	if (!f)
		return -EINVAL;
	if (!f->handle)
		return -ENOTCONN;
	r = cl_check_open(f->handle);
	if (r < 0)
		return r;
	if (f->is_released)
		return 0;
	f->want_release = true;
	if (f->by_id.key != 0 && cl_future_is_settled(f) && f->state < POOLD_REFUSED)
		cl_future_note_release(f);
	return 0;
}

/* n IDs from the front of those that gathered. */
static int send_releases(poold *p, size_t n)
{
	struct cl_draft d;
	uint64_t id;

	cl_draft_begin_small(&d, p);
	rpc_pack_notification(&d.pk, "release");
	bufpack_array(&d.pk, 1);
	bufpack_array(&d.pk, n);
	for (size_t i = 0; i < n; i++) {
		memcpy(&id, buf_head(&p->releases) + i * sizeof(id), sizeof(id));
		bufpack_uint(&d.pk, id);
	}
	return cl_draft_commit(&d);
}

void cl_future_send_all_releases(poold *p)
{
	size_t n;

	while ((n = buf_used(&p->releases) / sizeof(uint64_t)) > 0) {
		if (n > CL_IDS_MAX)
			n = CL_IDS_MAX;
		if (send_releases(p, n) < 0)
			return;
		buf_consume(&p->releases, n * sizeof(uint64_t));
	}
	p->release_at_us = 0;
}

void cl_future_send_releases(poold *p)
{
	if (p->release_at_us == 0)
		return;
	if (buf_used(&p->out) > 0 || buf_used(&p->releases) >= GATHER_BYTES ||
		p->release_at_us <= cl_now_us())
		cl_future_send_all_releases(p);
}
