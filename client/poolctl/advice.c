#include "client/poolctl/advice.h"

#include <stdio.h>
#include <string.h>

#include "client/poolctl/output.h"
#include "proto/text.h"

#define WIDTH	   100
#define TEXT_BYTES 1024

/* Words, broken into lines; those behind the first are indented. */
static void print_paragraph(const char *text)
{
	size_t room = WIDTH, n;

	while (strlen(text) > room) {
		for (n = room; n > 0 && text[n] != ' '; n--)
			continue;
		if (n == 0)
			break;
		output_line("%s%.*s", room < WIDTH ? "  " : "", (int)n, text);
		text += n + 1;
		room = WIDTH - 2;
	}
	output_line("%s%s", room < WIDTH ? "  " : "", text);
}

static void print_one(const char *function, const char *text)
{
	char line[TEXT_BYTES], escaped[2 * TEXT_BYTES];

	snprintf(line, sizeof(line), "%s: %s", function, text);
	text_escape(escaped, sizeof(escaped), line, strlen(line));
	print_paragraph(escaped);
}

void advice_print(const json_t *advice)
{
	const json_t *one;
	const char *function, *text;
	size_t i;

	json_array_foreach (advice, i, one) {
		function = json_string_value(json_object_get(one, "function"));
		text = json_string_value(json_object_get(one, "text"));
		if (i == 0)
			output_line("%s", "");
		if (function && text)
			print_one(function, text);
	}
}
