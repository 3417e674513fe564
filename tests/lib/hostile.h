/* What the parts of the hostile worker share: bytes on their way out, and the tables of misdeeds.
 */
#pragma once

#include "proto/fdpass.h"
#include "proto/rpc.h"
#include "proto/shm.h"

#define HOSTILE_FD 3 /* link of a worker, control socket of a zygote */

struct hostile_deed {
	const char *name; /* of the pool that asks for it; NULL: the last */
	void (*act)(void);
};

#define DEED(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}

extern const struct hostile_deed hostile_answers[]; /* run_… */
extern const struct hostile_deed hostile_each[];    /* each_… */
extern const struct hostile_deed hostile_fds[];	    /* run_…, with an fd that is none */
extern const struct hostile_deed hostile_nice[];    /* nice_… */
extern const struct hostile_deed hostile_starts[];  /* start_…, zygote_…, fork_… */

/* The request being served, and the job if it is a run. */
extern uint32_t hostile_msgid;
extern uint64_t hostile_id;

/* What is being packed. */
extern struct buf hostile_out;
extern struct bufpack hostile_pack;

void hostile_begin(void);
void hostile_begin_notification(const char *method, unsigned n_params);
/* [1, msgid, nil, [ — the result and meas follow. */
void hostile_begin_result(void);
/* [1, msgid, [code, message, { — n_entries and nil follow. */
void hostile_begin_error(const char *code, const char *message, unsigned n_entries);
void hostile_pack_meas(void);
void hostile_send(const int *fds, unsigned n_fds);
void hostile_send_bytes(const void *bytes, size_t len);
void hostile_answer_nil(void);
/* The result is the fd. */
void hostile_answer_fd(int fd);
/* The text may be NULL: nil. */
void hostile_send_progress(uint64_t of, uint64_t done, uint64_t total, const char *text);
void hostile_send_output(const char *stream, uint64_t of, int fd);
void hostile_pack_functions(unsigned n);
void hostile_send_ready(unsigned protocol, unsigned n_functions);
void hostile_answer_functions(unsigned n);
void hostile_answer_pid(pid_t pid);
