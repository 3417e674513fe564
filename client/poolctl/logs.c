#include <errno.h>

#include "client/poolctl/ids.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/stream.h"
#include "client/poolctl/verb.h"

struct args {
	bool follow, only_stdout, only_stderr;
	struct opt_size offset;
};

static const struct opt options[] = {
	{'f', "follow", NULL, "go on until the command ends", OPT_FLAG,
		offsetof(struct args, follow)},
	{0, "stdout", NULL, "its standard output alone", OPT_FLAG,
		offsetof(struct args, only_stdout)},
	{0, "stderr", NULL, "its standard error alone, to standard output", OPT_FLAG,
		offsetof(struct args, only_stderr)},
	{0, "offset", "SIZE", "start this far into it", OPT_SIZE, offsetof(struct args, offset)},
	{0},
};

static int run_streams(struct ctl *ctl, struct stream *streams, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; r >= 0 && i < n; i++)
		r = stream_start(&streams[i]);
	while (r >= 0 && !(streams[0].over && streams[n - 1].over))
		r = loop_turn(ctl, -1, POOLD_FOREVER);
	for (i = 0; r >= 0 && i < n; i++)
		r = streams[i].error;
	if (r < 0)
		return ctl_call_failed(ctl, r);
	for (i = 0; i < n; i++) {
		if (streams[i].refusal)
			return ctl_refused(ctl, streams[i].refusal);
	}
	return EXITCODE_OK;
}

static size_t make_streams(
	struct ctl *ctl, const struct args *a, uint64_t id, struct stream *streams)
{
	struct stream s = {.ctl = ctl, .id = id, .follow = a->follow, .offset = a->offset.bytes};
	size_t n = 0;

	if (!a->only_stderr || a->only_stdout) {
		streams[n] = s;
		streams[n++].name = "stdout";
	}
	if (!a->only_stdout || a->only_stderr) {
		streams[n] = s;
		streams[n].to_stderr = !a->only_stderr;
		streams[n++].name = "stderr";
	}
	streams[0].tells_attempts = a->follow;
	return n;
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	struct stream streams[2];
	struct ids ids;
	size_t i, n;
	int code;

	code = ids_parse(ctl, argc, argv, 1, 1, &ids);
	if (code)
		return code;
	n = make_streams(ctl, values, ids.ids[0], streams);
	ids_deinit(&ids);
	code = ctl_connect(ctl);
	if (code)
		return code;
	code = run_streams(ctl, streams, n);
	ctl_close(ctl); /* no callback of a stream comes any more */
	for (i = 0; i < n; i++)
		stream_deinit(&streams[i]);
	return code;
}

const struct verb verb_logs = {
	.name = "logs",
	.operands = "ID",
	.doc = "Print what a command has written so far",
	.more = "Standard output and standard error each go to where they belong.",
	.opts = options,
	.values_size = sizeof(struct args),
	.run = run,
};
