#include "client/poolctl/ids.h"

#include <errno.h>

#include "proto/limits.h"

static bool read_id(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long id;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	id = strtoull(text, &end, 10);
	if (errno || *end || id == 0 || id >= PROTO_ID_END)
		return false;
	*ret = id;
	return true;
}

int ids_parse(struct ctl *ctl, int argc, char **argv, int least, int most, struct ids *ret)
{
	struct ids ids = {0};
	int i, code;

	if (argc < least)
		return ctl_usage(ctl, "an ID is missing");
	code = ctl_most_operands(ctl, most, argc, argv);
	if (code)
		return code;
	ids.ids = calloc((size_t)argc + 1, sizeof(*ids.ids));
	if (!ids.ids)
		return ctl_own_failure(ctl, -ENOMEM, NULL);
	for (i = 0; i < argc; i++) {
		if (!read_id(argv[i], &ids.ids[ids.n++])) {
			ids_deinit(&ids);
			return ctl_usage(ctl, "\"%s\" is no ID", argv[i]);
		}
	}
	*ret = ids;
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

size_t ids_distinct(struct ids *ids)
{
	size_t i, n = 0;

	qsort(ids->ids, ids->n, sizeof(*ids->ids), compare_ids);
	for (i = 0; i < ids->n; i++)
		n += i == 0 || ids->ids[i] != ids->ids[i - 1];
	return n;
}

void ids_deinit(struct ids *ids)
{
	free(ids->ids);
	*ids = (struct ids){0};
}

json_t *ids_json(const struct ids *ids)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; array && i < ids->n; i++) {
		if (json_array_append_new(array, json_integer((json_int_t)ids->ids[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

int ids_ask_each(struct ctl *ctl, const char *method, const struct ids *ids, json_t *param)
{
	int code = EXITCODE_OK, first = EXITCODE_OK;
	json_t *answer;

	for (size_t i = 0; i < ids->n && code != EXITCODE_NO_DAEMON; i++) {
		code = ctl_ask(
			ctl, method, json_pack("[I, O]", (json_int_t)ids->ids[i], param), &answer);
		if (code == EXITCODE_OK)
			json_decref(answer);
		first = first ? first : code;
	}
	json_decref(param);
	return first;
}
