/* Pools: slots by state, and what is known of their functions.
 *
 *	empty ──► starting ──► idle ◄──► busy ──► ringing ──► leaving ──► empty
 *
 * and from every state with a worker to empty, when that worker dies.
 *
 * What a job is expected to take is the mean of its function's last runs, some thousands of them: a
 * mean, since the wait of whoever stands behind jobs is the sum of what they take; of so many,
 * since one run in a hundred that takes ten thousand times as long as the others must not be
 * forgotten before the next one like it. That counts for what shares a packet. What only lies in
 * the inbox is taken back from behind a job that runs late, so no run keeps it waiting longer than
 * that.
 */
#include "daemon/core/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core.h"

#define LEAVE_US (5 * 1000 * 1000ull) /* a worker whose link was closed has so long to leave */

#define TO(s) (1u << SLOT_##s)

static const uint8_t legal[_SLOT_STATE_MAX] = {
	[SLOT_EMPTY] = TO(STARTING),
	[SLOT_STARTING] = TO(IDLE) | TO(LEAVING) | TO(EMPTY),
	[SLOT_IDLE] = TO(BUSY) | TO(LEAVING) | TO(EMPTY),
	[SLOT_BUSY] = TO(IDLE) | TO(RINGING) | TO(LEAVING) | TO(EMPTY),
	[SLOT_RINGING] = TO(LEAVING) | TO(EMPTY),
	[SLOT_LEAVING] = TO(EMPTY),
};

static_assert(_SLOT_STATE_MAX <= 8, "a set of states fits its type");

const char *pool_sizing_name(enum pool_sizing s)
{
	static const char *const names[_SIZING_MAX] = {
		[SIZING_STATIC] = "static",
		[SIZING_DYNAMIC] = "dynamic",
		[SIZING_ONDEMAND] = "ondemand",
	};

	return names[s];
}

bool slot_may_become(enum slot_state from, enum slot_state to)
{
	return legal[from] >> to & 1;
}

void slot_set_state(struct slot *s, enum slot_state to, uint64_t now_us)
{
	struct pool *p = s->pool;

	assert(slot_may_become(s->state, to));
	TAILQ_REMOVE(&p->by_state[s->state], s, in_state);
	p->n_by_state[s->state]--;
	p->n_by_fate[s->fate][s->state]--;
	s->state = to;
	s->since_us = now_us;
	TAILQ_INSERT_TAIL(&p->by_state[to], s, in_state);
	p->n_by_state[to]++;
	p->n_by_fate[s->fate][to]++;
}

void slot_set_fate(struct slot *s, enum slot_fate to)
{
	s->pool->n_by_fate[s->fate][s->state]--;
	s->fate = to;
	s->pool->n_by_fate[to][s->state]++;
}

void slot_dismiss(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	slot_set_state(s, SLOT_LEAVING, now_us);
	heap_set(&c->timers, &s->timer, now_us + LEAVE_US, 0);
	c->ops->close_link(c->shell, s);
}

void slot_kill(struct slot *s, uint64_t now_us)
{
	struct core *c = s->pool->core;

	if (s->state == SLOT_BUSY || s->state == SLOT_RINGING)
		slot_set_state(s, SLOT_LEAVING, now_us);
	c->ops->kill(c->shell, s);
}

int pool_add_slot(struct pool *p)
{
	struct slot **grown, *s;

	grown = realloc(p->slots, (p->n_slots + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->slots = grown;
	if (heap_reserve(&p->takers, p->n_slots + 1) < 0)
		return -ENOMEM;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->pool = p;
	s->number = p->n_slots;
	s->timer.owner = CORE_TIMER_SLOT;
	TAILQ_INIT(&s->line);
	TAILQ_INSERT_TAIL(&p->by_state[SLOT_EMPTY], s, in_state);
	p->n_by_state[SLOT_EMPTY]++;
	p->n_by_fate[FATE_STAYS][SLOT_EMPTY]++;
	p->slots[p->n_slots++] = s;
	return 0;
}

int pool_new(struct core *core, const struct pool_config *config, void *shell, struct pool **ret)
{
	struct pool *p;

	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	queue_init(&p->queue, config->ageing_us);
	TAILQ_INIT(&p->aside);
	for (int s = 0; s < _SLOT_STATE_MAX; s++)
		TAILQ_INIT(&p->by_state[s]);
	p->name = strdup(config->name);
	if (!p->name) {
		pool_free(p);
		return -ENOMEM;
	}
	p->name_len = strlen(p->name);
	p->core = core;
	p->timer.owner = CORE_TIMER_POOL;
	p->look_us = p->wake_us = p->recover_at_us = HEAP_NEVER;
	p->shell = shell;
	p->config = *config;
	p->config.name = p->name;
	for (unsigned i = 0; i < config->n_workers; i++)
		if (pool_add_slot(p) < 0) {
			pool_free(p);
			return -ENOMEM;
		}
	*ret = p;
	return 0;
}

static struct function *function_free(struct function *fn)
{
	if (fn) {
		free(fn->name);
		free(fn->doc);
		free(fn);
	}
	return NULL;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;
	for (struct function *fn = p->functions, *next; fn; fn = next) {
		next = fn->next;
		function_free(fn);
	}
	queue_deinit(&p->queue);
	heap_deinit(&p->takers);
	for (unsigned i = 0; i < p->n_slots; i++)
		free(p->slots[i]);
	free(p->slots);
	free(p->reason);
	free(p->name);
	free(p);
	return NULL;
}

static struct function *find(struct pool *p, const char *name, size_t len)
{
	for (struct function *fn = p->functions; fn; fn = fn->next)
		if (fn->name_len == len && *fn->name == *name && memcmp(fn->name, name, len) == 0)
			return fn;
	return NULL;
}

int pool_put_function(struct pool *p, const char *name, const char *doc, bool is_pure)
{
	struct function *fn = find(p, name, strlen(name)), **link = &p->functions;
	char *copy = strdup(doc);

	if (!copy)
		return -ENOMEM;
	if (fn) {
		free(fn->doc);
		fn->doc = copy;
	} else {
		fn = calloc(1, sizeof(*fn));
		if (!fn || !(fn->name = strdup(name))) {
			free(copy);
			function_free(fn);
			return -ENOMEM;
		}
		fn->name_len = strlen(name);
		fn->pool = p;
		fn->doc = copy;
		fn->is_gone = true;
		while (*link)
			link = &(*link)->next;
		*link = fn;
	}
	fn->is_pure = is_pure;
	p->n_functions += fn->is_gone;
	fn->is_gone = false;
	return 0;
}

void pool_clear_functions(struct pool *p)
{
	for (struct function *fn = p->functions; fn; fn = fn->next)
		fn->is_gone = true;
	p->n_functions = 0;
}

struct function *pool_find_function(struct pool *p, const char *name, size_t len)
{
	struct function *fn = find(p, name, len);

	return fn && !fn->is_gone ? fn : NULL;
}

void pool_set_reason(struct pool *p, const char *reason)
{
	free(p->reason);
	p->reason = reason ? strdup(reason) : NULL;
}

/* Jobs point to functions, so those that p knows stay where they are. */
static void take_function(struct pool *p, struct function *fn)
{
	struct function *known = find(p, fn->name, strlen(fn->name)), **link = &p->functions;
	char *doc;

	if (!known) {
		while (*link)
			link = &(*link)->next;
		*link = fn;
		fn->pool = p;
		return;
	}
	doc = known->doc;
	known->doc = fn->doc;
	fn->doc = doc;
	known->is_pure = fn->is_pure;
	known->is_gone = false;
	function_free(fn);
}

void pool_take_functions(struct pool *p, struct pool *from)
{
	struct function *fn;

	pool_clear_functions(p);
	while ((fn = from->functions)) {
		from->functions = fn->next;
		fn->next = NULL;
		take_function(p, fn);
		p->n_functions++;
	}
	from->n_functions = 0;
}

void pool_set_failed(struct pool *p, const char *reason)
{
	p->state = POOL_FAILED;
	pool_set_reason(p, reason);
}

static void take_means(struct function *fn)
{
	if (!fn->is_stale)
		return;
	fn->is_stale = false;
	fn->mean_run_ns = cost_mean_run_ns(&fn->cost);
	fn->soon_ns = cost_soon_ns(&fn->cost);
}

uint64_t function_mean_run_ns(struct function *fn)
{
	take_means(fn);
	return fn->mean_run_ns;
}

uint64_t function_soon_ns(struct function *fn)
{
	take_means(fn);
	return fn->soon_ns;
}

uint64_t function_run_ns(struct function *fn)
{
	uint64_t ns = function_mean_run_ns(fn);

	return ns ? ns : POOL_AHEAD_US * 1000;
}

uint64_t function_wait_ns(struct function *fn)
{
	uint64_t ns = function_soon_ns(fn);

	return ns ? ns : POOL_AHEAD_US * 1000;
}

bool function_is_long(struct function *fn)
{
	return function_soon_ns(fn) > POOL_SOON_US * 1000 * 3 / 4;
}

uint64_t function_late_us(struct function *fn)
{
	uint64_t twice_us = function_soon_ns(fn) * 2 / 1000;

	return twice_us > POOL_AHEAD_US ? twice_us : POOL_AHEAD_US;
}

void pool_add_sums(struct pool_sums *sums, const struct pool *p)
{
	sums->n_submitted += p->n_submitted;
	for (int s = 0; s < _FUTURE_STATE_MAX; s++)
		sums->n_finished[s] += p->n_finished[s];
	for (const struct function *fn = p->functions; fn; fn = fn->next)
		cost_add(&sums->cost, &fn->cost);
}

void function_learn_run(struct function *fn, const struct future *f)
{
	struct future_timing t = future_timing(f, future_finished_us(f));

	if (!f->run->started_us)
		return;
	cost_learn_run(&fn->cost, &t);
	fn->is_stale = true;
}

void function_learn_result(struct function *fn, bool is_small)
{
	if (!is_small)
		fn->n_apart = POOL_APART_RESULTS;
	else if (fn->n_apart)
		fn->n_apart--;
}

void function_learn(struct function *fn, const struct future *f)
{
	if (f->state == FUTURE_DONE)
		fn->n_done++;
	else
		fn->n_failed++;
	cost_learn_job(&fn->cost, f);
	function_learn_run(fn, f);
}
