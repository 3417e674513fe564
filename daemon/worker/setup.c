#include "daemon/worker/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/worker/confine.h"
#include "proto/cpulist.h"

#define OUTPUT_BYTES (16u * 1024u * 1024u)
#define CACHE_BYTES  (1024u * 1024u * 1024u)

/* A string of the map as the owner's own; false if it is none, or has a NUL inside. */
static bool parse_string(struct cursor *c, char **ret)
{
	const char *text;
	char *copy;
	size_t n;

	if (!cursor_text(c, &text, &n) || memchr(text, '\0', n))
		return false;
	copy = strndup(text, n);
	if (!copy)
		return false;
	free(*ret);
	*ret = copy;
	return true;
}

static bool parse_handler(struct cursor *c, enum setup_handler *ret)
{
	const char *text;
	size_t n;

	if (!cursor_text(c, &text, &n))
		return false;
	if (text_equal(text, n, "module"))
		*ret = SETUP_MODULE;
	else if (text_equal(text, n, "exec"))
		*ret = SETUP_EXEC;
	else
		return false;
	return true;
}

static bool parse_env(struct setup *s, struct cursor *c)
{
	uint32_t n;

	if (s->env || !cursor_array(c, &n))
		return false;
	s->env = calloc((size_t)n + 1, sizeof(*s->env));
	if (!s->env)
		return false;
	s->has_env = true;
	for (uint32_t i = 0; i < n; i++) {
		if (!parse_string(c, &s->env[s->n_env]))
			return false;
		s->n_env++;
	}
	return true;
}

static bool parse_nice(struct setup *s, struct cursor *c)
{
	int64_t nice;

	if (!cursor_int(c, &nice) || nice < PRIO_MIN || nice > PRIO_MAX)
		return false;
	s->nice = (int)nice;
	s->has_nice = true;
	return true;
}

static bool parse_limits(struct setup *s, struct cursor *c)
{
	const char *name;
	size_t len;
	uint32_t n;

	if (!cursor_map(c, &n) || n > SETUP_LIMITS)
		return false;
	for (s->n_limits = 0; s->n_limits < n; s->n_limits++) {
		struct setup_limit *l = &s->limits[s->n_limits];

		if (!cursor_text(c, &name, &len) || !cursor_uint(c, &l->value))
			return false;
		l->of = resource_find(name, len);
		if (!l->of)
			return false;
	}
	return true;
}

static bool parse_entry(struct setup *s, const char *key, size_t len, struct cursor *c)
{
	if (text_equal(key, len, "pool"))
		return parse_string(c, &s->pool);
	if (text_equal(key, len, "handler"))
		return parse_handler(c, &s->handler);
	if (cursor_nil(c))
		return true;
	if (text_equal(key, len, "module"))
		return parse_string(c, &s->module);
	if (text_equal(key, len, "cwd"))
		return parse_string(c, &s->cwd);
	if (text_equal(key, len, "user"))
		return parse_string(c, &s->user);
	if (text_equal(key, len, "cpu_affinity"))
		return parse_string(c, &s->cpu_affinity);
	if (text_equal(key, len, "nice"))
		return parse_nice(s, c);
	if (text_equal(key, len, "limits"))
		return parse_limits(s, c);
	if (text_equal(key, len, "env"))
		return parse_env(s, c);
	if (text_equal(key, len, "output_bytes"))
		return cursor_uint(c, &s->output_bytes);
	if (text_equal(key, len, "cache_bytes"))
		return cursor_uint(c, &s->cache_bytes);
	return cursor_skip(c, NULL);
}

int setup_parse(struct setup *s, struct cursor *c, char *message, size_t size)
{
	const char *key;
	size_t len;
	uint32_t n;

	*s = (struct setup){.output_bytes = OUTPUT_BYTES, .cache_bytes = CACHE_BYTES};
	if (!cursor_map(c, &n)) {
		snprintf(message, size, "The parameter of setup is a map");
		return 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!cursor_text(c, &key, &len)) {
			snprintf(message, size, "A key of setup is no text");
			return 1;
		}
		if (!parse_entry(s, key, len, c)) {
			snprintf(message, size, "setup: %.*s has no valid value",
				(int)(len < 64 ? len : 64), key);
			return 1;
		}
	}
	if (!s->pool || (s->handler == SETUP_MODULE && !s->module)) {
		snprintf(message, size, "setup: %s is missing", s->pool ? "module" : "pool");
		return 1;
	}
	return 0;
}

void setup_deinit(struct setup *s)
{
	for (size_t i = 0; i < s->n_env; i++)
		free(s->env[i]);
	free(take_ptr(s->env));
	s->n_env = 0;
	free(take_ptr(s->pool));
	free(take_ptr(s->module));
	free(take_ptr(s->cwd));
	free(take_ptr(s->user));
	free(take_ptr(s->cpu_affinity));
}

static int fail(char *message, size_t size, const char *what, int error)
{
	snprintf(message, size, "%s: %s", what, strerror(error));
	return 1;
}

/* As root, so the hard limits can be raised too; the user comes last, since it takes that away. */
static int confine(const struct setup *s, char *message, size_t size)
{
	cpu_set_t cpus;
	int r;

	for (unsigned i = 0; i < s->n_limits; i++) {
		const struct setup_limit *l = &s->limits[i];
		rlim_t value = l->value == UINT64_MAX ? RLIM_INFINITY : (rlim_t)l->value;
		struct rlimit limit = {value, value};

		if (setrlimit((__rlimit_resource_t)l->of->number, &limit) < 0) {
			snprintf(message, size, "limit_%s: %s", l->of->name, strerror(errno));
			return 1;
		}
	}
	if (s->has_nice && setpriority(PRIO_PROCESS, 0, s->nice) < 0)
		return fail(message, size, "nice", errno);
	if (s->cpu_affinity && (!cpulist_parse(s->cpu_affinity, &cpus) ||
				       sched_setaffinity(0, sizeof(cpus), &cpus) < 0))
		return fail(message, size, "cpu_affinity", errno);
	r = s->user ? confine_to_user(s->user) : 0;
	return r < 0 ? fail(message, size, s->user, -r) : 0;
}

int setup_apply(const struct setup *s, char *message, size_t size)
{
	int r;

	r = confine(s, message, size);
	if (r != 0)
		return r;
	if (s->cwd && chdir(s->cwd) < 0) {
		snprintf(message, size, "cwd: %s: %s", s->cwd, strerror(errno));
		return 1;
	}
	if (!s->has_env)
		return 0;
	r = confine_environment(s->env, s->n_env);
	if (r < 0) {
		snprintf(message, size, "env: %s",
			r == -EINVAL ? "an entry is not NAME=VALUE" : strerror(-r));
		return 1;
	}
	return 0;
}
