/* The input of a function of handler exec: the map {argv, shell, env, env_clear, cwd, stdin,
 * stdout, stderr, ctty, umask, nice, limits}. What is set is kept encoded, so that a submit only
 * puts the pieces together. */
#include <errno.h>
#include <string.h>

#include "client/client_internal.h"

#include "client/poold-command.h"

/* A whole command must fit into a message. */
#define PIECE_BYTES PROTO_MESSAGE_BYTES

/* Names and values of a map. */
struct pairs {
	struct pair {
		char *name;
		struct buf value; /* encoded; empty if setting it failed */
	} * pair;
	size_t n;
};

struct poold_command {
	struct buf argv; /* encoded strings */
	size_t n_argv;
	bool is_shell;
	bool is_env_clear;
	bool has_umask;
	bool has_nice;
	unsigned umask;
	int nice;
	char *cwd;
	struct pairs env;
	struct pairs limits;
	struct buf stdin_value; /* encoded; empty: none, or an fd */
	int fds[3];		/* its standard input, output, error; -1 */
	bool has_ctty;
};

static void free_pairs(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		free(pairs->pair[i].name);
		buf_deinit(&pairs->pair[i].value);
	}
	free(pairs->pair);
}

/* The pair of that name, new if there was none; its value is empty. */
static struct pair *get_pair(struct pairs *pairs, const char *name, size_t len)
{
	struct pair *pair;

	for (size_t i = 0; i < pairs->n; i++) {
		pair = &pairs->pair[i];
		if (strncmp(pair->name, name, len) == 0 && pair->name[len] == '\0') {
			buf_clear(&pair->value);
			return pair;
		}
	}
	pair = reallocarray(pairs->pair, pairs->n + 1, sizeof(*pair));
	if (!pair)
		return NULL;
	pairs->pair = pair;
	pair += pairs->n;
	pair->name = strndup(name, len);
	if (!pair->name)
		return NULL;
	pair->value = BUF_INIT(PIECE_BYTES);
	pairs->n++;
	return pair;
}

static int too_long(int r)
{
	return r == -ENOBUFS ? -EMSGSIZE : r;
}

static void pack_pairs(struct bufpack *p, const char *key, const struct pairs *pairs)
{
	if (pairs->n == 0)
		return;
	bufpack_text(p, key);
	bufpack_map(p, pairs->n);
	for (size_t i = 0; i < pairs->n; i++) {
		const struct buf *value = &pairs->pair[i].value;

		bufpack_text(p, pairs->pair[i].name);
		if (buf_used(value) > 0)
			bufpack_raw(p, buf_head(value), buf_used(value));
		else
			bufpack_nil(p);
	}
}

poold_public int poold_command_new(poold_command **ret_command)
{
	poold_command *c;

	if (!ret_command)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	buf_init(&c->argv, PIECE_BYTES);
	buf_init(&c->stdin_value, PIECE_BYTES);
	for (unsigned i = 0; i < ARRAY_SIZE(c->fds); i++)
		c->fds[i] = -1;
	*ret_command = c;
	return 0;
}

poold_public poold_command *poold_command_free(poold_command *c)
{
	if (c) {
		buf_deinit(&c->argv);
		buf_deinit(&c->stdin_value);
		for (unsigned i = 0; i < ARRAY_SIZE(c->fds); i++)
			fd_close(c->fds[i]);
		free(c->cwd);
		free_pairs(&c->env);
		free_pairs(&c->limits);
		free(c);
	}
	return NULL;
}

static int add_text(poold_command *c, const char *text)
{
	size_t before = buf_used(&c->argv);
	struct bufpack p;
	int r;

	bufpack_init(&p, &c->argv);
	bufpack_text(&p, text);
	r = bufpack_error(&p);
	if (r < 0)
		buf_truncate(&c->argv, before);
	else
		c->n_argv++;
	return too_long(r);
}

poold_public int poold_command_add_arg(poold_command *c, const char *arg)
{
	return c && arg && !c->is_shell ? add_text(c, arg) : -EINVAL;
}

poold_public int poold_command_add_argv(poold_command *c, const char *const *argv)
{
	int r = c && argv && !c->is_shell ? 0 : -EINVAL;

	while (r == 0 && *argv)
		r = add_text(c, *argv++);
	return r;
}

poold_public int poold_command_set_shell(poold_command *c, const char *text)
{
	int r;

	if (!c || !text || c->n_argv > 0)
		return -EINVAL;
	r = add_text(c, text);
	c->is_shell = r == 0;
	return r;
}

static int set_env(poold_command *c, const char *name, size_t len, const char *value)
{
	struct pair *pair;
	struct bufpack p;

	if (len == 0 || memchr(name, '=', len))
		return -EINVAL;
	pair = get_pair(&c->env, name, len);
	if (!pair)
		return -ENOMEM;
	bufpack_init(&p, &pair->value);
	if (value)
		bufpack_text(&p, value);
	else
		bufpack_nil(&p);
	return too_long(bufpack_error(&p));
}

poold_public int poold_command_set_env(poold_command *c, const char *name, const char *value)
{
	return c && name ? set_env(c, name, strlen(name), value) : -EINVAL;
}

poold_public int poold_command_set_environ(poold_command *c, const char *const *vars)
{
	int r = c && vars ? 0 : -EINVAL;

	for (; r == 0 && *vars; vars++) {
		const char *value = strchr(*vars, '=');

		/* what has no name or no value is no variable */
		if (value && value > *vars)
			r = set_env(c, *vars, (size_t)(value - *vars), value + 1);
	}
	return r;
}

poold_public int poold_command_clear_env(poold_command *c)
{
	if (!c)
		return -EINVAL;
	c->is_env_clear = true;
	return 0;
}

poold_public int poold_command_set_cwd(poold_command *c, const char *path)
{
	char *copy;

	if (!c || !path || *path != '/')
		return -EINVAL;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(c->cwd);
	c->cwd = copy;
	return 0;
}

poold_public int poold_command_set_stdin(poold_command *c, poold_input input)
{
	int r, fd = -1;

	if (!c)
		return -EINVAL;
	buf_clear(&c->stdin_value);
	c->fds[0] = fd_close(c->fds[0]);
	r = cl_payload_store(&input, &c->stdin_value, &fd);
	if (r < 0)
		buf_clear(&c->stdin_value);
	else if (r > 0)
		c->fds[0] = fd;
	return r < 0 ? too_long(r) : 0;
}

static int set_fd(poold_command *c, unsigned which, int fd)
{
	int copy;

	if (!c)
		return -EINVAL;
	copy = cl_dup(fd);
	if (copy < 0)
		return copy;
	fd_close(c->fds[which]);
	c->fds[which] = copy;
	return 0;
}

poold_public int poold_command_set_stdin_fd(poold_command *c, int fd)
{
	int r = set_fd(c, 0, fd);

	if (r == 0)
		buf_clear(&c->stdin_value);
	return r;
}

poold_public int poold_command_set_stdout_fd(poold_command *c, int fd)
{
	return set_fd(c, 1, fd);
}

poold_public int poold_command_set_stderr_fd(poold_command *c, int fd)
{
	return set_fd(c, 2, fd);
}

poold_public int poold_command_set_ctty(poold_command *c)
{
	if (!c)
		return -EINVAL;
	c->has_ctty = true;
	return 0;
}

poold_public int poold_command_set_umask(poold_command *c, unsigned mask)
{
	if (!c || mask > 0777)
		return -EINVAL;
	c->umask = mask;
	c->has_umask = true;
	return 0;
}

poold_public int poold_command_set_nice(poold_command *c, int nice)
{
	if (!c || nice < -20 || nice > 19)
		return -EINVAL;
	c->nice = nice;
	c->has_nice = true;
	return 0;
}

poold_public int poold_command_set_limit(poold_command *c, const char *name, uint64_t value)
{
	struct pair *pair;
	struct bufpack p;

	if (!c || !name || (value > INT64_MAX && value != UINT64_MAX))
		return -EINVAL;
	pair = get_pair(&c->limits, name, strlen(name));
	if (!pair)
		return -ENOMEM;
	bufpack_init(&p, &pair->value);
	if (value == UINT64_MAX)
		bufpack_int(&p, -1);
	else
		bufpack_uint(&p, value);
	return bufpack_error(&p);
}

static int pack_fd(struct cl_draft *d, int fd)
{
	int copy, r;

	r = cl_draft_check_fd(d);
	if (r < 0)
		return r;
	copy = cl_dup(fd);
	if (copy < 0)
		return copy;
	r = cl_draft_add_fd(d, copy);
	if (r < 0)
		fd_close(copy);
	return r;
}

static int pack_streams(struct cl_draft *d, const poold_command *c)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	int r = 0;

	if (buf_used(&c->stdin_value) > 0) {
		bufpack_text(&d->pk, names[0]);
		bufpack_raw(&d->pk, buf_head(&c->stdin_value), buf_used(&c->stdin_value));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		if (c->fds[i] < 0)
			continue;
		bufpack_text(&d->pk, names[i]);
		r = pack_fd(d, c->fds[i]);
	}
	return r;
}

static unsigned count_streams(const poold_command *c)
{
	unsigned n = buf_used(&c->stdin_value) > 0;

	for (unsigned i = 0; i < ARRAY_SIZE(c->fds); i++)
		n += c->fds[i] >= 0;
	return n;
}

int cl_command_pack(struct cl_draft *d, const poold_command *c)
{
	struct bufpack *p = &d->pk;

	if (c->n_argv == 0)
		return -EINVAL;
	bufpack_map(p, 1u + c->is_shell + c->is_env_clear + c->has_umask + c->has_nice +
			       (c->cwd != NULL) + (c->env.n > 0) + (c->limits.n > 0) + c->has_ctty +
			       count_streams(c));
	bufpack_text(p, "argv");
	if (!c->is_shell)
		bufpack_array(p, c->n_argv);
	bufpack_raw(p, buf_head(&c->argv), buf_used(&c->argv));
	if (c->is_shell) {
		bufpack_text(p, "shell");
		bufpack_bool(p, true);
	}
	if (c->is_env_clear) {
		bufpack_text(p, "env_clear");
		bufpack_bool(p, true);
	}
	if (c->cwd) {
		bufpack_text(p, "cwd");
		bufpack_text(p, c->cwd);
	}
	if (c->has_umask) {
		bufpack_text(p, "umask");
		bufpack_uint(p, c->umask);
	}
	if (c->has_nice) {
		bufpack_text(p, "nice");
		bufpack_int(p, c->nice);
	}
	if (c->has_ctty) {
		bufpack_text(p, "ctty");
		bufpack_bool(p, true);
	}
	pack_pairs(p, "env", &c->env);
	pack_pairs(p, "limits", &c->limits);
	return pack_streams(d, c);
}
