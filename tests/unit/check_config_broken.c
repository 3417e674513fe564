/* Broken configurations: each is refused by file, line, key and value, and leaves nothing behind.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/fault.h"
#include "tests/unit/config_case.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define X   "[pool x]\nhandler = exec\n"

/* A text, the line to blame, and words that the message must have. */
static const struct broken {
	const char *text;
	int line;
	const char *words[3];
} broken[] = {
	/* lines */
	{"workers = 1\n", 1, {"workers", "before the first section"}},
	{"[daemon]\nnonsense\n", 2, {"key = value"}},
	{"[daemon]\n\n\n= 5\n", 4, {"unknown key", "\"\""}},
	{"[daemon\nttl = 1\n", 1, {"\"]\"", "[daemon"}},
	{"[daemon] ttl = 1\n", 1, {"behind", "ttl = 1"}},
	{"[daemon]\nstate_dir = /" A64 A64 A64 "\n", 2, {"longer than"}},
	{"[" A64 A64 A64 A64 "]\n", 1, {"longer than"}},
	/* sections */
	{"[]\n", 1, {"unknown section"}},
	{"[deamon]\n", 1, {"unknown section", "deamon", "[daemon]"}},
	{"[limit]\n", 1, {"[limits]"}},
	{"[Daemon]\n", 1, {"[daemon]"}},
	{"[poool x]\n", 1, {"poool", "[pool NAME]"}},
	{"[daemon x]\n", 1, {"[daemon x]", "[daemon]"}},
	{"[pool]\n", 1, {"needs a name", "[pool NAME]"}},
	{"[pool X]\n", 1, {"\"X\"", "a-z"}},
	{"[pool a/b]\n", 1, {"a/b"}},
	{"[pool a b]\n", 1, {"a b"}},
	{"[pool " A64 "a]\n", 1, {A64, "64"}},
	{"[daemon]\n\n[limits]\n[daemon]\n", 4, {"line 1"}},
	{X "[limits]\n" X, 4, {"line 1"}},
	/* keys */
	{"[daemon]\nsockets = /x\n", 2, {"\"sockets\"", "\"socket\"", "[daemon]"}},
	{"[limits]\n\njosb = 1\n", 3, {"\"josb\"", "\"jobs\""}},
	{"[limits]\ntotal_byte = 1\n", 2, {"\"total_bytes\""}},
	{X "max_results = 1\n", 3, {"max_results", "\"max_result\"", "[pool x]"}},
	{"[limits]\nworkers = 1\n", 2, {"workers", "[pool NAME]", "[limits]"}},
	{X "jobs = 1\n", 3, {"jobs", "[limits]", "[pool x]"}},
	{X "workers = 1\n\nworkers = 2\n", 5, {"workers", "line 3"}},
	{X "timeout =\n", 3, {"timeout", "needs a value"}},
	{X "timeout = ; none\n", 3, {"timeout", "needs a value"}},
	/* paths */
	{"[daemon]\nsocket = poold.sock\n", 2, {"socket = poold.sock", "absolute"}},
	{"[daemon]\nsocket = /" A64 A64 "\n", 2, {"129 bytes", "at most 107"}},
	{"[daemon]\nsocket = /tmp/\n", 2, {"/tmp/", "directory"}},
	{"[daemon]\nstate_dir = ~/state\n", 2, {"~/state", "absolute"}},
	{"[daemon]\nmodule_dir = modules\n", 2, {"modules", "absolute"}},
	{"[daemon]\nworker = poold-worker\n", 2, {"poold-worker", "absolute"}},
	{"[daemon]\nworker = /nowhere/poold-worker\n", 2, {"/nowhere", "executed"}},
	{X "cwd = tmp\n", 3, {"cwd = tmp", "absolute"}},
	{X "cwd = /nowhere/at/all\n", 3, {"/nowhere", "No such file"}},
	{X "cwd = /etc/passwd\n", 3, {"/etc/passwd", "no directory"}},
	/* modes, words, people */
	{"[daemon]\nsocket_mode = 0888\n", 2, {"0888", "octal", "0777"}},
	{"[daemon]\nsocket_mode = 1777\n", 2, {"1777", "0777"}},
	{"[daemon]\nsocket_mode = 0066\n", 2, {"0066", "0600"}},
	{"[daemon]\nsocket_mode = rw\n", 2, {"rw", "octal"}},
	{"[daemon]\nsocket_mode = -1\n", 2, {"-1", "octal"}},
	{"[daemon]\nlog_level = loud\n", 2, {"loud", "warning"}},
	{"[daemon]\nsocket_group = no-such-group-here\n", 2, {"no-such-group-here", "group"}},
	{"[daemon]\nsocket_group = 99999999999\n", 2, {"99999999999", "group"}},
	{X "allow = root nobody-of-that-name\n", 3, {"nobody-of-that-name", "a user"}},
	{X "allow = @no-such-group-here\n", 3, {"@no-such-group-here", "group"}},
	{X "allow = everybody\n", 3, {"everybody", "all"}},
	/* times */
	{"[daemon]\nttl = 1 fortnight\n", 2, {"1 fortnight", "30s"}},
	{"[daemon]\nttl = 0\n", 2, {"ttl = 0", "at least 1 ms"}},
	{"[daemon]\nttl = -5s\n", 2, {"-5s"}},
	{"[daemon]\nstop_timeout = forever\n", 2, {"forever", "no time"}},
	{"[daemon]\nstop_timeout = 101w 5200w\n", 2, {"100 years"}},
	{X "grace = 0\n", 3, {"grace = 0", "at least 1 ms"}},
	{X "timeout = 5x\n", 3, {"5x"}},
	{X "timeout = nan\n", 3, {"nan"}},
	/* numbers and sizes */
	{"[limits]\njobs = 0\n", 2, {"jobs = 0", "at least 1"}},
	{"[limits]\njobs = 1000000001\n", 2, {"1000000001", "at most 1000000000"}},
	{"[limits]\njobs = 99999999999999999999\n", 2, {"99999999999999999999"}},
	{"[limits]\nfutures = many\n", 2, {"many", "no number"}},
	{"[limits]\nfds = -1\n", 2, {"-1", "no number"}},
	{"[limits]\nconnections = 0x10\n", 2, {"0x10", "no number"}},
	{"[limits]\nwaits = 1e3\n", 2, {"1e3", "no number"}},
	{"[limits]\nbytes = 1X\n", 2, {"1X", "64K"}},
	{"[limits]\nbytes = 0\n", 2, {"bytes = 0", "at least 1"}},
	{"[limits]\ntotal_bytes = 9999999T\n", 2, {"9999999T"}},
	{X "workers = 0\n", 3, {"workers = 0", "at least 1"}},
	{X "workers = 5000\n", 3, {"5000", "at most 4096"}},
	{X "workers = 2.5\n", 3, {"2.5", "no number"}},
	{X "ahead = 65\n", 3, {"65", "at most 64"}},
	{X "ageing = 61m\n", 3, {"61m", "at most 3600 s"}},
	{X "max_result = 64 megs\n", 3, {"64 megs"}},
	{X "output = 0\n", 3, {"output = 0", "at least 1"}},
	/* sizes of pools */
	{X "sizing = elastic\n", 3, {"elastic", "static, dynamic, ondemand"}},
	{X "min_spare = 1\n", 3, {"min_spare", "needs sizing = dynamic"}},
	{X "sizing = ondemand\nmax_spare = 1\n", 4, {"max_spare", "needs sizing = dynamic"}},
	{X "idle_timeout = 1s\n", 3, {"idle_timeout", "dynamic or ondemand"}},
	{X "workers = 2\nsizing = dynamic\nmin_spare = 3\n", 5, {"min_spare = 3", "workers, 2"}},
	{X "sizing = dynamic\nmax_spare = 0\n", 4, {"max_spare = 0", "min_spare, 1"}},
	{X "spawn_rate = 0\n", 3, {"spawn_rate = 0", "at least 1"}},
	{X "max_rss = 1G\n", 3, {"max_rss", "handler = module"}},
	/* environments */
	{X "env = A\n", 3, {"env = A", "NAME=value"}},
	{X "env = =x\n", 3, {"NAME=value"}},
	{X "env = 1A=x\n", 3, {"1A=x"}},
	{X "env = A B=x\n", 3, {"A B=x"}},
	/* pools */
	{"[daemon]\n[pool x]\nworkers = 1\n", 2, {"[pool x]", "no handler"}},
	{"[pool x]\n", 1, {"no handler", "exec", "module"}},
	{"[pool x]\nhandler = program\n", 2, {"program", "exec, module"}},
	{"[pool x]\nworkers = 1\nhandler = module\n", 3, {"needs the key \"module\""}},
	{X "module = digest\n", 3, {"digest", "handler = module"}},
	{"[pool x]\nhandler = module\nmodule = a/b\n", 3, {"a/b", "absolute"}},
	{"[pool x]\nhandler = module\nmodule = /nowhere/a.so\n", 3, {"/nowhere/a.so", "No such"}},
	{"[pool x]\nhandler = module\nmodule = /tmp\n", 3, {"/tmp", "regular"}},
	{"[daemon]\nmodule_dir = /nowhere\n[pool x]\nhandler = module\nmodule = m\n", 5,
		{"/nowhere/m.so", "No such"}},
};

static_assert(ARRAY_SIZE(broken) >= 50, "promised");

START_TEST(a_broken_one_is_refused_by_file_line_key_and_value)
{
	const struct broken *b = &broken[_i];

	folder_write(&folder, "p.conf", b->text);
	ck_assert_msg(load(NULL) == 1, "accepted:\n%s", b->text);
	ck_assert_str_eq(error.file, folder_at(&folder, "p.conf"));
	ck_assert_msg(error.line == b->line, "line %d: %s\n%s", error.line, error.message, b->text);
	for (unsigned i = 0; i < ARRAY_SIZE(b->words) && b->words[i]; i++)
		ck_assert_msg(strstr(error.message, b->words[i]), "no \"%s\" in: %s", b->words[i],
			error.message);
	ck_assert_ptr_null(strchr(error.message, '\n'));
	/* The same in a drop-in, behind a sound main file. */
	folder_write(&folder, "p.conf", "");
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf.d"), 0700), 0);
	folder_write(&folder, "p.conf.d/1.conf", b->text);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_str_eq(error.file, folder_at(&folder, "p.conf.d/1.conf"));
	ck_assert_int_eq(error.line, b->line);
}
END_TEST

START_TEST(too_many_pools_are_refused)
{
	char text[16384] = "";

	for (int i = 0; i < 257; i++)
		sprintf(text + strlen(text), "[pool p%d]\nhandler = exec\n", i);
	folder_write(&folder, "p.conf", text);
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_int_eq(error.line, 513);
	ck_assert_ptr_nonnull(strstr(error.message, "at most 256"));
}
END_TEST

START_TEST(what_a_file_says_cannot_break_the_message)
{
	folder_write(&folder, "p.conf", X "cwd = /\x1b[2J\xff" A64 A64 "\n");
	ck_assert_int_eq(load(NULL), 1);
	ck_assert_ptr_null(strchr(error.message, '\x1b'));
	ck_assert_ptr_nonnull(strstr(error.message, "\\x1b[2J\\xff"));
}
END_TEST

START_TEST(running_out_of_memory_leaves_nothing_behind)
{
	const struct config_override o = {.file = folder_at(&folder, "p.conf")};
	unsigned n = 0;
	bool hit;
	int r;

	folder_write(&folder, "p.conf",
		"[daemon]\nadmin_group = 0\n[pool a]\nhandler = exec\nenv = A=1\nallow = 1 @1\n"
		"[pool b]\nhandler = exec\n");
	ck_assert_int_eq(mkdir(folder_at(&folder, "p.conf.d"), 0700), 0);
	folder_write(
		&folder, "p.conf.d/a.conf", "[pool a]\nenv = A=2\nenv = B=3\nallow = 2\ncwd = /");
	do {
		struct config *c = NULL;

		fault_alloc_at(++n);
		r = config_load(&o, &c, &error);
		hit = fault_end();
		ck_assert_int_eq(r, hit ? -ENOMEM : 0);
		ck_assert_int_eq(r == 0, c != NULL);
		config_free(c);
	} while (hit);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_gt(n, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_broken");
	TCase *refused = tcase_create("refused");

	tcase_add_checked_fixture(refused, setup, teardown);
	tcase_add_loop_test(
		refused, a_broken_one_is_refused_by_file_line_key_and_value, 0, ARRAY_SIZE(broken));
	tcase_add_test(refused, too_many_pools_are_refused);
	tcase_add_test(refused, what_a_file_says_cannot_break_the_message);
	tcase_add_test(refused, running_out_of_memory_leaves_nothing_behind);
	tcase_set_timeout(refused, 60);
	suite_add_tcase(suite, refused);

	return check_run(suite);
}
