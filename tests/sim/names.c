/* Groups and keys: who is found by which. */
#include <string.h>

#include "tests/sim/world.h"

typedef unsigned long long ull;

static const char *const texts[] = {"", "a", "b", "c", "d"};

void names_choose(struct world *w, struct submission *s, bool may_have_key)
{
	struct tag_wishes *t = &s->tags;

	if (world_once_in(w, 4)) {
		t->group = texts[1 + world_below(w, 4)];
		t->group_len = 1;
	}
	if (may_have_key && world_once_in(w, 6)) {
		t->key = texts[1 + world_below(w, 4)];
		t->key_len = 1;
		t->content = world_below(w, 3);
	}
}

void names_remember(const struct submission *s, struct record *r)
{
	r->group = s->tags.group;
	r->key = s->tags.key;
	r->content = s->tags.content;
}

/* Whose key a submission has: the only one that can be found. */
static const struct record *owner_of_key(struct world *w, const struct submission *s)
{
	const struct record *found = NULL;

	for (unsigned i = w->first_alive; i < w->n_records; i++) {
		const struct record *r = &w->records[i];

		if (r->is_gone || r->is_withdrawn || r->key != s->tags.key ||
			r->uid != account_uid(s->account) || !core_find(w->core, r->id))
			continue;
		if (found)
			world_fail(
				w, "%llu and %llu have the same key", (ull)found->id, (ull)r->id);
		found = r;
	}
	return found;
}

int names_expected(struct world *w, const struct submission *s, uint64_t *ret_id)
{
	const struct record *r = s->tags.key ? owner_of_key(w, s) : NULL;

	if (!r)
		return 0;
	*ret_id = r->id;
	return r->content == s->tags.content ? CORE_E_KNOWN : CORE_E_KEY_CONFLICT;
}

/* A group is just its members, by age. */
static void check_group(struct world *w, uint32_t uid, const char *group)
{
	struct tag_list *tags = core_find_group(w->core, uid, group, strlen(group));
	struct tag *t = tags ? TAILQ_FIRST(tags) : NULL;
	struct future *f;

	TAILQ_FOREACH (f, account_futures(w->accounts[uid]), in_uid) {
		if (world_record(w, f->id)->group != group)
			continue;
		if (!t || t->future != f || strcmp(future_group(f), group) != 0)
			world_fail(w, "%llu is not in its place of group %s", (ull)f->id, group);
		t = TAILQ_NEXT(t, in_name);
	}
	if (t)
		world_fail(w, "%llu is in a group not its own", (ull)t->future->id);
}

void names_check(struct world *w)
{
	for (uint32_t uid = 0; uid < WORLD_UIDS; uid++)
		for (unsigned i = 1; i < sizeof(texts) / sizeof(texts[0]); i++)
			check_group(w, uid, texts[i]);
}

void names_check_none(struct world *w)
{
	if (w->core->groups.by_text || w->core->keys.by_text)
		world_fail(w, "names are left when nobody has one");
}
