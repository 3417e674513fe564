/* The tables of all verbs fit together: no name or letter twice, nothing without its help. */
#include <string.h>

#include "client/poolctl/verb.h"
#include "tests/lib/check_run.h"

static size_t n_verbs(void)
{
	size_t n = 0;

	while (verb_all[n])
		n++;
	return n;
}

static void expect_distinct(const struct opt *a, const struct opt *b)
{
	if (a == b)
		return;
	ck_assert_str_ne(a->name, b->name);
	ck_assert_msg(!a->letter || a->letter != b->letter, "-%c is --%s and --%s", a->letter,
		a->name, b->name);
}

START_TEST(options_of_a_verb_are_distinct_and_told)
{
	const struct verb *v = verb_all[_i];
	const struct opt *o, *other;

	for (o = v->opts; o->name; o++) {
		ck_assert_msg(o->help && *o->help, "--%s of %s has no help", o->name, v->name);
		ck_assert_msg((o->kind == OPT_FLAG) == !o->arg, "--%s of %s", o->name, v->name);
		ck_assert_uint_lt(o->at, v->values_size);
		for (other = v->opts; other->name; other++)
			expect_distinct(o, other);
		for (other = ctl_options; other->name; other++)
			expect_distinct(o, other);
	}
}
END_TEST

START_TEST(verb_is_found_by_name_and_alias)
{
	const struct verb *v = verb_all[_i];

	ck_assert_ptr_eq(verb_find(v->name), v);
	if (v->alias)
		ck_assert_ptr_eq(verb_find(v->alias), v);
	ck_assert(v->doc && *v->doc && v->operands && v->run);
}
END_TEST

START_TEST(unknown_verb_is_not_found)
{
	ck_assert_ptr_null(verb_find("bogus"));
	ck_assert_ptr_null(verb_find(""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verb");
	TCase *t = tcase_create("verb");

	tcase_add_loop_test(t, options_of_a_verb_are_distinct_and_told, 0, (int)n_verbs());
	tcase_add_loop_test(t, verb_is_found_by_name_and_alias, 0, (int)n_verbs());
	tcase_add_test(t, unknown_verb_is_not_found);
	suite_add_tcase(s, t);
	return check_run(s);
}
