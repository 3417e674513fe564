/* The configuration as a whole: which files, what they leave open, what does not fit together.
 *
 * One rule says which files are read: a main file F, then F.d/ *.conf sorted by name, later ones
 * over earlier ones, key by key. F is the one named on the command line, which must be there, or
 * the standard one, which need not. Whether a daemon is the system's or a user's is decided by its
 * uid alone: 0 is the system's.
 *
 * Nothing is used before all of it has been checked, so that a failure leaves the caller with what
 * it had.
 */
#include "daemon/config_parse.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int config_fail(struct config_parse *p, const char *file, int line, const char *format, ...)
{
	va_list args;

	*p->error = (struct config_error){.line = line};
	snprintf(p->error->file, sizeof(p->error->file), "%s", file);
	va_start(args, format);
	vsnprintf(p->error->message, sizeof(p->error->message), format, args);
	va_end(args);
	return 1;
}

#define fail_at(p, origin, ...) config_fail(p, (origin)->file, (origin)->line, __VA_ARGS__)
#define fail_nowhere(p, ...)	config_fail(p, "", 0, __VA_ARGS__)

/* ---- life ---- */

static void pool_deinit(struct config_pool *pool)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++)
		if (config_keys[i].section == SECTION_POOL)
			config_value_clear(&config_keys[i], pool);
	free(pool->name);
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n_pools; i++)
		pool_deinit(&c->pools[i]);
	free(c->pools);
	for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++)
		if (config_keys[i].section != SECTION_POOL)
			config_value_clear(&config_keys[i], c);
	free(c);
	return NULL;
}

static int set_fallbacks(bool of_pool, void *base)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++) {
		const struct config_key *k = &config_keys[i];
		int r;

		if ((k->section == SECTION_POOL) != of_pool)
			continue;
		r = config_value_set_fallback(k, base);
		if (r != 0)
			return r;
	}
	return 0;
}

int config_add_pool(struct config_parse *p, const char *name)
{
	struct config *c = p->config;
	struct config_parse_pool *parsed;
	struct config_pool *pools;
	struct config_pool pool = {0};
	int r;

	pools = realloc(c->pools, (c->n_pools + 1) * sizeof(*pools));
	if (!pools)
		return -ENOMEM;
	c->pools = pools;
	parsed = realloc(p->pools, (c->n_pools + 1) * sizeof(*parsed));
	if (!parsed)
		return -ENOMEM;
	p->pools = parsed;
	pool.name = strdup(name);
	r = pool.name ? set_fallbacks(true, &pool) : -ENOMEM;
	if (r != 0) {
		pool_deinit(&pool);
		return r;
	}
	p->pools[c->n_pools] = (struct config_parse_pool){0};
	c->pools[c->n_pools++] = pool;
	return 0;
}

/* ---- files ---- */

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* In the order of the bytes of their names, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

struct files {
	char **names; /* origins point to them */
	size_t n;
};

static void files_deinit(struct files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->names[i]);
	free(f->names);
}

/* Consumes name in any case. */
static int files_add(struct files *f, char *name)
{
	char **grown = name ? realloc(f->names, (f->n + 1) * sizeof(*grown)) : NULL;

	if (!grown) {
		free(name);
		return -ENOMEM;
	}
	f->names = grown;
	f->names[f->n++] = name;
	return 0;
}

static int files_add_drop_ins(struct files *f, struct config_parse *p, const char *main_file)
{
	cleanup_free char *directory = NULL;
	struct dirent **entries;
	int n, r;

	r = config_text(&directory, "%s.d", main_file);
	if (r < 0)
		return r;
	n = scandir(directory, &entries, is_drop_in, by_name);
	if (n < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return errno == ENOMEM ? -ENOMEM
				       : config_fail(p, directory, 0, "cannot be opened: %s",
						 strerror(errno));
	}
	for (int i = 0; i < n; i++) {
		char *name = NULL;

		if (r == 0)
			r = config_text(&name, "%s/%s", directory, entries[i]->d_name);
		if (r == 0)
			r = files_add(f, name);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int main_file(const struct config_override *o, char **ret)
{
	cleanup_free char *directory = NULL;
	int r;

	if (o->file)
		return config_text(ret, "%s", o->file);
	if (config_is_system())
		return config_text(ret, "%s/poold/poold.conf", POOLD_SYSCONFDIR);
	r = config_user_directory("XDG_CONFIG_HOME", ".config", &directory);
	if (r < 0 || !directory)
		return r;
	return config_text(ret, "%s/poold.conf", directory);
}

static int read_files(struct config_parse *p, const struct config_override *o, struct files *files)
{
	char *first = NULL;
	int r = main_file(o, &first);

	if (r < 0 || !first)
		return r;
	r = files_add(files, first);
	if (r == 0)
		r = files_add_drop_ins(files, p, first);
	for (size_t i = 0; i < files->n && r == 0; i++) {
		r = config_file_read(p, files->names[i]);
		if (r != -ENOENT)
			continue;
		/* The standard file need not be there; a drop-in that was listed must be. */
		r = i == 0 && !o->file ? 0
				       : config_fail(p, files->names[i], 0, "cannot be opened: %s",
						 strerror(ENOENT));
	}
	return r;
}

/* ---- pools ---- */

static unsigned n_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return 1;
}

static int check_module(
	struct config_parse *p, struct config_pool *pool, const struct config_origin *origin)
{
	struct stat st;
	int r;

	if (pool->module[0] != '/') {
		r = config_text(&pool->module, "%s/%s.so", p->config->module_dir, pool->module);
		if (r < 0)
			return r;
	}
	if (stat(pool->module, &st) < 0 || access(pool->module, R_OK) < 0)
		return fail_at(p, origin, "module %s: %s", pool->module, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail_at(p, origin, "module %s: is no regular file", pool->module);
	return 0;
}

/* A key that says nothing in this mode is a mistake. */
static int check_sizing(struct config_parse *p, size_t i)
{
	static const struct {
		int key;
		bool is_for_ondemand;
	} keys[] = {{KEY_POOL_min_spare, false}, {KEY_POOL_max_spare, false},
		{KEY_POOL_idle_timeout, true}};
	struct config_pool *pool = &p->config->pools[i];
	const struct config_origin *origins = p->pools[i].keys;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		if (origins[keys[k].key].file && pool->sizing != SIZING_DYNAMIC &&
			!(keys[k].is_for_ondemand && pool->sizing == SIZING_ONDEMAND))
			return fail_at(p, &origins[keys[k].key],
				"%s in [pool %s] needs sizing = dynamic%s",
				config_keys[keys[k].key].name, pool->name,
				keys[k].is_for_ondemand ? " or ondemand" : "");
	if (!origins[KEY_POOL_max_spare].file)
		pool->max_spare = pool->min_spare > 2 ? pool->min_spare : 2;
	if (pool->sizing == SIZING_DYNAMIC && pool->min_spare > pool->workers)
		return fail_at(p, &origins[KEY_POOL_min_spare],
			"min_spare = %u in [pool %s] is more than its workers, %u", pool->min_spare,
			pool->name, pool->workers);
	if (pool->max_spare < pool->min_spare)
		return fail_at(p, &origins[KEY_POOL_max_spare],
			"max_spare = %u in [pool %s] is less than min_spare, %u", pool->max_spare,
			pool->name, pool->min_spare);
	if (pool->max_rss_bytes && pool->handler == HANDLER_EXEC)
		return fail_at(p, &origins[KEY_POOL_max_rss],
			"max_rss in [pool %s] needs handler = module: commands keep no memory",
			pool->name);
	return 0;
}

static int check_pool(struct config_parse *p, size_t i)
{
	int r;

	struct config_pool *pool = &p->config->pools[i];
	const struct config_parse_pool *parsed = &p->pools[i];

	if (!parsed->keys[KEY_POOL_workers].file)
		pool->workers = n_cpus();
	if (!parsed->keys[KEY_POOL_allow].file)
		pool->allow.everybody = pool->handler == HANDLER_MODULE;
	if (!parsed->header.file)
		return 0; /* the one that nobody wrote */
	r = check_sizing(p, i);
	if (r != 0)
		return r;
	if (!parsed->keys[KEY_POOL_handler].file)
		return fail_at(p, &parsed->header,
			"[pool %s] has no handler: exec (commands) or module (functions)",
			pool->name);
	if (pool->handler == HANDLER_MODULE && !pool->module)
		return fail_at(p, &parsed->keys[KEY_POOL_handler],
			"handler = module in [pool %s] needs the key \"module\"", pool->name);
	if (pool->handler == HANDLER_MODULE)
		return check_module(p, pool, &parsed->keys[KEY_POOL_module]);
	if (pool->module)
		return fail_at(p, &parsed->keys[KEY_POOL_module],
			"module = %.100s in [pool %s] needs handler = module", pool->module,
			pool->name);
	return 0;
}

int config_load(
	const struct config_override *o, struct config **ret, struct config_error *ret_error)
{
	cleanup(config_freep) struct config *c = calloc(1, sizeof(*c));
	struct config_parse p = {.config = c, .error = ret_error};
	struct files files = {0};
	int r;

	if (!c)
		return -ENOMEM;
	r = set_fallbacks(false, c);
	if (r == 0)
		r = read_files(&p, o, &files);
	if (r == 0 && c->n_pools == 0)
		r = config_add_pool(&p, "default"); /* handler exec is 0 */
	if (r == 0)
		r = config_set_rest(&p, o);
	for (size_t i = 0; i < c->n_pools && r == 0; i++)
		r = check_pool(&p, i);
	files_deinit(&files);
	free(p.pools);
	if (r == 0)
		*ret = take_ptr(c);
	return r;
}
