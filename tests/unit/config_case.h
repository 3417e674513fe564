/* What the checks of config share: one configuration, loaded from a file in a folder. */
#pragma once

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "tests/lib/check_run.h"
#include "tests/lib/folder.h"

static struct folder folder;
static struct config *config;
static struct config_errors errors;
/* The first of them. */
static struct config_error error;

static void setup(void)
{
	folder_make(&folder);
	setenv("HOME", folder.path, 1);
	setenv("XDG_RUNTIME_DIR", folder_at(&folder, "run"), 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("STATE_DIRECTORY");
}

static void teardown(void)
{
	config = config_free(config);
	config_errors_clear(&errors);
	folder_remove(&folder);
}

static inline int load_as(const struct config_override *o)
{
	int r;

	config = config_free(config);
	config_errors_clear(&errors);
	r = config_load(o, &config, &errors);
	error = errors.n ? errors.all[0] : (struct config_error){0};
	ck_assert_int_eq(r == 0, config != NULL);
	ck_assert_int_eq(r == 1, errors.n > 0);
	return r;
}

static inline int load(const char *socket)
{
	const struct config_override o = {.file = folder_at(&folder, "p.conf"), .socket = socket};

	return load_as(&o);
}

/* Loads this text as the main file. */
static inline void load_good(const char *text)
{
	folder_write(&folder, "p.conf", text);
	if (load(NULL) != 0)
		ck_abort_msg("%s:%d: %s", error.file, error.line, error.message);
}

static inline const struct config_pool *pool(const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	ck_abort_msg("no pool %s", name);
	return NULL;
}

/* A module: the beginning of one is all that is looked at. */
static inline void write_module(const char *name)
{
	FILE *self = fopen("/proc/self/exe", "re"), *module = fopen(folder_at(&folder, name), "we");
	ElfW(Ehdr) head;

	ck_assert_uint_eq(fread(&head, sizeof(head), 1, self), 1);
	head.e_type = ET_DYN;
	ck_assert_uint_eq(fwrite(&head, sizeof(head), 1, module), 1);
	ck_assert_int_eq(fclose(self), 0);
	ck_assert_int_eq(fclose(module), 0);
}
