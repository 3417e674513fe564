/* Values of keys, one parser per type. A reason of refusal is the end of a sentence whose
 * beginning, the key and its value, the caller knows. */
#include "daemon/config_list.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "proto/cpulist.h"
#include "proto/quantity.h"

#define NUMBER_TEXT 20u

int config_refuse(const struct config_value *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->reason, CONFIG_REASON_BYTES, format, args);
	va_end(args);
	return 1;
}

static int set_text(const struct config_value *v)
{
	char **at = v->at, *copy = strdup(v->text);

	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static int set_path(const struct config_value *v)
{
	if (v->text[0] != '/')
		return config_refuse(v, "is no absolute path");
	return set_text(v);
}

static int set_directory(const struct config_value *v)
{
	struct stat st;

	if (v->text[0] != '/')
		return config_refuse(v, "is no absolute path");
	if (stat(v->text, &st) < 0)
		return config_refuse(v, "cannot be looked at: %s", strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return config_refuse(v, "is no directory");
	return set_text(v);
}

static int set_program(const struct config_value *v)
{
	if (v->text[0] != '/')
		return config_refuse(v, "is no absolute path");
	if (access(v->text, X_OK) < 0)
		return config_refuse(v, "cannot be executed: %s", strerror(errno));
	return set_text(v);
}

static int set_module(const struct config_value *v)
{
	if (v->text[0] != '/' && strchr(v->text, '/'))
		return config_refuse(v, "is neither a bare name nor an absolute path");
	return set_text(v);
}

bool config_digits(const char *text, uint64_t *ret)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || text[n] != '\0' || n >= NUMBER_TEXT)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

int config_group(const char *name, gid_t *ret)
{
	struct group *g = getgrnam(name);
	uint64_t number;

	if (g)
		*ret = g->gr_gid;
	else if (config_digits(name, &number) && number < UINT32_MAX)
		*ret = (gid_t)number;
	else
		return 1;
	return 0;
}

static int set_group(const struct config_value *v)
{
	gid_t gid;

	if (config_group(v->text, &gid) != 0)
		return config_refuse(v, "is no group of this host");
	return set_text(v);
}

static int set_user(const struct config_value *v)
{
	if (!getpwnam(v->text))
		return config_refuse(v, "is no user of this host");
	if (geteuid() != 0)
		return config_refuse(v, "takes a daemon that runs as root");
	return set_text(v);
}

static int set_cpus(const struct config_value *v)
{
	cpu_set_t set, mine;

	if (!cpulist_parse(v->text, &set))
		return config_refuse(v, "is no list of CPUs, such as 0-3,8");
	if (sched_getaffinity(0, sizeof(mine), &mine) == 0) {
		CPU_AND(&set, &set, &mine);
		if (CPU_COUNT(&set) == 0)
			return config_refuse(v, "names no CPU that this daemon may use");
	}
	return set_text(v);
}

static int set_nice(const struct config_value *v)
{
	char *end;
	long nice = strtol(v->text, &end, 10);

	if (*end != '\0' || nice < PRIO_MIN || nice >= PRIO_MAX)
		return config_refuse(v, "is no nice value from %d to %d", PRIO_MIN, PRIO_MAX - 1);
	*(int *)v->at = CONFIG_NICE_OFFSET + (int)nice;
	return 0;
}

static int set_limit(const struct config_value *v)
{
	uint64_t n;

	if (strcmp(v->text, "infinity") == 0)
		n = UINT64_MAX - 1;
	else if (!quantity_size(v->text, &n))
		return config_refuse(v, "is neither a number, such as 1024 or 2G, nor infinity");
	*(uint64_t *)v->at = n + 1;
	return 0;
}

static int set_mode(const struct config_value *v)
{
	unsigned long mode;
	char *end;

	mode = strtoul(v->text, &end, 8);
	if (*end != '\0' || v->text[0] < '0' || v->text[0] > '7' || mode > v->key->most)
		return config_refuse(v, "is no octal file mode from %04o to %04o",
			(unsigned)v->key->least, (unsigned)v->key->most);
	if ((mode & v->key->least) != v->key->least)
		return config_refuse(
			v, "shuts out the owner: at least %04o", (unsigned)v->key->least);
	*(mode_t *)v->at = (mode_t)mode;
	return 0;
}

static int set_level(const struct config_value *v)
{
	if (!log_level_from(v->text, v->at))
		return config_refuse(v, "is none of err, warning, notice, info, debug");
	return 0;
}

static int set_handler(const struct config_value *v)
{
	enum config_handler *at = v->at;

	if (strcmp(v->text, "exec") == 0)
		*at = HANDLER_EXEC;
	else if (strcmp(v->text, "module") == 0)
		*at = HANDLER_MODULE;
	else
		return config_refuse(v, "is none of exec, module");
	return 0;
}

static int set_sizing(const struct config_value *v)
{
	for (int s = 0; s < _SIZING_MAX; s++)
		if (strcmp(v->text, pool_sizing_name((enum pool_sizing)s)) == 0) {
			*(enum pool_sizing *)v->at = (enum pool_sizing)s;
			return 0;
		}
	return config_refuse(v, "is none of static, dynamic, ondemand");
}

static int set_time(const struct config_value *v)
{
	char most[QUANTITY_TEXT];
	uint64_t us;

	if (!quantity_time(v->text, &us))
		return config_refuse(
			v, "is no time of at most 100 years, such as 500ms, 30s, 5min, 1h, 2d");
	if (us < v->key->least)
		return config_refuse(v, "is too short: at least %llu ms",
			(unsigned long long)v->key->least / 1000);
	if (us > v->key->most)
		return config_refuse(v, "is too long: at most %s",
			quantity_time_text((double)v->key->most / 1e6, most));
	*(uint64_t *)v->at = us;
	return 0;
}

static int check_range(const struct config_value *v, uint64_t n)
{
	if (n < v->key->least)
		return config_refuse(
			v, "is too little: at least %llu", (unsigned long long)v->key->least);
	if (n > v->key->most)
		return config_refuse(
			v, "is too much: at most %llu", (unsigned long long)v->key->most);
	return 0;
}

static int set_size(const struct config_value *v)
{
	uint64_t n;
	int r;

	if (!quantity_size(v->text, &n))
		return config_refuse(v, "is no size, such as 65536, 64K, 16MiB, 2G, 1T");
	r = check_range(v, n);
	if (r == 0)
		*(uint64_t *)v->at = n;
	return r;
}

static int set_number(const struct config_value *v)
{
	uint64_t n;
	int r;

	if (!config_digits(v->text, &n))
		return config_refuse(v, "is no number");
	r = check_range(v, n);
	if (r != 0)
		return r;
	if (v->key->type == TYPE_COUNT)
		*(unsigned *)v->at = (unsigned)n;
	else
		*(uint64_t *)v->at = n;
	return 0;
}

static int (*const set_type[])(const struct config_value *) = {
	[TYPE_PATH] = set_path,
	[TYPE_DIRECTORY] = set_directory,
	[TYPE_PROGRAM] = set_program,
	[TYPE_TEXT] = set_text,
	[TYPE_GROUP] = set_group,
	[TYPE_MODULE] = set_module,
	[TYPE_MODE] = set_mode,
	[TYPE_LEVEL] = set_level,
	[TYPE_HANDLER] = set_handler,
	[TYPE_SIZING] = set_sizing,
	[TYPE_TIME] = set_time,
	[TYPE_SIZE] = set_size,
	[TYPE_NUMBER] = set_number,
	[TYPE_COUNT] = set_number,
	[TYPE_USER] = set_user,
	[TYPE_CPUS] = set_cpus,
	[TYPE_NICE] = set_nice,
	[TYPE_LIMIT] = set_limit,
	[TYPE_ENV] = config_list_set_env,
	[TYPE_ALLOW] = config_list_set_allow,
};

int config_value_set(const struct config_key *key, const char *text, void *base,
	char reason[CONFIG_REASON_BYTES])
{
	struct config_value v = {
		.key = key,
		.text = text,
		.at = (char *)base + key->offset,
		.reason = reason,
	};

	if (text[0] == '\0' && key->type != TYPE_ENV)
		return config_refuse(&v, "needs a value");
	return set_type[key->type](&v);
}

int config_value_set_fallback(const struct config_key *key, void *base)
{
	char reason[CONFIG_REASON_BYTES];

	if (key->fallback[0] == '(')
		return 0;
	return config_value_set(key, key->fallback, base, reason);
}

void config_value_clear(const struct config_key *key, void *base)
{
	void *at = (char *)base + key->offset;

	switch (key->type) {
	case TYPE_PATH:
	case TYPE_DIRECTORY:
	case TYPE_PROGRAM:
	case TYPE_TEXT:
	case TYPE_GROUP:
	case TYPE_MODULE:
	case TYPE_USER:
	case TYPE_CPUS:
		free(*(char **)at);
		*(char **)at = NULL;
		break;
	case TYPE_ENV: *(char ***)at = config_list_free_env(*(char ***)at); break;
	case TYPE_ALLOW: config_list_clear_allow(at); break;
	default: break;
	}
}
