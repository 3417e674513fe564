/* Values of keys, one parser per type. A reason of refusal is the end of a sentence whose
 * beginning, the key and its value, the caller knows. */
#include "daemon/config_parse.h"

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

#define ENV_MAX	    1024u
#define ALLOW_MAX   1024u
#define NUMBER_TEXT 20u

struct value {
	const struct config_key *key;
	const char *text;
	void *at; /* the member */
	char *reason;
};

/* Always 1. */
static int printf_like(2, 3) refuse(const struct value *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->reason, CONFIG_REASON_BYTES, format, args);
	va_end(args);
	return 1;
}

static int set_text(const struct value *v)
{
	char **at = v->at, *copy = strdup(v->text);

	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static int set_path(const struct value *v)
{
	if (v->text[0] != '/')
		return refuse(v, "is no absolute path");
	return set_text(v);
}

static int set_directory(const struct value *v)
{
	struct stat st;

	if (v->text[0] != '/')
		return refuse(v, "is no absolute path");
	if (stat(v->text, &st) < 0)
		return refuse(v, "cannot be looked at: %s", strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return refuse(v, "is no directory");
	return set_text(v);
}

static int set_program(const struct value *v)
{
	if (v->text[0] != '/')
		return refuse(v, "is no absolute path");
	if (access(v->text, X_OK) < 0)
		return refuse(v, "cannot be executed: %s", strerror(errno));
	return set_text(v);
}

static int set_module(const struct value *v)
{
	if (v->text[0] != '/' && strchr(v->text, '/'))
		return refuse(v, "is neither a bare name nor an absolute path");
	return set_text(v);
}

/* Plain decimal digits. */
static bool read_digits(const char *text, uint64_t *ret)
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
	else if (read_digits(name, &number) && number < UINT32_MAX)
		*ret = (gid_t)number;
	else
		return 1;
	return 0;
}

static int set_group(const struct value *v)
{
	gid_t gid;

	if (config_group(v->text, &gid) != 0)
		return refuse(v, "is no group of this host");
	return set_text(v);
}

static int set_user(const struct value *v)
{
	if (!getpwnam(v->text))
		return refuse(v, "is no user of this host");
	if (geteuid() != 0)
		return refuse(v, "takes a daemon that runs as root");
	return set_text(v);
}

static int set_cpus(const struct value *v)
{
	cpu_set_t set, mine;

	if (!cpulist_parse(v->text, &set))
		return refuse(v, "is no list of CPUs, such as 0-3,8");
	if (sched_getaffinity(0, sizeof(mine), &mine) == 0) {
		CPU_AND(&set, &set, &mine);
		if (CPU_COUNT(&set) == 0)
			return refuse(v, "names no CPU that this daemon may use");
	}
	return set_text(v);
}

static int set_nice(const struct value *v)
{
	char *end;
	long nice = strtol(v->text, &end, 10);

	if (*end != '\0' || nice < PRIO_MIN || nice >= PRIO_MAX)
		return refuse(v, "is no nice value from %d to %d", PRIO_MIN, PRIO_MAX - 1);
	*(int *)v->at = CONFIG_NICE_OFFSET + (int)nice;
	return 0;
}

static int set_limit(const struct value *v)
{
	uint64_t n;

	if (strcmp(v->text, "infinity") == 0)
		n = UINT64_MAX - 1;
	else if (!quantity_size(v->text, &n))
		return refuse(v, "is neither a number, such as 1024 or 2G, nor infinity");
	*(uint64_t *)v->at = n + 1;
	return 0;
}

static int set_mode(const struct value *v)
{
	unsigned long mode;
	char *end;

	mode = strtoul(v->text, &end, 8);
	if (*end != '\0' || v->text[0] < '0' || v->text[0] > '7' || mode > v->key->most)
		return refuse(v, "is no octal file mode from %04o to %04o", (unsigned)v->key->least,
			(unsigned)v->key->most);
	if ((mode & v->key->least) != v->key->least)
		return refuse(v, "shuts out the owner: at least %04o", (unsigned)v->key->least);
	*(mode_t *)v->at = (mode_t)mode;
	return 0;
}

static int set_level(const struct value *v)
{
	if (!log_level_from(v->text, v->at))
		return refuse(v, "is none of err, warning, notice, info, debug");
	return 0;
}

static int set_handler(const struct value *v)
{
	enum config_handler *at = v->at;

	if (strcmp(v->text, "exec") == 0)
		*at = HANDLER_EXEC;
	else if (strcmp(v->text, "module") == 0)
		*at = HANDLER_MODULE;
	else
		return refuse(v, "is none of exec, module");
	return 0;
}

static int set_sizing(const struct value *v)
{
	for (int s = 0; s < _SIZING_MAX; s++)
		if (strcmp(v->text, pool_sizing_name((enum pool_sizing)s)) == 0) {
			*(enum pool_sizing *)v->at = (enum pool_sizing)s;
			return 0;
		}
	return refuse(v, "is none of static, dynamic, ondemand");
}

static int set_time(const struct value *v)
{
	uint64_t us;

	if (!quantity_time(v->text, &us))
		return refuse(
			v, "is no time of at most 100 years, such as 500ms, 30s, 5min, 1h, 2d");
	if (us < v->key->least)
		return refuse(v, "is too short: at least %llu ms",
			(unsigned long long)v->key->least / 1000);
	if (us > v->key->most)
		return refuse(v, "is too long: at most %llu s",
			(unsigned long long)v->key->most / 1000000);
	*(uint64_t *)v->at = us;
	return 0;
}

static int check_range(const struct value *v, uint64_t n)
{
	if (n < v->key->least)
		return refuse(v, "is too little: at least %llu", (unsigned long long)v->key->least);
	if (n > v->key->most)
		return refuse(v, "is too much: at most %llu", (unsigned long long)v->key->most);
	return 0;
}

static int set_size(const struct value *v)
{
	uint64_t n;
	int r;

	if (!quantity_size(v->text, &n))
		return refuse(v, "is no size, such as 65536, 64K, 16MiB, 2G, 1T");
	r = check_range(v, n);
	if (r == 0)
		*(uint64_t *)v->at = n;
	return r;
}

static int set_number(const struct value *v)
{
	uint64_t n;
	int r;

	if (!read_digits(v->text, &n))
		return refuse(v, "is no number");
	r = check_range(v, n);
	if (r != 0)
		return r;
	if (v->key->type == TYPE_COUNT)
		*(unsigned *)v->at = (unsigned)n;
	else
		*(uint64_t *)v->at = n;
	return 0;
}

static size_t env_len(char **list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static char **env_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
	return NULL;
}

/* A later one of the same name takes the place of an earlier one. */
static int set_env(const struct value *v)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				      "0123456789";
	char ***at = v->at, **list = *at, **grown;
	size_t n = env_len(list), name = strspn(v->text, letters);
	cleanup_free char *copy = NULL;

	if (v->text[0] == '\0') {
		*at = env_free(list);
		return 0;
	}
	if (name == 0 || v->text[name] != '=' || (v->text[0] >= '0' && v->text[0] <= '9'))
		return refuse(v, "is not NAME=value with letters, digits and _ in the name");
	copy = strdup(v->text);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(list[i], v->text, name + 1) == 0) {
			free(list[i]);
			list[i] = take_ptr(copy);
			return 0;
		}
	}
	if (n >= ENV_MAX)
		return refuse(v, "is one too many: at most %u", ENV_MAX);
	grown = realloc(list, (n + 2) * sizeof(*list));
	if (!grown)
		return -ENOMEM;
	grown[n] = take_ptr(copy);
	grown[n + 1] = NULL;
	*at = grown;
	return 0;
}

static void allow_clear(struct config_allow *a)
{
	free(a->uids);
	free(a->gids);
	*a = (struct config_allow){0};
}

static int allow_uid(struct config_allow *a, uid_t uid)
{
	uid_t *grown = realloc(a->uids, (a->n_uids + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	a->uids = grown;
	a->uids[a->n_uids++] = uid;
	return 0;
}

static int allow_gid(struct config_allow *a, gid_t gid)
{
	gid_t *grown = realloc(a->gids, (a->n_gids + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	a->gids = grown;
	a->gids[a->n_gids++] = gid;
	return 0;
}

static int allow_word(const struct value *v, struct config_allow *a, const char *word)
{
	struct passwd *user;
	uint64_t number;
	gid_t gid;

	if (a->n_uids + a->n_gids >= ALLOW_MAX)
		return refuse(v, "names too many: at most %u", ALLOW_MAX);
	if (strcmp(word, "owner") == 0)
		return 0; /* always may */
	if (strcmp(word, "all") == 0) {
		a->everybody = true;
		return 0;
	}
	if (word[0] == '@') {
		if (config_group(word + 1, &gid) != 0)
			return refuse(v, "names %.64s, which is no group of this host", word);
		return allow_gid(a, gid);
	}
	user = getpwnam(word);
	if (user)
		return allow_uid(a, user->pw_uid);
	if (read_digits(word, &number) && number < UINT32_MAX)
		return allow_uid(a, (uid_t)number);
	return refuse(v, "names %.64s, which is none of all, owner, a user, a @group", word);
}

static int set_allow(const struct value *v)
{
	struct config_allow allow = {0};
	cleanup_free char *words = strdup(v->text);
	char *rest = NULL;
	int r = 0;

	if (!words)
		return -ENOMEM;
	for (char *w = strtok_r(words, " \t,", &rest); w && r == 0;
		w = strtok_r(NULL, " \t,", &rest))
		r = allow_word(v, &allow, w);
	if (r != 0) {
		allow_clear(&allow);
		return r;
	}
	allow_clear(v->at);
	*(struct config_allow *)v->at = allow;
	return 0;
}

static int (*const set_type[])(const struct value *) = {
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
	[TYPE_ENV] = set_env,
	[TYPE_ALLOW] = set_allow,
};

int config_value_set(const struct config_key *key, const char *text, void *base,
	char reason[CONFIG_REASON_BYTES])
{
	struct value v = {
		.key = key,
		.text = text,
		.at = (char *)base + key->offset,
		.reason = reason,
	};

	if (text[0] == '\0' && key->type != TYPE_ENV)
		return refuse(&v, "needs a value");
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
	case TYPE_ENV: *(char ***)at = env_free(*(char ***)at); break;
	case TYPE_ALLOW: allow_clear(at); break;
	default: break;
	}
}
