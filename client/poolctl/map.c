/* map: the verb. Its work is map_window's. */
#include <errno.h>
#include <string.h>

#include "client/poolctl/loop.h"
#include "client/poolctl/map_chunks.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

#define WINDOW_DEFAULT 64

struct args {
	struct jobargs job;
	struct commandargs command;
	const char *function, *joblog, *halt, *chunk;
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
	{0, "chunk", "N", "arguments in a job, at most, or auto; for functions", OPT_TEXT,
		offsetof(struct args, chunk)},
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

/* "soon", "now,fail=3", … */
static bool read_halt(const char *text, struct map_halt *ret)
{
	struct map_halt halt = {.failures = 1};
	const char *comma;
	char *end;
	size_t n;

	if (!text || strcmp(text, "never") == 0) {
		*ret = (struct map_halt){0};
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

/* 0: libpoold chooses. */
static bool read_chunk(const char *text, uint32_t *ret)
{
	unsigned long long n;
	char *end;

	if (strcmp(text, "auto") == 0) {
		*ret = 0;
		return true;
	}
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n == 0 || n > UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static int finish(struct map_window *w, const struct args *a, int r)
{
	int log;

	log = map_report_close(&w->report);
	if (a->summary)
		map_report_summary(&w->report);
	if (r == -EINTR || (r == 0 && w->is_interrupted))
		return ctl_fail(exitcode_of_interrupt(), "interrupted", NULL, "interrupted");
	if (r < 0)
		return ctl_call_failed(w->ctl, r);
	if (log < 0)
		return ctl_own_failure(w->ctl, log, a->joblog);
	return w->report.n_failed ? EXITCODE_FALSE : EXITCODE_OK;
}

/* Splits the operands at ":::"; the words before it end with NULL. */
static void take_operands(struct map_window *w, const struct args *a, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc && strcmp(argv[i], ":::") != 0; i++)
		;
	w->spec.words = argv;
	if (i == argc) {
		map_source_init_stdin(&w->source, a->null ? '\0' : '\n');
		return;
	}
	argv[i] = NULL;
	map_source_init_words(&w->source, argv + i + 1, (size_t)(argc - i - 1));
}

static int check_usage(struct map_window *w, const struct args *a)
{
	uint32_t chunk;

	if (!read_halt(a->halt, &w->halt))
		return ctl_usage(w->ctl,
			"--halt: \"%s\" is none of never, soon, now, soon,fail=N, now,fail=N",
			a->halt);
	if (a->function && w->spec.words[0])
		return ctl_usage(w->ctl, "a function and a command exclude each other");
	if (!a->function && !w->spec.words[0])
		return ctl_usage(w->ctl, "a command, or --function, is missing");
	if (a->function && commandargs_given(&a->command))
		return ctl_usage(w->ctl, "%s is for commands", commandargs_given(&a->command));
	if (a->files && !a->function)
		return ctl_usage(w->ctl, "--files is for functions");
	if (a->chunk && !a->function)
		return ctl_usage(w->ctl, "--chunk is for functions");
	if (a->chunk && a->joblog)
		return ctl_usage(w->ctl, "--chunk and --joblog exclude each other");
	if (a->chunk && !read_chunk(a->chunk, &chunk))
		return ctl_usage(w->ctl,
			"--chunk: \"%s\" is neither auto nor a whole number above 0", a->chunk);
	if (a->function && strlen(a->function) > PROTO_ADDRESS_BYTES)
		return ctl_usage(w->ctl, "--function: longer than %u bytes", PROTO_ADDRESS_BYTES);
	return 0;
}

static int prepare(struct map_window *w, struct args *a)
{
	int code, r;

	code = check_usage(w, a);
	if (code == 0)
		code = jobargs_options(w->ctl, &a->job, &w->spec.options);
	if (code)
		return code;
	w->spec.options.attached = 1;
	w->spec.options.auto_release = 1;
	code = commandargs_check(w->ctl, &a->command, w->spec.function);
	if (code == 0)
		code = loop_catch_signals(w->ctl);
	if (code)
		return code;
	if (a->function)
		strcpy(w->spec.function, a->function);
	r = map_report_open(
		&w->report, a->joblog, a->bar && !w->ctl->quiet, map_source_total(&w->source));
	return r < 0 ? ctl_own_failure(w->ctl, r, a->joblog) : 0;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct args *a = values;
	struct map_window w;
	uint32_t chunk;
	int code;

	map_window_init(&w, ctl, a->window.set ? (size_t)a->window.value : WINDOW_DEFAULT);
	w.unordered = a->unordered;
	w.spec = (struct map_spec){
		.command = &a->command,
		.is_function = a->function != NULL,
		.files = a->files,
		.tag = a->tag,
	};
	take_operands(&w, a, argc, argv);
	code = prepare(&w, a);
	if (code == 0)
		code = finish(&w, a,
			a->chunk && read_chunk(a->chunk, &chunk) ? map_chunks_run(&w, chunk)
								 : map_window_run(&w));
	ctl_close(ctl);
	map_window_deinit(&w);
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
