#include "tests/lib/fake_shell.h"

#include <stdlib.h>

#include "tests/lib/fake_worker.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

struct payload *fake_payload(struct fake *fake, uint64_t bytes, uint16_t fds)
{
	struct payload *p = must(calloc(1, sizeof(*p)));

	*p = (struct payload){.fake = fake, .bytes = bytes, .fds = fds};
	fake->n_payloads++;
	return p;
}

struct future_extra *fake_extra(struct fake *fake, uint64_t bytes)
{
	struct future_extra *e = must(calloc(1, sizeof(*e)));

	*e = (struct future_extra){.fake = fake, .bytes = bytes};
	fake->n_extras++;
	return e;
}

void fake_drop_payload(struct payload *p)
{
	if (!p)
		return;
	p->fake->n_payloads--;
	free(p);
}

void fake_drop_extra(struct future_extra *e)
{
	if (!e)
		return;
	e->fake->n_extras--;
	free(e);
}

static void drop_payload(void *shell, struct payload *p)
{
	fake_drop_payload(p);
}

static void drop_extra(void *shell, struct future_extra *e)
{
	fake_drop_extra(e);
}

static void tell(void *shell, struct waiter *w, struct future *f)
{
	struct fake_waiter *fw = (struct fake_waiter *)(void *)w;
	struct fake *fake = shell;

	fw->n_told++;
	fw->id = f->id;
	fw->state = f->state;
	if (fake->hooks.told)
		fake->hooks.told(fake, fw, f);
}

static void moved(void *shell, struct waiter *w, struct future *f)
{
	struct fake_waiter *fw = (struct fake_waiter *)(void *)w;

	fw->n_moves++;
	fw->id = f->id;
	fw->state = f->state;
}

static struct payload *describe_loss(
	void *shell, struct slot *s, struct future *f, uint64_t *ret_bytes)
{
	struct fake *fake = shell;

	*ret_bytes = fake->loss_bytes;
	return fake->loss_bytes ? fake_payload(fake, fake->loss_bytes, 0) : NULL;
}

static struct payload *describe_abort(void *shell, struct future *f, uint64_t *ret_bytes)
{
	return describe_loss(shell, NULL, f, ret_bytes);
}

static struct payload *describe_attempt(
	void *shell, struct future *f, enum future_state state, uint64_t *ret_bytes)
{
	struct fake *fake = shell;

	*ret_bytes = fake->attempt_bytes;
	return fake->attempt_bytes ? fake_payload(fake, fake->attempt_bytes, 0) : NULL;
}

/* Its slots go, so their workers do. */
static void drop_pool(void *shell, struct pool *p)
{
	struct fake *fake = shell;

	if (fake->hooks.dropped)
		fake->hooks.dropped(fake, p);
	for (struct fake_worker **at = &fake->workers, *w; (w = *at);) {
		if (w->slot->pool != p) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		free(w);
	}
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

void fake_init(struct fake *fake, const struct account_limits *limits, uint64_t first_id)
{
	static const struct core_ops ops = {
		.hand_over = fake_hand_over,
		.take_back = fake_take_back,
		.read_answers = fake_read_answers,
		.ring = fake_ring,
		.signal = fake_signal,
		.kill = fake_kill,
		.close_link = fake_close_link,
		.fork_worker = fake_fork,
		.tell = tell,
		.moved = moved,
		.describe_loss = describe_loss,
		.describe_abort = describe_abort,
		.describe_attempt = describe_attempt,
		.drop_payload = drop_payload,
		.drop_extra = drop_extra,
		.drop_pool = drop_pool,
	};

	static const struct siphash_key seed = {{1, 2}};

	*fake = (struct fake){.now_us = 1000};
	if (core_init(&fake->core, limits, &ops, fake, first_id, first_id + (1u << 30), &seed) != 0)
		abort();
}

struct pool *fake_pool(struct fake *fake, const struct pool_config *config)
{
	struct pool *p;

	if (core_add_pool(&fake->core, config, NULL, &p) != 0 ||
		pool_put_function(p, "f", "", false) != 0 ||
		pool_put_function(p, "g", "", false) != 0)
		abort();
	for (unsigned i = 0; i < p->n_slots; i++)
		fake_hire(fake, p->slots[i]);
	core_pool_ready(p);
	p->is_proven = true; /* all at once; on trial: the test says so */
	return p;
}

void fake_deinit(struct fake *fake)
{
	struct fake_worker *w;

	core_deinit(&fake->core);
	while ((w = fake->workers)) {
		fake->workers = w->next;
		free(w);
	}
}

struct fake_worker *fake_worker(struct pool *p, unsigned number)
{
	return p->slots[number]->shell;
}

uint64_t fake_turn(struct fake *fake)
{
	uint64_t next_us = core_turn(&fake->core, fake->now_us);

	core_sweep(&fake->core);
	return next_us;
}
