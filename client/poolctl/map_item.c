#include "client/poolctl/map_item.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/map_command.h"
#include "client/poolctl/output.h"

struct map_item *map_item_new(void *map, uint64_t seq, char *argument)
{
	struct map_item *item = calloc(1, sizeof(*item));

	if (!item) {
		free(argument);
		return NULL;
	}
	item->map = map;
	item->seq = seq;
	item->argument = argument;
	return item;
}

void map_item_free(struct map_item *item)
{
	if (!item)
		return;
	poold_future_unref(item->f);
	free(item->argument);
	free(item);
}

static int make_file_input(struct map_item *item, struct input *ret)
{
	struct stat st;
	int r;

	r = input_file(ret, item->argument);
	if (r < 0)
		return r;
	if (fstat(ret->fd, &st) == 0 && st.st_size > 0)
		item->sent = (size_t)st.st_size;
	return 0;
}

static int make_command_input(
	const struct map_spec *spec, const struct map_item *item, struct input *ret)
{
	char **words = map_command_make(spec->words, item->argument, spec->command->shell);
	int r;

	if (!words)
		return -ENOMEM;
	r = input_command(ret, spec->command, words, NULL);
	map_command_free(words);
	return r;
}

int map_item_input(const struct map_spec *spec, struct map_item *item, struct input *ret)
{
	if (!spec->is_function)
		return make_command_input(spec, item, ret);
	if (spec->files)
		return make_file_input(item, ret);
	item->sent = strlen(item->argument);
	return input_text(ret, item->argument);
}

int map_item_hand_in(struct ctl *ctl, const struct map_spec *spec, struct map_item *item,
	poold_callback on_settled)
{
	struct input in;
	int r;

	r = map_item_input(spec, item, &in);
	if (r < 0)
		return r;
	item->started = loop_unix_now();
	r = job_submit(ctl, spec->function, &in, &spec->options, &item->f);
	input_deinit(&in);
	return r < 0 ? r : poold_future_set_callback(item->f, on_settled, item);
}

enum outcome_code map_item_refusal(const struct map_item *item)
{
	const char *code;

	if (item->part && item->part->state == POOLD_REFUSED)
		return outcome_code_from(item->part->code, strlen(item->part->code));
	if (!item->f || poold_future_get_state(item->f) != POOLD_REFUSED ||
		poold_future_get_error(item->f, &code, NULL) != 1)
		return OUTCOME_E_NONE;
	return outcome_code_from(code, strlen(code));
}

static struct ending end_of(struct ctl *ctl, const struct map_item *item)
{
	struct ending e;

	if (item->part)
		return ending_of_item(ctl, item->part);
	if (item->f)
		return ending_of(ctl, item->f);
	e = (struct ending){
		.state = POOLD_REFUSED,
		.code = "poolctl",
		.message = strerror(-item->error),
		.exit_code = -1,
		.exit = exitcode_of_own(false),
	};
	return e;
}

static bool find_result(const struct map_item *item, struct value *ret)
{
	if (item->part)
		return value_of_item(ret, item->part);
	return item->f && value_of_result(ret, item->f);
}

/* Each line with the argument in front. */
static void print_tagged(const char *tag, const uint8_t *bytes, size_t len)
{
	const uint8_t *end;
	size_t n;

	for (; len > 0; bytes += n, len -= n) {
		end = memchr(bytes, '\n', len);
		n = end ? (size_t)(end - bytes) + 1 : len;
		output_bytes(tag, strlen(tag));
		output_bytes("\t", 1);
		output_bytes(bytes, n);
	}
}

static void print_bytes(
	const struct map_item *item, const struct map_spec *spec, const void *bytes, size_t len)
{
	bool end_line = (spec->is_function || (spec->tag && len > 0)) &&
			(len == 0 || ((const char *)bytes)[len - 1] != '\n');

	if (spec->tag && len == 0 && spec->is_function)
		output_bytes(item->argument, strlen(item->argument));
	if (spec->tag)
		print_tagged(item->argument, bytes, len);
	else
		output_bytes(bytes, len);
	if (end_line)
		output_bytes("\n", 1);
}

/* Returns how long the result was. */
static size_t print_result(
	const struct map_item *item, const struct map_spec *spec, const struct value *v)
{
	cleanup_free char *text = NULL;
	struct cursor c = v->c;
	const void *bytes = "";
	size_t len = 0;
	json_t *json;

	if (cursor_peek(&c) != CURSOR_NIL && !value_bytes(v, &bytes, &len)) {
		json = json_from_value(v);
		text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
		json_decref(json);
		bytes = text ? text : "";
		len = strlen(bytes);
	}
	print_bytes(item, spec, bytes, len);
	return len;
}

static size_t print_command(
	const struct map_item *item, const struct map_spec *spec, const struct value *v)
{
	const void *bytes;
	struct value output;
	size_t len = 0, err_len;

	if (value_find(v, "stdout", &output) && value_bytes(&output, &bytes, &len))
		print_bytes(item, spec, bytes, len);
	output_flush();
	if (value_find(v, "stderr", &output) && value_bytes(&output, &bytes, &err_len))
		output_stderr(bytes, err_len);
	ending_warn_truncated(v);
	return len;
}

static size_t print_text(
	const struct map_item *item, const struct map_spec *spec, const struct ending *e)
{
	struct value v;
	size_t len = 0;

	if (find_result(item, &v) || (item->f && value_of_details(&v, item->f))) {
		if (value_is_of_command(&v) && !spec->is_function)
			len = print_command(item, spec, &v);
		else if (e->state == POOLD_DONE)
			len = print_result(item, spec, &v);
	}
	if (e->state != POOLD_DONE)
		output_complain("%s: %s%s%s", item->argument, poold_state_name(e->state),
			*e->message ? ": " : "", e->message);
	return len;
}

static size_t print_document(const struct map_item *item, const struct ending *e)
{
	json_t *document;
	size_t len = 0;
	struct value v;
	const void *bytes;

	document = item->part ? ending_item_document(e, item->part)
		   : item->f  ? ending_document(e, item->f, true)
			      : json_pack("{s:s, s:{s:s, s:s}, s:i, s:s}", "state",
					poold_state_name(e->state), "error", "code", e->code,
					"message", e->message, "exit_code", e->exit.code,
					"exit_source", exitcode_source_name(e->exit.source));
	if (document) {
		json_object_set_new(document, "seq", json_integer((json_int_t)item->seq));
		json_object_set_new(document, "argument",
			json_from_bytes(item->argument, strlen(item->argument)));
	}
	if (find_result(item, &v) && !value_bytes(&v, &bytes, &len))
		len = cursor_len(&v.c);
	output_document(document);
	return len;
}

/* For the log. */
static char *text_of_job(const struct map_spec *spec, const struct map_item *item)
{
	char **words, *text;

	if (spec->is_function)
		return asprintf(&text, "%s %s", spec->function, item->argument) < 0 ? NULL : text;
	words = map_command_make(spec->words, item->argument, false);
	text = words ? map_command_text(words) : NULL;
	map_command_free(words);
	return text;
}

int map_item_print(struct ctl *ctl, const struct map_spec *spec, const struct map_item *item,
	struct map_report *report)
{
	cleanup_free char *text = report->log ? text_of_job(spec, item) : NULL;
	struct ending e = end_of(ctl, item);
	struct map_line line = {item->seq, item->started, item->sent, 0, text};

	if (report->log && !text)
		return -ENOMEM;
	map_report_clear(report);
	line.received = ctl->json ? print_document(item, &e) : print_text(item, spec, &e);
	if (e.exit_code >= 0) /* the log tells the command's own code */
		e.exit.code = e.exit_code;
	map_report_end(report, &line, &e, item->part ? item->part->future : item->f);
	return 0;
}
