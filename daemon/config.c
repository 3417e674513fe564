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
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- life ---- */

static void pool_deinit(struct config_pool *pool)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_keys); i++)
		if (config_keys[i].section == SECTION_POOL)
			config_value_clear(&config_keys[i], pool);
	free(pool->name);
	free(pool->place);
}

struct config_pool *config_pool_free(struct config_pool *pool)
{
	if (pool)
		pool_deinit(pool);
	free(pool);
	return NULL;
}

void config_pool_take(struct config_pool *into, struct config_pool *from)
{
	*into = *from;
	*from = (struct config_pool){0};
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
		p->is_partial = true;
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
		r = 0;
		if (i == 0 && !o->file)
			continue; /* the standard file need not be there; a listed drop-in must */
		p->is_partial = true;
		r = config_fail(p, files->names[i], 0, "cannot be opened: %s", strerror(ENOENT));
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

/* What the dynamic linker would take: a shared object for this machine. */
static bool is_shared_object(const ElfW(Ehdr) * e)
{
	extern const ElfW(Ehdr) __ehdr_start;

	return memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && e->e_type == ET_DYN &&
	       e->e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
	       e->e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA] &&
	       e->e_machine == __ehdr_start.e_machine;
}

static int check_module(
	struct config_parse *p, struct config_pool *pool, const struct config_origin *origin)
{
	cleanup_fd int fd = -1;
	ElfW(Ehdr) head;
	struct stat st;
	int r;

	if (pool->module[0] != '/') {
		if (p->keys[KEY_DAEMON_module_dir].is_bad)
			return 0;
		r = config_text(&pool->module, "%s/%s.so", p->config->module_dir, pool->module);
		if (r < 0)
			return r;
	}
	fd = open(pool->module, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return config_fail_at(p, origin, "module %s: %s", pool->module, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return config_fail_at(p, origin, "module %s: is no regular file", pool->module);
	pool->module_mark = (struct config_mark){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = st.st_size,
		.changed_ns = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
	};
	if (read(fd, &head, sizeof(head)) != sizeof(head) || !is_shared_object(&head))
		return config_fail_at(
			p, origin, "module %s: is no shared object of this host", pool->module);
	return 0;
}

/* Whether a check may rest on this key's value. */
#define is_sound(origins, name) (!(origins)[KEY_POOL_##name].is_bad)

/* A key that says nothing in this mode is a mistake. */
static int check_spare_keys(
	struct config_parse *p, struct config_pool *pool, const struct config_origin *origins)
{
	static const struct {
		int key;
		bool is_for_ondemand;
	} keys[] = {{KEY_POOL_min_spare, false}, {KEY_POOL_max_spare, false},
		{KEY_POOL_idle_timeout, true}};
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(keys) && r == 0; k++)
		if (origins[keys[k].key].file && pool->sizing != SIZING_DYNAMIC &&
			!(keys[k].is_for_ondemand && pool->sizing == SIZING_ONDEMAND))
			r = config_fail_at(p, &origins[keys[k].key],
				"%s in [pool %s] needs sizing = dynamic%s",
				config_keys[keys[k].key].name, pool->name,
				keys[k].is_for_ondemand ? " or ondemand" : "");
	return r;
}

static int check_sizing(
	struct config_parse *p, struct config_pool *pool, const struct config_origin *origins)
{
	int r = 0;

	if (is_sound(origins, sizing))
		r = check_spare_keys(p, pool, origins);
	if (!origins[KEY_POOL_max_spare].file)
		pool->max_spare = pool->min_spare > 2 ? pool->min_spare : 2;
	if (r != 0 || !is_sound(origins, min_spare))
		return r;
	if (pool->sizing == SIZING_DYNAMIC && pool->min_spare > pool->workers &&
		is_sound(origins, workers))
		r = config_fail_at(p, &origins[KEY_POOL_min_spare],
			"min_spare = %u in [pool %s] is more than its workers, %u", pool->min_spare,
			pool->name, pool->workers);
	if (r == 0 && pool->max_spare < pool->min_spare && is_sound(origins, max_spare))
		r = config_fail_at(p, &origins[KEY_POOL_max_spare],
			"max_spare = %u in [pool %s] is less than min_spare, %u", pool->max_spare,
			pool->name, pool->min_spare);
	return r;
}

static int check_handler(
	struct config_parse *p, struct config_pool *pool, const struct config_parse_pool *parsed)
{
	const struct config_origin *origins = parsed->keys;
	int r = 0;

	if (!is_sound(origins, handler))
		return 0;
	if (!origins[KEY_POOL_handler].file)
		return parsed->has_unknown
			       ? 0
			       : config_fail_at(p, &parsed->header,
					 "[pool %s] has no handler: exec (commands) or module "
					 "(functions)",
					 pool->name);
	if (pool->handler == HANDLER_MODULE && pool->module)
		return check_module(p, pool, &origins[KEY_POOL_module]);
	if (pool->handler == HANDLER_MODULE)
		return parsed->has_unknown || !is_sound(origins, module)
			       ? 0
			       : config_fail_at(p, &origins[KEY_POOL_handler],
					 "handler = module in [pool %s] needs the key \"module\"",
					 pool->name);
	if (pool->module)
		r = config_fail_at(p, &origins[KEY_POOL_module],
			"module = %.100s in [pool %s] needs handler = module", pool->module,
			pool->name);
	if (r == 0 && pool->max_rss_bytes)
		r = config_fail_at(p, &origins[KEY_POOL_max_rss],
			"max_rss in [pool %s] needs handler = module: commands keep no memory",
			pool->name);
	return r;
}

static int check_pool(struct config_parse *p, size_t i)
{
	struct config_pool *pool = &p->config->pools[i];
	const struct config_parse_pool *parsed = &p->pools[i];
	int r;

	if (!parsed->keys[KEY_POOL_workers].file)
		pool->workers = n_cpus();
	if (!parsed->keys[KEY_POOL_allow].file)
		pool->allow.everybody = pool->handler == HANDLER_MODULE;
	if (!parsed->header.file)
		return config_text(&pool->place, "no file"); /* nobody wrote it */
	r = config_text(&pool->place, "%s:%d", parsed->header.file, parsed->header.line);
	if (r == 0)
		r = check_sizing(p, pool, parsed->keys);
	return r == 0 ? check_handler(p, pool, parsed) : r;
}

/* All of it, but for what may stand in what could not be read. */
static int check_pools(struct config_parse *p)
{
	int r = 0;

	for (size_t i = 0; i < p->config->n_pools && r == 0 && !p->is_partial; i++)
		r = check_pool(p, i);
	return r;
}

int config_load(const struct config_override *o, struct config **ret, struct config_errors *errors)
{
	cleanup(config_freep) struct config *c = calloc(1, sizeof(*c));
	struct config_parse p = {.config = c, .errors = errors};
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
	if (o->is_verbose)
		c->log_level = LOG_DEBUG;
	if (r == 0)
		r = check_pools(&p);
	files_deinit(&files);
	free(p.pools);
	if (r == 0 && errors->n)
		r = 1;
	if (r == 0)
		*ret = take_ptr(c);
	return r;
}
