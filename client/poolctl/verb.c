#include "client/poolctl/verb.h"

#include <string.h>

const struct verb *const verb_all[] = {
	&verb_submit,
	&verb_run,
	&verb_call,
	&verb_map,
	&verb_put,
	&verb_wait,
	&verb_watch,
	&verb_result,
	&verb_logs,
	&verb_info,
	&verb_list,
	&verb_cancel,
	&verb_set,
	&verb_signal,
	&verb_retry,
	&verb_release,
	&verb_ping,
	&verb_pools,
	&verb_functions,
	&verb_workers,
	&verb_stats,
	&verb_resize,
	&verb_pause,
	&verb_resume,
	&verb_drain,
	&verb_reload,
	&verb_shutdown,
	&verb_help_page,
	NULL,
};

const struct verb *verb_find(const char *name)
{
	const struct verb *const *v;

	for (v = verb_all; *v; v++) {
		if (strcmp((*v)->name, name) == 0 ||
			((*v)->alias && strcmp((*v)->alias, name) == 0))
			return *v;
	}
	return NULL;
}

static void help_overview(void)
{
	const struct verb *const *v;

	printf("Usage: poolctl [OPTION…] VERB [ARGUMENT…]\n"
	       "Hands jobs to poold, a compute pool for this host, and gets their "
	       "results.\n\nVerbs:\n");
	for (v = verb_all; *v; v++)
		printf("  %-12s%s\n", (*v)->name, (*v)->doc);
	printf("\nOptions of every verb:\n");
	opt_help(ctl_options, stdout);
	printf("\n\"poolctl VERB --help\" tells the options of a verb, poolctl(1) all of it.\n");
}

void verb_help(const struct verb *v)
{
	if (!v) {
		help_overview();
		return;
	}
	printf("Usage: poolctl %s%s%s%s\n", v->name, opt_count(v->opts) ? " [OPTION…]" : "",
		*v->operands ? " " : "", v->operands);
	printf("%s.\n", v->doc);
	if (v->more)
		printf("\n%s\n", v->more);
	if (v->alias)
		printf("\n\"%s\" is another name for it.\n", v->alias);
	if (opt_count(v->opts)) {
		printf("\nOptions:\n");
		opt_help(v->opts, stdout);
	}
	printf("\nOptions of every verb:\n");
	opt_help(ctl_options, stdout);
}

void verb_tables(void)
{
	const struct verb *const *v;

	opt_table(ctl_options, "poolctl", stdout);
	for (v = verb_all; *v; v++) {
		printf("%s\tverb\t%s\t%s\t%s\n", (*v)->name, (*v)->alias ? (*v)->alias : "-",
			*(*v)->operands ? (*v)->operands : "-", (*v)->doc);
		opt_table((*v)->opts, (*v)->name, stdout);
	}
}
