/* What it does in place of `ready`, and what its zygotes do. */
#include "tests/lib/hostile.h"

#include <stdio.h>

/* ---- in place of `ready` ------------------------------------------------------------------------
 */

static void start_answer(void)
{
	hostile_answer_nil();
}

static void start_garbage(void)
{
	hostile_send_bytes("\xc1\xc1\xc1", 3);
}

static void start_many_functions(void)
{
	hostile_send_ready(1, 5000);
}

static void start_protocol_2(void)
{
	hostile_send_ready(2, 1);
}

static void start_never(void)
{
	pause();
}

static void start_exit(void)
{
	_exit(3);
}

static void start_progress(void)
{
	hostile_send_progress(1, 1, 1, "");
}

/* Ready, and an answer that nobody waits for. */
static void start_answer_early(void)
{
	hostile_send_ready(1, 1);
	hostile_answer_nil();
}

/* Ready, but it never receives. */
static void start_deaf(void)
{
	hostile_send_ready(1, 1);
	pause();
}

/* ---- the zygote ---------------------------------------------------------------------------------
 */

static void zygote_garbage(void)
{
	hostile_send_bytes("\xc1\xc1\xc1", 3);
	pause();
}

static void zygote_many_functions(void)
{
	hostile_answer_functions(5000);
	pause();
}

static void zygote_bad_name(void)
{
	hostile_begin();
	rpc_pack_answer(&hostile_pack, hostile_msgid);
	bufpack_nil(&hostile_pack);
	bufpack_map(&hostile_pack, 1);
	bufpack_text(&hostile_pack, "functions");
	bufpack_array(&hostile_pack, 1);
	bufpack_map(&hostile_pack, 1);
	bufpack_text(&hostile_pack, "name");
	bufpack_text(&hostile_pack, "../../etc/passwd");
	hostile_send(NULL, 0);
	pause();
}

static void zygote_exit(void)
{
	fprintf(stderr, "no such luck\n");
	_exit(3);
}

static void zygote_never(void)
{
	pause();
}

static void zygote_error(void)
{
	hostile_begin_error("bad_module", "the moon is in the wrong\nhouse", 0);
	bufpack_nil(&hostile_pack);
	hostile_send(NULL, 0);
	_exit(1);
}

static void fork_init(void)
{
	hostile_answer_pid(1);
}

static void fork_self(void)
{
	hostile_answer_pid(getpid());
}

static void fork_daemon(void)
{
	hostile_answer_pid(getppid());
}

static void fork_negative(void)
{
	hostile_answer_pid(-1);
}

static void fork_wrong_msgid(void)
{
	hostile_msgid += 7;
	hostile_answer_pid(1);
}

static void fork_exit(void)
{
	_exit(4);
}

static void fork_error(void)
{
	hostile_begin_error("internal", "no more processes", 0);
	bufpack_nil(&hostile_pack);
	hostile_send(NULL, 0);
}

static void fork_never(void)
{
	pause();
}

const struct hostile_deed hostile_starts[] = {
	DEED(start_answer),
	DEED(start_garbage),
	DEED(start_many_functions),
	DEED(start_protocol_2),
	DEED(start_never),
	DEED(start_exit),
	DEED(start_progress),
	DEED(start_answer_early),
	DEED(start_deaf),
	DEED(zygote_garbage),
	DEED(zygote_many_functions),
	DEED(zygote_bad_name),
	DEED(zygote_exit),
	DEED(zygote_never),
	DEED(zygote_error),
	DEED(fork_init),
	DEED(fork_self),
	DEED(fork_daemon),
	DEED(fork_negative),
	DEED(fork_wrong_msgid),
	DEED(fork_exit),
	DEED(fork_error),
	DEED(fork_never),
	{NULL, NULL},
};
