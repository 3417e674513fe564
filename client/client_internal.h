/* What the files of libpoold share; nothing here is exported. A job's way: payload and command make
 * its input, submit writes the message, io moves the bytes, call finds what an answer belongs to,
 * future keeps the end, value holds what came. wait and method are the blocking forms over io's
 * pump. */
#pragma once

#include <sys/queue.h>
#include <sys/un.h>

#include "client/poold.h"
#include "client/table.h"
#include "client/value.h"
#include "proto/buf.h"
#include "proto/fdpass.h"
#include "proto/limits.h"
#include "proto/rpc.h"
#include "proto/scan.h"

/* ---- the handle ---- */

enum cl_state {
	CL_NEW, /* never connected */
	CL_OPEN,
	CL_LOST, /* was connected; lost_error says how it ended */
	_CL_STATE_MAX,
};

/* Messages with fds that may wait to be sent. */
#define CL_MARKS_MAX 64u

/* fds to go with the byte at that place of the output stream. */
struct cl_mark {
	uint64_t at;
	unsigned n_fds;
	int fds[PROTO_MESSAGE_FDS];
};

TAILQ_HEAD(cl_future_list, poold_future);
STAILQ_HEAD(cl_future_queue, poold_future);
LIST_HEAD(cl_set_list, poold_set);
LIST_HEAD(cl_watch_list, poold_watch);

struct poold {
	unsigned n_refs;
	enum cl_state state;
	int fd;
	int lost_error;
	uint8_t *alive; /* a page that a fork empties in the child; NULL: the kernel cannot */
	pid_t pid;
	bool is_pumping;
	bool is_closing; /* the last reference is gone: no callback runs */
	bool is_deaf; /* the daemon reads no more; what it said before may still lie in the socket
		       */

	/* whom to talk to */
	char *given_path;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *origin;
	bool has_trusted_uid;
	uid_t trusted_uid;
	uid_t server_uid;
	char client_name[PROTO_NAME_BYTES + 1];

	/* the way in */
	struct buf in;
	struct scan scan;
	struct fdqueue in_fds;
	size_t max_in;	  /* bytes of one message */
	bool is_in_ready; /* a whole message may lie in `in` */

	/* the way out */
	struct buf out;
	size_t out_max;	       /* with so many bytes in `out`, nothing more is taken */
	uint64_t out_at;       /* place in the stream of the first byte of `out` */
	size_t out_flush_at;   /* send by oneself when `out` has so many bytes */
	uint64_t out_again_us; /* the kernel's limit of fds in flight was met: not before then; 0:
				  now */
	size_t max_message;    /* bytes of one message, as hello's answer says */
	struct cl_mark marks[CL_MARKS_MAX]; /* ring */
	unsigned first_mark, n_marks;
	struct buf releases;	/* uint64_t IDs that gather for one `release` */
	uint64_t release_at_us; /* when that is sent at the latest; 0: none gathers */

	/* who waits for what */
	uint64_t last_msgid;	       /* its lower half goes over the wire */
	struct cl_table calls;	       /* by msgid: struct cl_call */
	struct cl_table ids;	       /* by ID: the futures that are POOLD_ACCEPTED */
	struct cl_future_list futures; /* all, to tell them when the handle goes */
	poold_future *spare;	       /* memory of some that are gone */
	unsigned n_spare;
	struct cl_future_queue due; /* settled, callback still to run outside of a message */
	struct cl_set_list sets;
	struct cl_watch_list watches; /* that have a number */
	poold_reply *hello;

	char error_text[512];
	char error_code[PROTO_NAME_BYTES];
};

/* -EINVAL or -ECHILD; what every public function asks first. */
must_check int cl_check(const poold *p);
/* Not in a child after fork(). */
static inline bool cl_is_alive(const poold *p)
{
	return p->alive ? *p->alive != 0 : p->pid == getpid();
}

/* Why a connection is not open. */
int cl_not_open(poold *p);
/* As cl_check(), and it is connected: -ENOTCONN or why the connection ended. */
must_check static inline int cl_check_open(poold *p)
{
	return p && cl_is_alive(p) && p->state == CL_OPEN ? 0 : cl_not_open(p);
}

/* lookup: which socket, and a checked connection to it */
must_check int cl_lookup_connect(poold *p, int *ret_fd);

/* error: notes a sentence and gives r back */
int cl_fail(poold *p, int r, const char *format, ...) printf_like(3, 4);
/* Notes an error answer: -ENOENT for an ID that is not there, else -EREMOTEIO. */
int cl_fail_refused(poold *p, const struct cl_value *v);

/* The public state of a word of the wire. */
must_check bool cl_state_from(const char *text, size_t len, poold_state *ret);

/* ---- io: the pump ---- */

uint64_t cl_now_us(void);
/* A connection begins. */
void cl_io_open(poold *p, int fd);
/* The daemon said how long a message may be. */
void cl_io_set_message_bytes(poold *p, uint64_t n);
/* Ends the connection: everybody who waits is told. */
void cl_io_lose(poold *p, int error, int *ret_cb);
/* Sends what the socket takes. */
void cl_io_send(poold *p);
/* The same, if enough has gathered. */
void cl_io_send_much(poold *p);
/* Waits for the socket until then, POOLD_FOREVER: without limit. poll()'s events, or -errno. */
must_check int cl_io_poll(poold *p, uint64_t until_us);
/* One round of the pump, waiting for the socket until then (0: not at all). As poold_process(). */
must_check int cl_io_turn(poold *p, uint64_t until_us);
/* Closes what belongs to the connection, tells nobody. */
void cl_io_close(poold *p);

/* ---- draft: a message being written behind the output ---- */

struct cl_draft {
	poold *p;
	struct bufpack pk;
	size_t start; /* buf_used() of the output before it */
	int fds[PROTO_MESSAGE_FDS];
	unsigned n_fds;
};

/* -EAGAIN: at the cap of what may wait to be sent. */
int cl_draft_full(poold *p);
/* Connected, and below the cap. */
must_check static inline int cl_draft_check(poold *p)
{
	int r = cl_check_open(p);

	return r == 0 && buf_used(&p->out) >= p->out_max ? cl_draft_full(p) : r;
}

/* The same, and begins. */
must_check int cl_draft_begin(struct cl_draft *d, poold *p);
/* Without the cap: for small messages that were promised. */
static inline void cl_draft_begin_small(struct cl_draft *d, poold *p)
{
	d->p = p;
	d->start = buf_used(&p->out);
	d->n_fds = 0;
	bufpack_init(&d->pk, &p->out);
}

/* Bytes so far. */
size_t cl_draft_len(const struct cl_draft *d);
/* Drops it. */
void cl_draft_abort(struct cl_draft *d);
/* The message is complete. < 0 (-EAGAIN, -EMSGSIZE, -ENOMEM): it was dropped. */
must_check int cl_draft_commit(struct cl_draft *d);
/* Is there room for one more fd? 0, -E2BIG, -EAGAIN. To be asked before one is made. */
must_check int cl_draft_check_fd(const struct cl_draft *d);
/* One more fd, which what was packed names; takes it, on success only. */
must_check int cl_draft_take_fd(struct cl_draft *d, int fd);
/* Packs the ext 1 of one more fd; takes it, on success only. */
must_check int cl_draft_add_fd(struct cl_draft *d, int fd);

/* ---- call: a request under way ---- */

struct cl_call {
	/* m is NULL if the connection ended first. < 0 ends the connection: -EPROTO, -ENOMEM.
	 * What a callback returned goes to *ret_cb. */
	int (*on_answer)(poold *p, struct cl_call *call, struct cl_message *m, int *ret_cb);
	struct cl_node by_msgid; /* in the handle's table of calls */
};

/* Begins a draft with the head of a request; the caller packs params and commits. */
must_check int cl_call_begin(
	struct cl_draft *d, poold *p, struct cl_call *call, const char *method);
/* The same, without the cap: as cl_draft_begin_small(). */
must_check int cl_call_begin_small(
	struct cl_draft *d, poold *p, struct cl_call *call, const char *method);
/* From now on the answer goes to `call`. */
must_check int cl_call_commit(struct cl_draft *d, struct cl_call *call);
static inline bool cl_is_nil(const struct cursor *value)
{
	struct cursor c = *value;

	return cursor_nil(&c);
}

static inline bool cl_message_is_error(const struct cl_message *m)
{
	return !cl_is_nil(&m->rpc.error);
}
/* One message from the daemon. Returns as on_answer. */
must_check int cl_call_dispatch(poold *p, struct cl_message *m, int *ret_cb);
/* All calls under way end without an answer. */
void cl_call_lose_all(poold *p, int *ret_cb);
must_check int cl_call_send_hello(poold *p);

/* ---- requests ---- */

struct cl_request;

/* Begins a request whose answer goes to a callback or, if that is NULL, nowhere. */
must_check int cl_request_begin(struct cl_draft *d, poold *p, const char *method,
	poold_reply_callback callback, void *userdata, struct cl_request **ret);
void cl_request_abort(struct cl_draft *d, struct cl_request *q);
must_check int cl_request_commit(struct cl_draft *d, struct cl_request *q);
/* Nobody wants its answer any more. */
void cl_request_forget(struct cl_request *q);

struct poold_reply {
	unsigned n_refs;
	bool is_lost; /* the connection ended first */
	struct cl_value value;
};

/* ---- wait: the blocking forms ---- */

/* The absolute time of a relative one; 0 and POOLD_FOREVER stay. */
uint64_t cl_until_us(uint64_t timeout_us);
/* Runs the pump until is_met(arg): 1, or 0 when time is over. What the pump returns < 0 counts only
 * if it is not met. */
must_check int cl_wait_until(
	poold *p, bool (*is_met)(const void *arg), const void *arg, uint64_t timeout_us);

struct cl_answer {
	struct cl_draft draft;
	struct cl_request *request;
	poold_reply *reply;
};

/* A request whose answer is waited for. Between the two the caller packs params; cl_request_abort()
 * instead of the second drops it. */
must_check int cl_answer_begin(struct cl_answer *a, poold *p, const char *method);
must_check int cl_answer_wait(struct cl_answer *a, uint64_t timeout_us, poold_reply **ret_reply);

/* ---- payload: inputs ---- */

/* A duplicate, close-on-exec; or -errno. */
must_check int cl_dup(int fd);

/* Packs an input; what is large becomes an fd. */
must_check int cl_payload_pack(struct cl_draft *d, const poold_input *input, unsigned max_depth);
/* n encoded values, and fds that one by itself names: an array, or the one. Borrowed. */
poold_input cl_input_values(const struct buf *values, uint32_t n, const int *fds, unsigned n_fds);
/* An encoded value that names exactly these fds, which are duplicated. */
must_check int cl_payload_pack_encoded(struct cl_draft *d, const void *encoded, size_t len,
	unsigned max_depth, const int *fds, unsigned n_fds);
/* A byte string to keep: behind `bytes`, or if it is large in a sealed memfd. 0, or 1 and *ret_fd.
 */
must_check int cl_payload_store(const poold_input *input, struct buf *bytes, int *ret_fd);
must_check int cl_command_pack(struct cl_draft *d, const poold_command *c);
/* A duplicate of its sealed memfd. */
must_check int cl_buffer_dup(poold_buffer *b);

/* ---- submit ---- */

/* Notes why an input could not be packed, and gives r back. */
int cl_submit_no_input(poold *p, int r);

/* ---- futures ---- */

/* queued, handover, run, return */
#define CL_TIMING_MAX 4u

struct cl_cancel {
	poold_cancel_mode mode;
	size_t reason_len;
	char reason[];
};

/* What is touched together lies together: a busy handle has more of them than fit the cache. */
struct poold_future {
	unsigned n_refs;
	uint8_t state; /* enum poold_state */
	bool is_put : 1;
	bool is_due : 1;       /* in the handle's list `due` */
	bool is_in_ready : 1;  /* of its set */
	bool want_release : 1; /* once it is final */
	bool is_released : 1;
	bool has_timing : 1;
	poold *handle;	      /* NULL when that is gone */
	struct cl_call call;  /* submit, put or deliver */
	struct cl_node by_id; /* in the handle's table of IDs; key 0: it has none yet */
	poold_set *set;
	struct cl_cancel *cancel; /* asked for before the ID was known */
	poold_callback callback;
	void *userdata;
	union {
		TAILQ_ENTRY(poold_future) in_handle;
		poold_future *next_spare;
	};
	struct cl_value value;
	uint64_t timing_us[CL_TIMING_MAX]; /* if there are any, as all behind it */
	STAILQ_ENTRY(poold_future) in_due;
	TAILQ_ENTRY(poold_future) in_set;
};
/* So much of a new one is zero. */
#define CL_FUTURE_ZERO_BYTES offsetof(struct poold_future, value.small)

/* Of a node `by_id`; NULL of NULL. */
static inline poold_future *cl_future_of(struct cl_node *node)
{
	return node ? container_of(node, poold_future, by_id) : NULL;
}

static inline bool cl_future_is_settled(const poold_future *f)
{
	return f->state >= POOLD_DONE;
}

/* A future that is POOLD_SENT, in the handle's list, with one reference. */
must_check int cl_future_new(poold *p, poold_future **ret);
/* The daemon took it: POOLD_ACCEPTED, with a reference of the handle's. -EPROTO if that is no ID.
 */
must_check int cl_future_accept(poold_future *f, uint64_t id);
/* The end of it, whose value is there. The callback runs, or is due if ret_cb is NULL. */
void cl_future_settle(poold_future *f, poold_state state, int *ret_cb);
/* The error answer to what it was made with. */
must_check int cl_future_refuse(poold_future *f, struct cl_message *m, int *ret_cb);
/* The notification `final`. */
must_check int cl_final_take(poold *p, struct cl_message *m, int *ret_cb);
/* The same, if bytes of the stream begin with one of the usual form: with *ret_len > 0, its length.
 */
must_check int cl_final_take_usual(
	poold *p, const uint8_t *bytes, size_t len, int *ret_cb, size_t *ret_len);
/* Runs the callbacks that are due; 1 if there were some. */
int cl_future_run_due(poold *p, int *ret_cb);
/* Everybody who waits becomes POOLD_DISCONNECTED; callbacks are due. */
void cl_future_lose_all(poold *p);
/* The handle goes: cuts the links. */
void cl_future_orphan_all(poold *p);
void cl_future_free_spares(poold *p);
/* *ret stands on the value of that key, if what there is (result or details) is a map that has it.
 */
must_check bool cl_future_find_detail(const poold_future *f, const char *key, struct cursor *ret);
/* POOLD_DISCONNECTED, with an ID: waits again. */
must_check int cl_future_resume(poold_future *f);

/* A struct of `size` bytes from the caller, of which this version knows so many: one who was built
 * against a later version may have set more, which is not passed over in silence. */
must_check bool cl_is_known(const void *of_caller, size_t size, size_t known);

/* ---- what a future asks for beside its end ---- */

/* NULL if there is no such mode. */
const char *cl_cancel_mode_name(poold_cancel_mode mode);
void cl_cancel_pack_options(
	struct bufpack *p, poold_cancel_mode mode, const char *reason, size_t reason_len);
must_check int cl_future_send_cancel(
	poold_future *f, poold_cancel_mode mode, const char *reason, size_t reason_len);
/* Its ID gathers with others; what is large is not kept waiting. */
void cl_future_note_release(poold_future *f);
/* Writes those that gathered, if their time has come or something is sent anyway. */
void cl_future_send_releases(poold *p);
/* Writes those that gathered. */
void cl_future_send_all_releases(poold *p);

/* ---- batch: one request about several futures ---- */

/* IDs in one message: of 9 bytes each at most, so it stays below 64 KiB. */
#define CL_IDS_MAX 4096u

struct cl_batch {
	struct cl_call call;
	bool is_deliver;
	size_t n;
	poold_future *futures[];
};

/* Room for n. */
must_check int cl_batch_new(size_t n, struct cl_batch **ret);
void cl_batch_free(struct cl_batch *b);
/* Takes a reference of its own. */
void cl_batch_add(struct cl_batch *b, poold_future *f);
/* After a reconnect: asks for the end of all futures that have an ID. */
must_check int cl_batch_deliver_again(poold *p);

/* ---- sets ---- */

struct poold_set {
	poold *handle;
	struct cl_future_list waiting, ready;
	size_t n;
	unsigned n_waits; /* waits under way */
	bool is_freed;	  /* while somebody waits: he frees it */
	LIST_ENTRY(poold_set) in_handle;
};

/* A member is settled, or is so no more: puts it where it belongs. */
void cl_set_move(poold_future *f);
/* The handle goes: cuts the links. */
void cl_set_orphan_all(poold *p);

/* ---- watches ---- */

/* The notification `event`. */
must_check int cl_watch_event(poold *p, struct cl_message *m, int *ret_cb);
/* All that have a number are over. */
void cl_watch_lose_all(poold *p, int *ret_cb);
