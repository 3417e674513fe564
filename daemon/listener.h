/* The socket that clients connect to: poold's own, or one that the service manager handed over. */
#pragma once

#include "daemon/config.h"
#include "proto/base.h"

struct event_base;
struct listener;

enum {
	LISTENER_E_REFUSED = 1, /* the place is taken, or not safe; logged */
};

/* fd: a connection, close-on-exec and non-blocking; the callee's. It may free the listener. */
typedef void (*listener_accept_fn)(int fd, void *userdata);

/* Takes the socket that was handed over, or makes config->socket; accepts from the loop from now
 * on. Clears LISTEN_FDS and its like from the environment. 0, LISTENER_E_REFUSED, -errno (logged,
 * but for -ENOMEM). */
must_check int listener_new(struct event_base *base, const struct config *config,
	listener_accept_fn on_accept, void *userdata, struct listener **ret);
/* poold's own socket is removed, unless another one has taken its place; one that was handed over
 * stays. Takes NULL, returns NULL. */
struct listener *listener_free(struct listener *l);
DEFINE_CLEANUP(struct listener *, listener_free)
/* For people. */
const char *listener_path(const struct listener *l);
