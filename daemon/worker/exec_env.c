#include "daemon/worker/exec_env.h"

#include <stdio.h>
#include <string.h>

/* POOLD_* of a job and the name TRACEPARENT. */
#define OWN_TEXT_BYTES 128u
#define OWN_VARIABLES  4u

extern char **environ;

size_t exec_env_text_bytes(const poold_job *job)
{
	return OWN_TEXT_BYTES + job->trace_len;
}

size_t exec_env_pointers(void)
{
	size_t n = 0;

	while (environ[n])
		n++;
	return n + OWN_VARIABLES + 1;
}

static void add_number(struct exec_strings *s, const char *name, uint64_t value)
{
	char text[OWN_TEXT_BYTES / OWN_VARIABLES + 16];
	int len = snprintf(text, sizeof(text), "%s=%llu", name, (unsigned long long)value);

	exec_strings_add_pointer(s, exec_strings_add_text(s, text, (size_t)len + 1));
}

static void add_trace(struct exec_strings *s, const poold_job *job)
{
	if (job->trace_len == 0 || memchr(job->trace, '\0', job->trace_len))
		return;
	exec_strings_add_pointer(s, exec_strings_add_text(s, "TRACEPARENT=", 12));
	exec_strings_add_text(s, job->trace, job->trace_len);
	exec_strings_add_text(s, "", 1);
}

/* Is there an entry NAME=… in envp[0 … n)? */
static bool has_variable(char *const *envp, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (strncmp(envp[i], name, len) == 0 && envp[i][len] == '=')
			return true;
	}
	return false;
}

/* The map's entries behind the n_own that no job may replace. nil takes a variable of the pool's
 * away. */
static const char *add_map(
	struct exec_strings *s, char *const *envp, struct cursor c, bool *ret_takes_away)
{
	size_t n_own = (size_t)(exec_strings_here(s) - envp);
	uint32_t n;

	if (!cursor_map(&c, &n))
		return "no map";
	for (uint32_t i = 0; i < n; i++) {
		char *name = exec_strings_copy(s, &c);
		size_t len = name ? strlen(name) : 0;

		if (len == 0 || strchr(name, '='))
			return "a name is no text, empty, or has a = or NUL inside";
		if (cursor_nil(&c)) {
			*ret_takes_away = true;
			continue;
		}
		name[len] = '=';
		if (!exec_strings_copy(s, &c))
			return "a value is no text, or has a NUL byte inside";
		if (!has_variable(envp, n_own, name, len))
			exec_strings_add_pointer(s, name);
	}
	return NULL;
}

static bool map_names(struct cursor c, const char *name, size_t len)
{
	const char *key;
	size_t key_len;
	uint32_t n;

	if (!cursor_map(&c, &n))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!cursor_text(&c, &key, &key_len) || !cursor_skip(&c, NULL))
			return false;
		if (key_len == len && memcmp(key, name, len) == 0)
			return true;
	}
	return false;
}

/* The pool's variables that the job neither replaces nor takes away (by `away`, if that is a map).
 */
static void add_pool(struct exec_strings *s, char *const *envp, struct cursor away)
{
	size_t n = (size_t)(exec_strings_here(s) - envp);

	for (char **v = environ; *v; v++) {
		size_t len = strcspn(*v, "=");

		if (!has_variable(envp, n, *v, len) && !map_names(away, *v, len))
			exec_strings_add_pointer(s, *v);
	}
}

int exec_env_build(struct exec_strings *s, const poold_job *job, struct cursor env,
	bool without_pool, char ***ret_envp, const char **ret_reason)
{
	char **envp = exec_strings_here(s);
	const char *reason = NULL;
	bool takes_away = false;

	add_number(s, "POOLD_JOB_ID", job->id);
	add_number(s, "POOLD_ATTEMPT", job->attempt);
	add_number(s, "POOLD_SUBMIT_UID", job->uid);
	add_trace(s, job);
	if (!cursor_at_end(&env))
		reason = add_map(s, envp, env, &takes_away);
	if (reason) {
		*ret_reason = reason;
		return 1;
	}
	if (!without_pool)
		add_pool(s, envp, takes_away ? env : (struct cursor){});
	exec_strings_add_pointer(s, NULL);
	*ret_envp = envp;
	return 0;
}

const char *exec_env_get(char *const *envp, const char *name)
{
	size_t len = strlen(name);

	for (; *envp; envp++) {
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	}
	return NULL;
}
