/* Three commands, each of which reads what the one before it wrote: all are submitted at once, each
 * runs when its input is there, and only the last line comes back here.
 *
 *	./pipeline 'seq 1000' 'sort -r' 'head -n 1'
 *
 * takes any number of stages. If one fails, those behind it are aborted, and the last names where
 * that began. */
#include <errno.h>
#include <stdio.h>

#include <poold-command.h>
#include <poold-request.h>
#include <poold.h>

static int submit(poold *p, const char *text, poold_input input, poold_future **ret)
{
	poold_command *command;
	int r;

	r = poold_command_new(&command);
	if (r < 0)
		return r;
	r = poold_command_set_shell(command, text);
	if (r == 0)
		r = poold_command_set_stdin(command, input);
	if (r == 0)
		r = poold_submit(p, "exec", poold_input_command(command), NULL, ret);
	poold_command_free(command);
	if (r < 0)
		return r;
	/* its ID, which the daemon gives at once: nobody waits for the command */
	r = poold_future_wait_id(*ret, POOLD_FOREVER);
	if (r <= 0)
		poold_future_unref(*ret);
	return r < 0 ? r : r == 0 ? -ETIMEDOUT : 0;
}

/* The daemon keeps what a later stage reads, whoever lets it go. */
static int release(poold *p, poold_future *future)
{
	uint64_t id = poold_future_get_id(future);

	poold_future_unref(future);
	return poold_release(p, &id, 1, NULL);
}

/* Stops at one that the daemon refuses. */
static int submit_all(poold *p, char **texts, int n, poold_future **ret_last)
{
	poold_input input = poold_input_nil();
	poold_future *stage, *last = NULL;
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++) {
		r = submit(p, texts[i], input, &stage);
		if (r == 0 && last)
			r = release(p, last);
		if (r < 0)
			return r;
		last = stage;
		if (poold_future_get_state(stage) == POOLD_REFUSED)
			break;
		input = poold_input_future(poold_future_get_id(stage));
	}
	*ret_last = last;
	return r;
}

static int print_future(poold_future *future)
{
	const char *code, *message;
	const void *output;
	size_t len;

	if (poold_future_get_error(future, &code, &message) > 0) {
		fprintf(stderr, "%s: %s\n", code, message);
		return 1;
	}
	if (poold_future_get_output(future, 1, &output, &len, NULL) < 0)
		return 1;
	fwrite(output, 1, len, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	poold_future *last = NULL;
	poold *p = NULL;
	int r, failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND...\n", argv[0]);
		return 2;
	}
	r = poold_open(&p, NULL);
	if (r >= 0)
		r = submit_all(p, argv + 1, argc - 1, &last);
	if (r >= 0)
		r = poold_future_wait(last, POOLD_FOREVER);
	if (r >= 0) {
		failed = print_future(last);
		r = release(p, last);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", poold_strerror(r), p ? poold_get_error_text(p) : "");
	poold_unref(p);
	return r < 0 || failed;
}
