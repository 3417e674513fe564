/* A temporary folder for a test that works on files; whatever fails in here fails the test. */
#pragma once

#include <stdbool.h>

#include "proto/base.h"

struct folder {
	char path[64];
};

void folder_make(struct folder *f);
/* With all that is in it. */
void folder_remove(const struct folder *f);
/* The path of something in it; good for the next seven calls. */
const char *folder_at(const struct folder *f, const char *name);
void folder_write(const struct folder *f, const char *name, const char *text);
/* A file's text; "" if there is none. Good until the next call. */
const char *folder_read(const struct folder *f, const char *name);
/* Is there anything of this name, be it a link to nowhere? */
bool folder_has(const struct folder *f, const char *name);
