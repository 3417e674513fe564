#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"

struct args {
	bool tables;
};

static const struct opt options[] = {
	{0, "tables", NULL, "every verb and option, a line each, for programs", OPT_FLAG,
		offsetof(struct args, tables)},
	{0},
};

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	const struct args *a = values;
	const struct verb *v = argc > 0 ? verb_find(argv[0]) : NULL;
	int code;

	code = ctl_most_operands(ctl, 1, argc, argv);
	if (code)
		return code;
	if (argc > 0 && !v)
		return ctl_usage(ctl, "unknown verb %.80s", argv[0]);
	if (a->tables)
		verb_tables();
	else
		verb_help(v);
	output_notice();
	return EXITCODE_OK;
}

const struct verb verb_help_page = {
	.name = "help",
	.operands = "[VERB]",
	.doc = "Explain poolctl or a verb",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
