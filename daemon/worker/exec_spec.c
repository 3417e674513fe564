/* All strings of a command are copied behind one another into one block, with the NUL that
 * MessagePack has not: never longer than the input itself, since each string's head there takes a
 * byte at least. */
#include "daemon/worker/exec_spec.h"

#include <string.h>

#include "daemon/worker/exec_env.h"
#include "daemon/worker/resource.h"
#include "daemon/worker/values.h"

/* Around argv: room in front, the shell's two words, the NULL behind. */
#define ARGV_POINTERS 4u

enum key {
	KEY_ARGV,
	KEY_SHELL,
	KEY_ENV,
	KEY_ENV_CLEAR,
	KEY_CWD,
	KEY_STDIN,
	KEY_UMASK,
	KEY_NICE,
	KEY_LIMITS,
	KEY_STDOUT,
	KEY_STDERR,
	KEY_CTTY,
	_KEY_MAX,
};

static const char *const key_names[_KEY_MAX] = {
	[KEY_ARGV] = "argv",
	[KEY_SHELL] = "shell",
	[KEY_ENV] = "env",
	[KEY_ENV_CLEAR] = "env_clear",
	[KEY_CWD] = "cwd",
	[KEY_STDIN] = "stdin",
	[KEY_UMASK] = "umask",
	[KEY_NICE] = "nice",
	[KEY_LIMITS] = "limits",
	[KEY_STDOUT] = "stdout",
	[KEY_STDERR] = "stderr",
	[KEY_CTTY] = "ctty",
};

/* Where each key's value stands; at its end: not given. */
struct keys {
	struct cursor of[_KEY_MAX];
};

static bool is_given(const struct keys *k, enum key key)
{
	return !cursor_at_end(&k->of[key]);
}

void exec_spec_init(struct exec_spec *s)
{
	*s = (struct exec_spec){.umask = -1};
}

void exec_spec_deinit(struct exec_spec *s)
{
	exec_strings_deinit(&s->strings);
}

static int refuse_key(poold_job *job, enum key key, const char *what)
{
	return poold_job_fail(job, "bad_request", "%s: %s", key_names[key], what);
}

static enum key find_key(const char *text, size_t len)
{
	enum key key;

	for (key = 0; key < _KEY_MAX; key++) {
		if (text_equal(text, len, key_names[key]))
			break;
	}
	return key;
}

static int parse_keys(poold_job *job, struct cursor c, struct keys *ret)
{
	char text[PROTO_NAME_BYTES];
	struct cursor value;
	const char *name;
	enum key key;
	uint32_t n;
	size_t len;

	if (!cursor_map(&c, &n))
		return poold_job_fail(job, "bad_request",
			"The input of a command is an array of strings or a map");
	for (uint32_t i = 0; i < n; i++) {
		if (!cursor_text(&c, &name, &len) || !cursor_skip(&c, &value))
			return poold_job_fail(
				job, "bad_request", "A key of the command is no text");
		key = find_key(name, len);
		if (key == _KEY_MAX)
			return poold_job_fail(job, "bad_request",
				"The command has the unknown key \"%s\"",
				text_escape(text, sizeof(text), name, len));
		if (cursor_peek(&value) == CURSOR_NIL)
			continue;
		ret->of[key] = value;
	}
	return is_given(ret, KEY_ARGV) ? 0 : refuse_key(job, KEY_ARGV, "missing");
}

/* The array's head was read: n strings follow. */
static int parse_argv(struct exec_spec *s, poold_job *job, struct cursor *c, uint32_t n)
{
	struct exec_strings *strings = &s->strings;
	char *arg;

	if (n == 0)
		return refuse_key(job, KEY_ARGV, "empty");
	exec_strings_add_pointer(strings, NULL);
	s->argv = exec_strings_here(strings);
	for (uint32_t i = 0; i < n; i++) {
		arg = exec_strings_copy(strings, c);
		if (!arg)
			return refuse_key(
				job, KEY_ARGV, "an element is no string, or has a NUL byte inside");
		exec_strings_add_pointer(strings, arg);
	}
	exec_strings_add_pointer(strings, NULL);
	return s->argv[0][0] ? 0 : refuse_key(job, KEY_ARGV, "the command's name is empty");
}

static int parse_shell_argv(struct exec_spec *s, poold_job *job, struct cursor *c)
{
	struct exec_strings *strings = &s->strings;
	char *script = exec_strings_copy(strings, c);

	if (!script)
		return refuse_key(
			job, KEY_ARGV, "with shell it is one string, without a NUL byte inside");
	exec_strings_add_pointer(strings, NULL);
	s->argv = exec_strings_here(strings);
	exec_strings_add_pointer(strings, "/bin/sh");
	exec_strings_add_pointer(strings, "-c");
	exec_strings_add_pointer(strings, script);
	exec_strings_add_pointer(strings, NULL);
	return 0;
}

static bool parse_flag(struct keys *k, enum key key, bool *ret)
{
	*ret = false;
	return !is_given(k, key) || cursor_bool(&k->of[key], ret);
}

static int parse_command(struct exec_spec *s, poold_job *job, struct keys *k)
{
	struct cursor c = k->of[KEY_ARGV];
	bool is_shell;
	uint32_t n;

	if (!parse_flag(k, KEY_SHELL, &is_shell))
		return refuse_key(job, KEY_SHELL, "neither true nor false");
	if (is_shell)
		return parse_shell_argv(s, job, &c);
	if (!cursor_array(&c, &n))
		return refuse_key(job, KEY_ARGV, "no array of strings");
	return parse_argv(s, job, &c, n);
}

static int build_env(struct exec_spec *s, poold_job *job, struct keys *k)
{
	const char *reason;
	bool is_cleared;

	if (!parse_flag(k, KEY_ENV_CLEAR, &is_cleared))
		return refuse_key(job, KEY_ENV_CLEAR, "neither true nor false");
	if (exec_env_build(&s->strings, job, k->of[KEY_ENV], is_cleared, &s->envp, &reason) != 0)
		return refuse_key(job, KEY_ENV, reason);
	s->path = exec_env_get(s->envp, "PATH");
	return 0;
}

static int parse_cwd(struct exec_spec *s, poold_job *job, struct keys *k)
{
	s->cwd = NULL;
	if (!is_given(k, KEY_CWD))
		return 0;
	s->cwd = exec_strings_copy(&s->strings, &k->of[KEY_CWD]);
	return s->cwd && s->cwd[0]
		       ? 0
		       : refuse_key(job, KEY_CWD, "no text, empty, or a NUL byte inside");
}

static int parse_streams(struct exec_spec *s, poold_job *job, struct keys *k)
{
	s->stdin = k->of[KEY_STDIN];
	for (enum key key = KEY_STDOUT; key <= KEY_STDERR; key++) {
		s->out[key - KEY_STDOUT] = k->of[key];
		if (is_given(k, key) && values_named_fd(job, k->of[key]) < 0)
			return refuse_key(job, key, "no file descriptor (ext 1)");
	}
	if (!parse_flag(k, KEY_CTTY, &s->has_ctty))
		return refuse_key(job, KEY_CTTY, "neither true nor false");
	return 0;
}

static int parse_numbers(struct exec_spec *s, poold_job *job, struct keys *k)
{
	int64_t v;

	s->umask = -1;
	s->has_nice = is_given(k, KEY_NICE);
	if (is_given(k, KEY_UMASK)) {
		if (!cursor_int(&k->of[KEY_UMASK], &v) || v < 0 || v > 0777)
			return refuse_key(job, KEY_UMASK, "no number from 0 to 0777");
		s->umask = (int)v;
	}
	if (s->has_nice) {
		if (!cursor_int(&k->of[KEY_NICE], &v) || v < -20 || v > 19)
			return refuse_key(job, KEY_NICE, "no number from -20 to 19");
		s->nice = (int)v;
	}
	return 0;
}

/* -1 is no limit. */
static bool parse_limit_value(struct cursor *c, rlim_t *ret)
{
	int64_t v;

	if (!cursor_int(c, &v) || v < -1)
		return false;
	*ret = v < 0 ? RLIM_INFINITY : (rlim_t)v;
	return true;
}

static bool parse_limit(struct cursor *c, struct rlimit *ret)
{
	uint32_t n;

	if (cursor_array(c, &n))
		return n == 2 && parse_limit_value(c, &ret->rlim_cur) &&
		       parse_limit_value(c, &ret->rlim_max) && ret->rlim_cur <= ret->rlim_max;
	if (!parse_limit_value(c, &ret->rlim_cur))
		return false;
	ret->rlim_max = ret->rlim_cur;
	return true;
}

static int parse_limits(struct exec_spec *s, poold_job *job, struct keys *k)
{
	struct cursor c = k->of[KEY_LIMITS];
	char text[PROTO_NAME_BYTES];
	const char *name;
	uint32_t n;
	size_t len;

	s->n_limits = 0;
	if (!is_given(k, KEY_LIMITS))
		return 0;
	if (!cursor_map(&c, &n) || n > EXEC_LIMITS_MAX)
		return refuse_key(job, KEY_LIMITS, "no map, or too many entries");
	for (uint32_t i = 0; i < n; i++) {
		struct exec_limit *limit = &s->limits[s->n_limits];
		const struct resource *found;

		if (!cursor_text(&c, &name, &len))
			return refuse_key(job, KEY_LIMITS, "a name is no text");
		found = resource_find(name, len);
		text_escape(text, sizeof(text), name, len);
		if (!found)
			return poold_job_fail(job, "bad_request",
				"limits: there is none of the name \"%s\"", text);
		if (!parse_limit(&c, &limit->value))
			return poold_job_fail(job, "bad_request",
				"limits: %s is neither a number nor [soft, hard] with soft <= hard",
				text);
		limit->name = found->name;
		limit->resource = found->number;
		s->n_limits++;
	}
	return 0;
}

/* An element of the input takes a byte at least, so that many pointers are enough for all of its
 * strings. */
static int reserve_for(struct exec_spec *s, const poold_job *job)
{
	size_t len = cursor_len(&job->input);

	return exec_strings_reserve(&s->strings, len + exec_env_text_bytes(job),
		len + exec_env_pointers() + ARGV_POINTERS);
}

int exec_spec_parse(struct exec_spec *s, poold_job *job)
{
	struct cursor c = job->input;
	struct keys k = {};
	int r;

	r = reserve_for(s, job);
	if (r < 0)
		return r;
	if (cursor_peek(&c) == CURSOR_ARRAY)
		k.of[KEY_ARGV] = c;
	else
		r = parse_keys(job, c, &k);
	if (r == 0)
		r = parse_command(s, job, &k);
	if (r == 0)
		r = build_env(s, job, &k);
	if (r == 0)
		r = parse_cwd(s, job, &k);
	if (r == 0)
		r = parse_numbers(s, job, &k);
	if (r == 0)
		r = parse_limits(s, job, &k);
	if (r == 0)
		r = parse_streams(s, job, &k);
	return r;
}
