#include "tests/lib/workbench.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/closer.h"
#include "daemon/log.h"
#include "proto/buf.h"

#define LATE_US	    (30 * 1000000ull)
#define MOMENT_US   50000
#define INPUT_BYTES (1024u * 1024u)

/* ---- life ---- */

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static const char *build_dir(void)
{
	const char *dir = getenv("POOLD_TEST_BUILDDIR");

	return dir ? dir : ".";
}

void workbench_init(struct workbench *b, const char *worker)
{
	*b = (struct workbench){.n_fds = count_fds()};
	snprintf(b->worker, sizeof(b->worker), "%s/%s", build_dir(), worker);
	b->config.worker = b->worker;
	b->config.pools = b->pools;
	for (int i = 0; i < _ACCOUNT_KIND_MAX; i++)
		b->config.limits.uid.n[i] = b->config.limits.all.n[i] = 1ull << 32;
}

struct config_pool *workbench_add_pool(
	struct workbench *b, const char *name, enum config_handler handler, unsigned n_workers)
{
	struct config_pool *p = &b->pools[b->config.n_pools++];

	ck_assert_uint_le(b->config.n_pools, WORKBENCH_POOLS);
	*p = (struct config_pool){
		.name = (char *)name,
		.handler = handler,
		.workers = n_workers,
		.ahead = 2,
		.max_result_bytes = 1024 * 1024,
		.output_bytes = 1024 * 1024,
		.grace_us = 5000000,
		.start_timeout_us = 20000000,
		.cwd = (char *)"/",
	};
	return p;
}

void workbench_add_module(struct workbench *b, const char *name, unsigned n_workers)
{
	struct config_pool *p = workbench_add_pool(b, name, HANDLER_MODULE, n_workers);
	static char path[4096];

	snprintf(path, sizeof(path), "%s/daemon/worker/modules/.libs/%s.so", build_dir(), name);
	p->module = path;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
}

void workbench_prepare(struct workbench *b)
{
	int r;

	if (!getenv("WORKBENCH_LOG"))
		log_set_level(LOG_ERR);
	b->base = event_base_new();
	ck_assert_ptr_nonnull(b->base);
	b->timer = evtimer_new(b->base, on_timer, NULL);
	ck_assert_ptr_nonnull(b->timer);
	r = core_init(&b->core, &b->config.limits, &workers_ops, NULL, 1, PROTO_ID_END,
		&(struct siphash_key){{1, 2}});
	ck_assert_int_eq(r, 0);
	workbench_be(b, 1000);
}

void workbench_start(struct workbench *b)
{
	int r;

	workbench_prepare(b);
	r = workers_new(b->base, &b->config, &b->core, &b->workers);
	ck_assert_int_eq(r, 0);
	workbench_until(b, workers_are_settled(b->workers));
}

static void check_no_children(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

void workbench_stop(struct workbench *b)
{
	core_drain(&b->core, clock_now_us());
	workbench_until(b, core_unfinished(&b->core) == 0);
	workers_dismiss(b->workers);
	workbench_until(b, workers_left(b->workers) == 0);
	check_no_children();
	b->workers = workers_free(b->workers);
	b->account = account_unref(b->account);
	core_deinit(&b->core);
	event_free(b->timer);
	event_base_free(b->base);
	libevent_global_shutdown();
	closer_stop();
	ck_assert_uint_eq(count_fds(), b->n_fds);
}

void workbench_turn(struct workbench *b)
{
	struct timeval moment = {.tv_usec = MOMENT_US};
	uint64_t now_us = clock_now_us(), next_us;

	workers_turn(b->workers, now_us);
	next_us = core_turn(&b->core, now_us);
	core_sweep(&b->core);
	if (next_us < now_us + MOMENT_US)
		moment.tv_usec = next_us > now_us ? (suseconds_t)(next_us - now_us) : 0;
	event_add(b->timer, &moment);
	event_base_loop(b->base, EVLOOP_ONCE);
	workers_turn(b->workers, clock_now_us());
}

uint64_t workbench_deadline_us(void)
{
	return clock_now_us() + LATE_US;
}

bool workbench_is_late(uint64_t deadline_us)
{
	return clock_now_us() > deadline_us;
}

pid_t workbench_zygote(const struct pool *p)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	int pid = 0, zygote = 0;

	ck_assert_ptr_nonnull(list);
	while (!zygote && fscanf(list, "%d", &pid) == 1) {
		zygote = pid;
		for (unsigned i = 0; i < p->n_slots; i++)
			if (pid == workers_pid(p->slots[i]))
				zygote = 0;
	}
	fclose(list);
	ck_assert_int_gt(zygote, 1);
	return zygote;
}

/* ---- jobs ---- */

struct pool *workbench_pool(struct workbench *b, const char *name)
{
	struct pool *p = core_find_pool(&b->core, name, strlen(name));

	ck_assert_ptr_nonnull(p);
	return p;
}

void workbench_be(struct workbench *b, uint32_t uid)
{
	b->account = account_unref(b->account);
	ck_assert_int_eq(account_get(&b->core.accounts, uid, &b->account), 0);
}

/* The input is the core's. */
static struct future *submit(struct workbench *b, const char *address, struct payload *input,
	uint64_t timeout_us, uint64_t grace_us)
{
	const char *slash = strchr(address, '/');
	struct pool *p = core_find_pool(&b->core, address, (size_t)(slash - address));
	struct submission s = {
		.account = b->account,
		.pool = p,
		.input = input,
		.input_bytes = payload_charge_bytes(input),
		.input_fds = payload_charge_fds(input),
		.in = payload_moved(input),
		.timeout_us = timeout_us,
		.grace_us = grace_us,
		.ttl_us = 3600 * 1000000ull,
	};
	struct future *f;

	ck_assert_ptr_nonnull(p);
	s.function = pool_find_function(p, slash + 1, strlen(slash + 1));
	ck_assert_ptr_nonnull(s.function);
	ck_assert_int_eq(core_submit(&b->core, &s, clock_now_us(), &f, NULL), 0);
	return f;
}

struct future *workbench_submit(struct workbench *b, const char *address, const void *input,
	size_t len, uint64_t timeout_us, uint64_t grace_us)
{
	struct payload *p = NULL;
	const char *reason;

	ck_assert_int_eq(payload_new(input, len, NULL, 0, &p, &reason), 0);
	return submit(b, address, p, timeout_us, grace_us);
}

struct future *workbench_memfd(struct workbench *b, const char *address, int fd)
{
	static const uint8_t ext[] = {0xd4, PROTO_EXT_FD, 0};
	struct payload *p = NULL;
	const char *reason;

	ck_assert_int_eq(payload_new(ext, sizeof(ext), &fd, 1, &p, &reason), 0);
	return submit(b, address, p, 0, 0);
}

struct future *workbench_shell(
	struct workbench *b, const char *script, uint64_t timeout_us, uint64_t grace_us)
{
	cleanup(buf_deinit) struct buf buf = BUF_INIT(INPUT_BYTES);
	struct bufpack p;

	bufpack_init(&p, &buf);
	bufpack_array(&p, 3);
	bufpack_text(&p, "/bin/sh");
	bufpack_text(&p, "-c");
	bufpack_text(&p, script);
	ck_assert_int_eq(bufpack_error(&p), 0);
	return workbench_submit(
		b, "default/exec", buf_head(&buf), buf_used(&buf), timeout_us, grace_us);
}

struct future *workbench_number(struct workbench *b, const char *address, uint64_t n)
{
	cleanup(buf_deinit) struct buf buf = BUF_INIT(INPUT_BYTES);
	struct bufpack p;

	bufpack_init(&p, &buf);
	bufpack_uint(&p, n);
	ck_assert_int_eq(bufpack_error(&p), 0);
	return workbench_submit(b, address, buf_head(&buf), buf_used(&buf), 0, 0);
}

void workbench_await(struct workbench *b, const struct future *f)
{
	workbench_until(b, future_state_is_final(f->state));
}

/* ---- values ---- */

static bool find_entry(const struct future *f, const char *key, struct cursor *ret)
{
	struct cursor c;
	const char *text;
	uint32_t n;
	size_t len;

	if (!future_value(f))
		return false;
	c = cursor_of(future_value(f)->bytes, future_value(f)->len);
	if (!cursor_map(&c, &n))
		return false;
	while (n-- > 0 && cursor_text(&c, &text, &len) && cursor_skip(&c, ret))
		if (text_equal(text, len, key))
			return true;
	return false;
}

bool workbench_has_entry(const struct future *f, const char *key)
{
	struct cursor c;

	return find_entry(f, key, &c);
}

struct cursor workbench_entry(const struct future *f, const char *key)
{
	struct cursor c = {};

	ck_assert_msg(find_entry(f, key, &c), "no entry %s", key);
	return c;
}

uint64_t workbench_entry_uint(const struct future *f, const char *key)
{
	struct cursor c = workbench_entry(f, key);
	uint64_t v = 0;

	ck_assert(cursor_uint(&c, &v));
	return v;
}

bool workbench_entry_is(const struct future *f, const char *key, const char *text)
{
	struct cursor c = workbench_entry(f, key);
	const char *got = "";
	size_t len = 0;

	ck_assert(cursor_text(&c, &got, &len));
	return text_equal(got, len, text);
}
