#include "client/poolctl/map_command.h"

#include <stdio.h>
#include <string.h>

#define PLACE "{}"

/* In single quotes, each quote inside as '\''. */
static char *quote_word(const char *word)
{
	char *text = malloc(4 * strlen(word) + 3), *to = text;

	if (!text)
		return NULL;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *word;
	}
	*to++ = '\'';
	*to = '\0';
	return text;
}

static size_t count_places(const char *word)
{
	size_t n = 0;

	while ((word = strstr(word, PLACE))) {
		word += strlen(PLACE);
		n++;
	}
	return n;
}

static char *fill_places(const char *word, const char *argument)
{
	char *text = malloc(strlen(word) + count_places(word) * strlen(argument) + 1), *to = text;
	const char *place;

	if (!text)
		return NULL;
	while ((place = strstr(word, PLACE))) {
		to = mempcpy(to, word, (size_t)(place - word));
		to = stpcpy(to, argument);
		word = place + strlen(PLACE);
	}
	strcpy(to, word);
	return text;
}

char **map_command_make(char *const *words, const char *argument, bool quote)
{
	cleanup_free char *quoted = quote ? quote_word(argument) : NULL;
	const char *text = quote ? quoted : argument;
	size_t i, n = 0, n_places = 0;
	char **made;

	for (; words[n]; n++)
		n_places += count_places(words[n]);
	made = text ? calloc(n + 2, sizeof(*made)) : NULL;
	if (!made)
		return NULL;
	for (i = 0; i < n + (n_places == 0); i++) {
		made[i] = i < n ? fill_places(words[i], text) : strdup(text);
		if (!made[i]) {
			map_command_free(made);
			return NULL;
		}
	}
	return made;
}

void map_command_free(char **words)
{
	char **w;

	for (w = words; w && *w; w++)
		free(*w);
	free(words);
}

char *map_command_text(char *const *words)
{
	char *text = NULL;
	size_t len, i;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	for (i = 0; words[i]; i++)
		fprintf(to, "%s%s", i ? " " : "", words[i]);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
