/* A connection's interest in the end of one future: `deliver`, `attached`, `call`. */
#pragma once

#include "daemon/await.h"

enum subscription_kind {
	SUBSCRIPTION_DELIVER = 1,  /* a `final` notification */
	SUBSCRIPTION_ATTACHED = 2, /* cancelled if the connection closes first */
	SUBSCRIPTION_CALL = 4,	   /* an answer, then released */
	SUBSCRIPTION_HOLD =
		8, /* an object, which has an extra: released if the connection closes first */
};

/* NULL: r was refused. The pending is for pending_remove(), to undo it in the same breath. */
struct pending *subscription_new(struct request *r, struct future *f, unsigned kinds);
