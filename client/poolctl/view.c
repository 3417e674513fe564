#include "client/poolctl/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "proto/quantity.h"
#include "client/poolctl/table.h"

#define PATH_BYTES  256
#define STATE_BYTES 64

const json_t *view_find(const json_t *map, const char *path)
{
	char key[PATH_BYTES];
	size_t len;

	for (;;) {
		len = strcspn(path, ".");
		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		map = json_object_get(map, key);
		if (!map || path[len] == '\0')
			return map;
		path += len + 1;
	}
}

static char *join_texts(const json_t *array)
{
	char *text = NULL;
	size_t len, i;
	FILE *to = open_memstream(&text, &len);
	const json_t *element;

	if (!to)
		return NULL;
	json_array_foreach (array, i, element)
		fprintf(to, "%s%s", i ? "," : "", json_string_value(element));
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static bool is_texts(const json_t *array)
{
	const json_t *element;
	size_t i;

	json_array_foreach (array, i, element) {
		if (!json_is_string(element))
			return false;
	}
	return json_is_array(array);
}

static void add_scalar(struct table *t, const json_t *value)
{
	cleanup_free char *text = NULL;

	if (json_is_string(value)) {
		table_cell(t, "%s", json_string_value(value));
		return;
	}
	if (is_texts(value))
		text = join_texts(value);
	else
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	table_cell(t, "%s", text ? text : "?");
}

static void add_cell(struct table *t, const json_t *value, enum view_kind kind)
{
	char text[QUANTITY_TEXT];
	double number = json_number_value(value);

	if (!value || json_is_null(value))
		table_cell(t, "-");
	else if (kind == VIEW_SPAN)
		table_cell(t, "%s", quantity_time_text(number, text));
	else if (kind == VIEW_AGE)
		table_cell(t, "%s", quantity_time_text(loop_unix_now() - number / 1e9, text));
	else if (kind == VIEW_SHARE)
		table_cell(t, "%.0f%%", number * 100);
	else if (kind == VIEW_SIZE)
		table_cell(t, "%s", quantity_size_text(number > 0 ? (uint64_t)number : 0, text));
	else
		add_scalar(t, value);
}

const char *view_state(const json_t *info, char *text, size_t size)
{
	const char *state = json_string_value(json_object_get(info, "state"));
	const char *code = json_string_value(view_find(info, "error.code"));

	if (!state)
		state = "?";
	if (code && strcmp(code, state) != 0)
		snprintf(text, size, "%s (%s)", state, code);
	else
		snprintf(text, size, "%s", state);
	return text;
}

int view_table(const json_t *maps, const struct view_field *fields, size_t n, bool legend)
{
	return view_table_within(maps, fields, n, legend, SIZE_MAX);
}

int view_table_within(
	const json_t *maps, const struct view_field *fields, size_t n, bool legend, size_t width)
{
	cleanup_free struct table_column *columns = calloc(n, sizeof(*columns));
	cleanup(table_freep) struct table *t = NULL;
	const json_t *map;
	char state[STATE_BYTES];
	size_t i, row;
	int r;

	if (!columns)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		columns[i] = (struct table_column){fields[i].title, fields[i].kind != VIEW_TEXT};
	t = table_new(columns, n);
	if (!t)
		return -ENOMEM;
	json_array_foreach (maps, row, map) {
		for (i = 0; i < n; i++) {
			if (strcmp(fields[i].path, "state") == 0)
				table_cell(t, "%s", view_state(map, state, sizeof(state)));
			else
				add_cell(t, view_find(map, fields[i].path), fields[i].kind);
		}
	}
	table_set_width(t, width);
	r = table_print(t, legend, output_is_bold());
	output_notice();
	return r;
}

static bool is_scalars(const json_t *array)
{
	const json_t *element;
	size_t i;

	json_array_foreach (array, i, element) {
		if (json_is_object(element) || json_is_array(element))
			return false;
	}
	return true;
}

static int add_pairs(struct table *t, const char *prefix, const json_t *value);

static int add_pair(struct table *t, const char *prefix, const char *key, const json_t *value)
{
	char path[PATH_BYTES];
	int n;

	n = snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return add_pairs(t, path, value);
}

/* Times again, as integers. */
static bool is_for_programs(const char *key)
{
	size_t len = strlen(key);

	return len > 3 && strcmp(key + len - 3, "_ns") == 0;
}

/* Seconds, as those of info and of a command's rusage are. */
static enum view_kind kind_of(const char *path)
{
	const char *key = strrchr(path, '.');

	if (strncmp(path, "work.", 5) == 0)
		path += 5;
	if (strcmp(path, "work_share") == 0 || strcmp(path, "gauges.work_share") == 0)
		return VIEW_SHARE;
	return strncmp(path, "timing.", 7) == 0 || strncmp(path, "mean.", 5) == 0 ||
			       (key && (strcmp(key, ".utime") == 0 || strcmp(key, ".stime") == 0))
		       ? VIEW_SPAN
		       : VIEW_TEXT;
}

static int add_pairs(struct table *t, const char *prefix, const json_t *value)
{
	const char *key;
	json_t *element;
	char number[24];
	size_t i;
	int r = 0;

	if (json_is_object(value)) {
		json_object_foreach ((json_t *)value, key, element) {
			if (r == 0 && !is_for_programs(key))
				r = add_pair(t, prefix, key, element);
		}
	} else if (json_is_array(value) && !is_scalars(value)) {
		json_array_foreach (value, i, element) {
			snprintf(number, sizeof(number), "%zu", i);
			if (r == 0)
				r = add_pair(t, prefix, number, element);
		}
	} else {
		table_cell(t, "%s", prefix);
		add_cell(t, value, kind_of(prefix));
	}
	return r;
}

static int print_pairs(const json_t *map)
{
	static const struct table_column columns[] = {{"NAME", false}, {"VALUE", false}};
	cleanup(table_freep) struct table *t = table_new(columns, ARRAY_SIZE(columns));
	int r;

	if (!t)
		return -ENOMEM;
	r = add_pairs(t, "", map);
	if (r == 0)
		r = table_print(t, false, false);
	output_notice();
	return r;
}

static int name_error_parts(json_t *info)
{
	json_t *parts = json_object_get(info, "error"), *error;

	if (!json_is_array(parts) || json_array_size(parts) < 2)
		return 0;
	if (json_stamp_time(json_array_get(parts, 2), "time", "time_ns") < 0)
		return -ENOMEM;
	error = json_pack("{s:O, s:O, s:O*}", "code", json_array_get(parts, 0), "message",
		json_array_get(parts, 1), "details", json_array_get(parts, 2));
	return json_object_set_new(info, "error", error) < 0 ? -ENOMEM : 0;
}

static int tidy(json_t *map)
{
	static const char *const times[][2] = {
		{"submitted", "submitted_ns"},
		{"started", "started_ns"},
		{"finished", "finished_ns"},
		{"since", "since_ns"},
	};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(times); i++)
		r = json_stamp_time(map, times[i][0], times[i][1]);
	if (r == 0)
		r = json_stamp_time(json_object_get(map, "waits_for"), "until", "until_ns");
	if (r == 0)
		r = view_tidy_all(json_object_get(map, "attempts"));
	return r == 0 ? name_error_parts(map) : r;
}

int view_tidy_all(const json_t *maps)
{
	json_t *map;
	size_t i;
	int r = 0;

	json_array_foreach (maps, i, map) {
		if (r == 0)
			r = tidy(map);
	}
	return r;
}

int view_map(json_t *map, bool json)
{
	int r = tidy(map);

	if (r == 0 && json)
		output_document(json_incref(map));
	else if (r == 0)
		r = print_pairs(map);
	return r;
}
