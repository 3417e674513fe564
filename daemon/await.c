/* From the request to the last byte: an await stands in its future's list until that is final, then
 * in its connection's ready list until there is room to write. It pins the future in memory all the
 * time, so that a release or a time to live that comes between loses nothing.
 */
#include "daemon/await.h"

#include <errno.h>
#include <stdlib.h>

void await_on_final(struct waiter *w)
{
	pending_ready(&container_of(w, struct await, waiter)->pending);
}

static void give_memory(enum pending_type type, struct await *a)
{
	struct slab *memory = pending_type_ops(type)->memory;

	if (memory)
		slab_give(memory, a);
	else
		free(a);
}

void *await_new(struct request *r, struct future *f, enum pending_type type, size_t size)
{
	struct slab *memory = pending_type_ops(type)->memory;
	struct await *a = memory ? slab_take(memory) : calloc(1, size);
	struct refusal why;
	int e;

	e = a ? pending_add(&a->pending, r->conn, type, &why) : -ENOMEM;
	if (e) {
		give_memory(type, a);
		request_fail_charge(r, e, &why);
		return NULL;
	}
	a->waiter.is_await = true;
	a->pending.msgid = r->msgid;
	a->pending.is_wanted = r->wants_answer;
	core_pin(f);
	core_wait(&r->server->core, f, &a->waiter);
	return a;
}

void await_free(struct pending *p, bool is_closing)
{
	struct await *a = container_of(p, struct await, pending);
	struct core *core = p->conn->conns->core;

	core_unwait(core, &a->waiter);
	core_unpin(core, await_future(a));
	give_memory(p->type, a);
}
