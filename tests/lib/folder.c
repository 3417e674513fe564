#include "tests/lib/folder.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void folder_make(struct folder *f)
{
	*f = (struct folder){.path = "/tmp/poold-check.XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(f->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

void folder_remove(const struct folder *f)
{
	ck_assert_int_eq(nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *folder_at(const struct folder *f, const char *name)
{
	static char texts[8][512];
	static unsigned next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];

	snprintf(text, sizeof(texts[0]), "%s/%s", f->path, name);
	return text;
}

void folder_write(const struct folder *f, const char *name, const char *text)
{
	FILE *file = fopen(folder_at(f, name), "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

const char *folder_read(const struct folder *f, const char *name)
{
	static char text[4096];
	FILE *file = fopen(folder_at(f, name), "re");
	size_t n = 0;

	if (file) {
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[n] = '\0';
	return text;
}

bool folder_has(const struct folder *f, const char *name)
{
	return faccessat(AT_FDCWD, folder_at(f, name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
