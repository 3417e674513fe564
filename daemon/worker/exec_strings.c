#include "daemon/worker/exec_strings.h"

#include <errno.h>
#include <string.h>

int exec_strings_reserve(struct exec_strings *s, size_t text_bytes, size_t n_pointers)
{
	if (text_bytes > s->text_size) {
		char *text = realloc(s->text, text_bytes);

		if (!text)
			return -ENOMEM;
		s->text = text;
		s->text_size = text_bytes;
	}
	if (n_pointers > s->pointers_size) {
		char **pointers = realloc(s->pointers, n_pointers * sizeof(*pointers));

		if (!pointers)
			return -ENOMEM;
		s->pointers = pointers;
		s->pointers_size = n_pointers;
	}
	s->text_len = 0;
	s->n_pointers = 0;
	return 0;
}

void exec_strings_deinit(struct exec_strings *s)
{
	free(s->text);
	free(s->pointers);
	*s = (struct exec_strings){};
}

/* argv and envp are arrays of char * for historical reasons: nobody writes to them. */
void exec_strings_add_pointer(struct exec_strings *s, const char *p)
{
	s->pointers[s->n_pointers++] = (char *)p;
}

char *exec_strings_add_text(struct exec_strings *s, const char *text, size_t len)
{
	char *start = s->text + s->text_len;

	memcpy(start, text, len);
	s->text_len += len;
	return start;
}

char *exec_strings_copy(struct exec_strings *s, struct cursor *c)
{
	const char *text;
	char *start;
	size_t len;

	if (!cursor_text(c, &text, &len) || memchr(text, '\0', len))
		return NULL;
	start = exec_strings_add_text(s, text, len);
	exec_strings_add_text(s, "", 1);
	return start;
}
