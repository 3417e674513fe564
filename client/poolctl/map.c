/* map: a window of jobs, handed in as arguments come and older jobs end. Items stay in a list in
 * the order of their arguments until they are printed; what ended early waits there for its turn,
 * so the list, and with it memory and fds, has a bound too. The library gives each result once,
 * then the daemon forgets it. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "client/poolctl/loop.h"
#include "client/poolctl/map_item.h"
#include "client/poolctl/map_source.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

#define WINDOW_DEFAULT 64
/* Items that may wait for their turn, as a multiple of the window. */
#define WAITING_FACTOR 4
/* fds that an item holds at most: its input until it is sent, and two streams of output. */
#define ITEM_FDS  3
#define OTHER_FDS 16

struct args {
	struct jobargs job;
	struct commandargs command;
	const char *function, *joblog, *halt;
	struct opt_number window;
	bool files, unordered, tag, null, bar, summary;
};

static const struct opt options[] = {
	{'f', "function", "POOL/FUNCTION", "call this function instead of a command", OPT_TEXT,
		offsetof(struct args, function)},
	{0, "files", NULL, "arguments name files whose content is the input", OPT_FLAG,
		offsetof(struct args, files)},
	{'j', "window", "N", "jobs handed in at a time; default 64", OPT_COUNT,
		offsetof(struct args, window)},
	{0, "unordered", NULL, "print results as they come", OPT_FLAG,
		offsetof(struct args, unordered)},
	{0, "tag", NULL, "the argument and a tab in front of each line", OPT_FLAG,
		offsetof(struct args, tag)},
	{'0', "null", NULL, "arguments on standard input end with NUL", OPT_FLAG,
		offsetof(struct args, null)},
	{0, "bar", NULL, "show the progress on a terminal", OPT_FLAG, offsetof(struct args, bar)},
	{0, "joblog", "FILE", "write a line per job", OPT_TEXT, offsetof(struct args, joblog)},
	{0, "halt", "WHEN", "never (default), or soon or now with ,fail=N", OPT_TEXT,
		offsetof(struct args, halt)},
	{0, "summary", NULL, "at the end say times and counts", OPT_FLAG,
		offsetof(struct args, summary)},
	COMMANDARGS_OPTIONS(struct args, command),
	JOBARGS_OPTIONS(struct args, job),
	{0},
};

struct halt {
	bool now;
	size_t failures; /* 0: never */
};

struct map {
	struct ctl *ctl;
	const struct args *args;
	struct map_spec spec;
	struct halt halt;
	struct map_source source;
	struct map_report report;
	struct map_items items;
	size_t n_items; /* in the list */
	size_t n_out;	/* of these, handed in and not settled */
	size_t window, window_max;
	size_t n_since_growth; /* jobs that ended since the window grew */
	size_t n_bad;	       /* items that ended badly, printed or not */
	uint64_t seq;
	struct map_later later; /* of these, there was no room for them yet */
	bool look_again;	/* an item is settled without any word from the daemon */
	bool want_input;	/* the source is to be read */
	bool no_more;		/* the source is empty, or nothing more is wanted */
	bool is_hopeless;	/* the daemon takes no job of this kind */
	bool is_cancelled;
	bool is_interrupted;
};

/* "soon", "now,fail=3", … */
static bool read_halt(const char *text, struct halt *ret)
{
	struct halt halt = {.failures = 1};
	const char *comma;
	char *end;
	size_t n;

	if (!text || strcmp(text, "never") == 0) {
		*ret = (struct halt){0};
		return true;
	}
	comma = strchrnul(text, ',');
	n = (size_t)(comma - text);
	halt.now = n == 3 && memcmp(text, "now", n) == 0;
	if (!halt.now && !(n == 4 && memcmp(text, "soon", n) == 0))
		return false;
	if (*comma) {
		if (strncmp(comma, ",fail=", 6) != 0 || comma[6] < '1' || comma[6] > '9')
			return false;
		errno = 0;
		halt.failures = strtoul(comma + 6, &end, 10);
		if (errno || *end)
			return false;
	}
	*ret = halt;
	return true;
}

/* The daemon has no room now: it may have later. */
static bool is_crowded(const struct map_item *item)
{
	enum outcome_code refusal = map_item_refusal(item);

	return refusal == OUTCOME_E_QUOTA || refusal == OUTCOME_E_FULL;
}

/* No other argument would fare better. */
static bool is_hopeless(const struct map_item *item)
{
	switch (map_item_refusal(item)) {
	case OUTCOME_E_UNKNOWN_POOL:
	case OUTCOME_E_UNKNOWN_FUNCTION:
	case OUTCOME_E_NOT_ALLOWED:
	case OUTCOME_E_DRAINING: return true;
	default: return false;
	}
}

/* A refusal for want of room means fewer at a time; later, as jobs end, more are tried again. */
static void adapt_window(struct map *m, bool refused)
{
	if (refused) {
		m->window = m->n_out < m->window ? m->n_out : m->window;
		m->window += m->window == 0;
		m->n_since_growth = 0;
	} else if (m->window < m->window_max && ++m->n_since_growth >= m->window) {
		m->n_since_growth = 0;
		m->window++;
	}
}

static int on_settled(poold_future *f, void *userdata)
{
	struct map_item *item = userdata;
	struct map *m = item->map;
	bool crowded = is_crowded(item);

	m->n_out--;
	adapt_window(m, crowded);
	if (crowded && !item->was_alone && !m->is_cancelled) {
		item->f = poold_future_unref(item->f);
		STAILQ_INSERT_TAIL(&m->later, item, later);
		return 0;
	}
	item->is_settled = true;
	m->n_bad += poold_future_get_state(f) != POOLD_DONE;
	return 0;
}

static bool is_lost(int r)
{
	return r == -ENOTCONN || r == -EPROTO || r == -ENOMEM;
}

/* Hands an item in, new or again. What concerns the item alone becomes its end. */
static int start_item(struct map *m, struct map_item *item)
{
	int r;

	item->was_alone = m->n_out == 0;
	r = map_item_hand_in(m->ctl, &m->spec, item, on_settled);
	if (r >= 0) {
		m->n_out++;
		return 0;
	}
	if (r == -EMFILE && m->n_out > 0) {
		adapt_window(m, true);
		STAILQ_INSERT_HEAD(&m->later, item, later);
		return 0;
	}
	if (is_lost(r))
		return r;
	item->error = r;
	item->is_settled = true;
	m->n_bad++;
	m->look_again = true;
	return 0;
}

static int add_item(struct map *m, char *argument)
{
	struct map_item *item = map_item_new(m, m->seq + 1, argument);

	if (!item)
		return -ENOMEM;
	m->seq++;
	TAILQ_INSERT_TAIL(&m->items, item, link);
	m->n_items++;
	return start_item(m, item);
}

static bool has_room(const struct map *m)
{
	return m->n_out < m->window && m->n_items < m->window * WAITING_FACTOR;
}

static int fill_window(struct map *m)
{
	struct map_item *item;
	char *argument;
	int r = 0;

	m->want_input = false;
	while (r == 0 && m->n_out < m->window && (item = STAILQ_FIRST(&m->later))) {
		STAILQ_REMOVE_HEAD(&m->later, later);
		r = start_item(m, item);
	}
	while (r == 0 && STAILQ_EMPTY(&m->later) && !m->no_more && has_room(m)) {
		r = map_source_next(&m->source, &argument);
		if (r == MAP_SOURCE_ONE)
			r = add_item(m, argument);
		else if (r == MAP_SOURCE_END)
			m->no_more = true;
		else if (r == MAP_SOURCE_WAIT)
			m->want_input = true;
	}
	return r < 0 ? r : 0;
}

static void cancel_all(struct map *m, const char *reason)
{
	struct map_item *item;

	m->no_more = true;
	while ((item = STAILQ_FIRST(&m->later))) {
		STAILQ_REMOVE_HEAD(&m->later, later);
		item->error = -ECANCELED;
		item->is_settled = true;
		m->look_again = true;
	}
	if (m->is_cancelled)
		return;
	m->is_cancelled = true;
	TAILQ_FOREACH (item, &m->items, link) {
		if (item->f && poold_future_cancel(item->f, POOLD_CANCEL_TERM, reason) < 0)
			break; /* the connection is lost, as the next round will tell */
	}
}

/* Of a hopeless map one refusal is told; the others say the same. */
static int end_item(struct map *m, struct map_item *item)
{
	bool again = m->is_hopeless;
	int r = 0;

	m->is_hopeless |= is_hopeless(item);
	if (again && (is_hopeless(item) || item->error == -ECANCELED))
		m->report.n_failed++;
	else
		r = map_item_print(m->ctl, &m->spec, item, &m->report);
	TAILQ_REMOVE(&m->items, item, link);
	m->n_items--;
	map_item_free(item);
	return r;
}

static void react_to_failures(struct map *m)
{
	if (m->is_hopeless || output_has_failed())
		cancel_all(m, "map was given up");
	if (m->halt.failures == 0 || m->n_bad < m->halt.failures)
		return;
	m->no_more = true;
	if (m->halt.now)
		cancel_all(m, "another job of this map failed");
}

/* Prints what has ended and whose turn it is. */
static int print_settled(struct map *m)
{
	struct map_item *item = TAILQ_FIRST(&m->items), *next;
	int r = 0;

	for (; item && r == 0; item = next) {
		next = TAILQ_NEXT(item, link);
		if (!item->is_settled) {
			if (!m->args->unordered)
				break;
			continue;
		}
		r = end_item(m, item);
	}
	output_flush();
	return r;
}

static int react(struct map *m, int came)
{
	int r = 0;

	if (came & LOOP_SIGNAL) {
		if (m->is_interrupted)
			return -EINTR;
		m->is_interrupted = true;
		cancel_all(m, "map was interrupted");
	}
	if ((came & LOOP_INPUT) && m->want_input)
		r = map_source_read(&m->source);
	return r;
}

static int work(struct map *m)
{
	int r;

	for (;;) {
		m->look_again = false;
		r = print_settled(m);
		react_to_failures(m);
		if (r >= 0)
			r = fill_window(m);
		if (r < 0 || (m->no_more && m->n_items == 0))
			return r;
		map_report_draw(&m->report);
		if (m->look_again)
			continue;
		r = loop_turn(m->ctl, m->want_input ? STDIN_FILENO : -1, POOLD_FOREVER);
		if (r >= 0)
			r = react(m, r);
		if (r < 0)
			return r;
	}
}

static int finish(struct map *m, int r)
{
	int log;

	log = map_report_close(&m->report);
	if (m->args->summary)
		map_report_summary(&m->report);
	if (r == -EINTR || (r == 0 && m->is_interrupted))
		return ctl_fail(exitcode_of_interrupt(), "interrupted", NULL, "interrupted");
	if (r < 0)
		return ctl_call_failed(m->ctl, r);
	if (log < 0)
		return ctl_own_failure(m->ctl, log, m->args->joblog);
	return m->report.n_failed ? EXITCODE_FALSE : EXITCODE_OK;
}

/* As many as asked for, and no more than there are fds for. */
static size_t window_of(const struct args *a)
{
	size_t window = a->window.set ? (size_t)a->window.value : WINDOW_DEFAULT, most;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return window;
	most = limit.rlim_cur > OTHER_FDS + ITEM_FDS * WAITING_FACTOR
		       ? (limit.rlim_cur - OTHER_FDS) / (ITEM_FDS * WAITING_FACTOR)
		       : 1;
	return window < most ? window : most;
}

/* Splits the operands at ":::"; the words before it end with NULL. */
static void take_operands(struct map *m, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc && strcmp(argv[i], ":::") != 0; i++)
		;
	m->spec.words = argv;
	if (i == argc) {
		map_source_init_stdin(&m->source, m->args->null ? '\0' : '\n');
		return;
	}
	argv[i] = NULL;
	map_source_init_words(&m->source, argv + i + 1, (size_t)(argc - i - 1));
}

static int check_usage(struct map *m)
{
	if (!read_halt(m->args->halt, &m->halt))
		return ctl_usage(m->ctl,
			"--halt: \"%s\" is none of never, soon, now, soon,fail=N, now,fail=N",
			m->args->halt);
	if (m->args->function && m->spec.words[0])
		return ctl_usage(m->ctl, "a function and a command exclude each other");
	if (!m->args->function && !m->spec.words[0])
		return ctl_usage(m->ctl, "a command, or --function, is missing");
	if (m->args->function && commandargs_given(&m->args->command))
		return ctl_usage(
			m->ctl, "%s is for commands", commandargs_given(&m->args->command));
	if (m->args->files && !m->args->function)
		return ctl_usage(m->ctl, "--files is for functions");
	if (m->args->function && strlen(m->args->function) > PROTO_ADDRESS_BYTES)
		return ctl_usage(m->ctl, "--function: longer than %u bytes", PROTO_ADDRESS_BYTES);
	return 0;
}

static int prepare(struct map *m, struct args *a)
{
	int code, r;

	code = check_usage(m);
	if (code == 0)
		code = jobargs_options(m->ctl, &a->job, &m->spec.options);
	if (code)
		return code;
	m->spec.options.attached = 1;
	m->spec.options.auto_release = 1;
	code = commandargs_check(m->ctl, &a->command, m->spec.function);
	if (code == 0)
		code = loop_catch_signals(m->ctl);
	if (code)
		return code;
	if (a->function)
		strcpy(m->spec.function, a->function);
	r = map_report_open(
		&m->report, a->joblog, a->bar && !m->ctl->quiet, map_source_total(&m->source));
	return r < 0 ? ctl_own_failure(m->ctl, r, a->joblog) : 0;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct args *a = values;
	struct map m = {
		.ctl = ctl,
		.args = a,
		.spec =
			{
				.command = &a->command,
				.is_function = a->function != NULL,
				.files = a->files,
				.tag = a->tag,
			},
		.items = TAILQ_HEAD_INITIALIZER(m.items),
		.later = STAILQ_HEAD_INITIALIZER(m.later),
		.window = window_of(a),
	};
	struct map_item *item;
	int code;

	m.window_max = m.window;
	take_operands(&m, argc, argv);
	code = prepare(&m, a);
	if (code == 0)
		code = finish(&m, work(&m));
	ctl_close(ctl); /* no callback comes any more */
	while ((item = TAILQ_FIRST(&m.items))) {
		TAILQ_REMOVE(&m.items, item, link);
		map_item_free(item);
	}
	map_source_deinit(&m.source);
	return code;
}

const struct verb verb_map = {
	.name = "map",
	.operands = "[COMMAND…] [::: ARGUMENT…]",
	.doc = "Run a job for each argument and print the results",
	.more = "Arguments follow \":::\" or are the lines of standard input. In a command {} "
		"stands for the\n"
		"argument, which else stands at its end. For a function it is the input. Exits "
		"with 0 if all\n"
		"jobs are done, and 1 if any is not.",
	.opts = options,
	.values_size = sizeof(struct args),
	.stops = true,
	.run = run,
};
