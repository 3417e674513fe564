#include "client/poolctl/json.h"
#include "client/poolctl/loop.h"
#include "client/poolctl/output.h"
#include "client/poolctl/verb.h"
#include "proto/quantity.h"

static const struct opt options[] = {{0}};

static void print(struct ctl *ctl, json_t *hello, double seconds)
{
	const char *socket = poold_get_socket(ctl->client);
	const char *origin = poold_get_socket_origin(ctl->client);
	char text[QUANTITY_TEXT];

	if (ctl->json) {
		output_document(json_pack("{s:O, s:O, s:O, s:O, s:O, s:s, s:s, s:f}", "server",
			json_object_get(hello, "server"), "version",
			json_object_get(hello, "version"), "protocol",
			json_object_get(hello, "protocol"), "pid", json_object_get(hello, "pid"),
			"uid", json_object_get(hello, "uid"), "socket", socket, "socket_from",
			origin, "seconds", seconds));
		return;
	}
	output_line("%s %s (pid %lld, uid %lld) at %s (%s) answers in %s",
		json_string_value(json_object_get(hello, "server")),
		json_string_value(json_object_get(hello, "version")),
		(long long)json_integer_value(json_object_get(hello, "pid")),
		(long long)json_integer_value(json_object_get(hello, "uid")), socket, origin,
		quantity_time_text(seconds, text));
}

static int run(struct ctl *ctl, void *values, int argc, char **argv)
{
	json_t *hello, *pong;
	uint64_t start_us;
	double seconds;
	int code;

	code = ctl_most_operands(ctl, 0, argc, argv);
	if (code == 0)
		code = ctl_ask(ctl, "ping", json_array(), &pong); /* warms the connection up */
	if (code)
		return code;
	json_decref(pong);
	start_us = loop_now();
	code = ctl_ask(ctl, "ping", json_array(), &pong);
	if (code)
		return code;
	json_decref(pong);
	seconds = (double)(loop_now() - start_us) / 1e6;
	code = ctl_hello(ctl, &hello);
	if (code)
		return code;
	print(ctl, hello, seconds);
	json_decref(hello);
	return EXITCODE_OK;
}

const struct verb verb_ping = {
	.name = "ping",
	.operands = "",
	.doc = "Ask whether a daemon answers, and which",
	.opts = options,
	.run = run,
};
