#include "client/poolctl/jobargs.h"

#include "client/poold-command.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/poolctl/json.h"

extern char **environ;

static inline void command_freep(poold_command **c)
{
	*c = poold_command_free(*c);
}

/* $TRACEPARENT, if it can be one. */
static const char *inherited_trace(void)
{
	const char *trace = getenv("TRACEPARENT");

	return trace && *trace && strlen(trace) <= PROTO_TRACE_BYTES ? trace : NULL;
}

/* A comma ends each word but the last. False: one of them is none. */
static bool parse_ends(const char *words, uint8_t *ret)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} ends[] = {
		{"lost", POOLD_RETRY_ON_LOST},
		{"failed", POOLD_RETRY_ON_FAILED},
		{"timeout", POOLD_RETRY_ON_TIMEOUT},
	};
	size_t len, i;

	for (*ret = 0;; words += len + 1) {
		len = strcspn(words, ",");
		for (i = 0; i < ARRAY_SIZE(ends); i++)
			if (strlen(ends[i].word) == len && strncmp(words, ends[i].word, len) == 0)
				break;
		if (i == ARRAY_SIZE(ends))
			return false;
		*ret |= ends[i].bit;
		if (!words[len])
			return true;
	}
}

/* Who asks for retries on the command line means all ends that are not well. */
static int set_retries(struct ctl *ctl, const struct jobargs *a, poold_options *o)
{
	if (!a->retries.set)
		return a->retry_on || a->backoff.set
			       ? ctl_usage(ctl, "--retry-on and --backoff need --retries")
			       : 0;
	if (a->retries.value > PROTO_RETRIES_MAX)
		return ctl_usage(ctl, "--retries: at most %u", PROTO_RETRIES_MAX);
	o->retries = (uint32_t)a->retries.value;
	if (!parse_ends(a->retry_on ? a->retry_on : "failed,lost,timeout", &o->retry_on))
		return ctl_usage(ctl,
			"--retry-on: failed, lost, timeout with commas between, not %s",
			a->retry_on);
	return 0;
}

int jobargs_options(struct ctl *ctl, const struct jobargs *a, poold_options *ret)
{
	poold_options o = POOLD_OPTIONS_INIT;

	const struct {
		const char *name;
		const struct opt_time *given;
		uint64_t *to;
	} times[] = {
		{"timeout", &a->timeout, &o.timeout_us},
		{"grace", &a->grace, &o.grace_us},
		{"ttl", &a->ttl, &o.ttl_us},
		{"start-within", &a->start_within, &o.start_within_us},
		{"deadline", &a->deadline, &o.deadline_us},
		{"delay", &a->delay, &o.delay_us},
		{"backoff", &a->backoff, &o.backoff_us},
		{"admit-within", &a->admit_within, &o.admit_within_us},
	};
	int code;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (times[i].given->set && !times[i].given->us)
			return ctl_usage(ctl, "--%s must be above 0", times[i].name);
		*times[i].to = times[i].given->us;
	}
	code = set_retries(ctl, a, &o);
	if (code)
		return code;
	o.group = a->group;
	o.label = a->label;
	o.trace = a->trace ? a->trace : inherited_trace();
	o.priority = (int32_t)a->priority.value;
	o.after = a->after.ids;
	o.n_after = a->after.n;
	o.after_any = a->after_any.ids;
	o.n_after_any = a->after_any.n;
	*ret = o;
	return 0;
}

/* --setenv of a variable without a name, or of one that is not set here. */
static const char *find_bad_variable(const struct opt_list *list)
{
	const char *item;
	size_t i;

	for (i = 0; i < list->n; i++) {
		item = list->items[i];
		if (*item == '=' || *item == '\0' || (!strchr(item, '=') && !getenv(item)))
			return item;
	}
	return NULL;
}

const char *commandargs_given(const struct commandargs *a)
{
	if (a->pool)
		return "--pool";
	if (a->cwd)
		return "--cwd";
	if (a->shell)
		return "--shell";
	return a->setenv.n > 0 ? "--setenv" : NULL;
}

static int check_directory(struct ctl *ctl, const struct commandargs *a)
{
	cleanup_free char *here = NULL;

	if (a->cwd && *a->cwd == '/')
		return 0;
	if (!a->is_own && a->cwd)
		return ctl_usage(ctl, "--cwd: for another user's daemon it must begin with /");
	if (!a->is_own)
		return 0;
	here = getcwd(NULL, 0);
	return here ? 0 : ctl_own_failure(ctl, -errno, "the working directory");
}

int commandargs_check(
	struct ctl *ctl, struct commandargs *a, char function[PROTO_ADDRESS_BYTES + 1])
{
	const char *bad = find_bad_variable(&a->setenv);
	const char *pool = a->pool ? a->pool : "default";
	int code;

	if (bad)
		return ctl_usage(ctl,
			strchr(bad, '=') ? "--setenv: \"%s\" has no name"
					 : "--setenv: there is no variable \"%s\" here",
			bad);
	if (strlen(pool) > PROTO_NAME_BYTES)
		return ctl_usage(ctl, "--pool: longer than %u bytes", PROTO_NAME_BYTES);
	snprintf(function, PROTO_ADDRESS_BYTES + 1, "%s/exec", pool);
	code = ctl_connect(ctl);
	if (code == 0)
		code = ctl_is_own(ctl, &a->is_own);
	return code ? code : check_directory(ctl, a);
}

void input_deinit(struct input *in)
{
	in->fd = fd_close(in->fd);
	in->command = poold_command_free(in->command);
	buf_deinit(&in->buf);
}

int input_open(const char *path)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? -EISDIR : take_fd(&fd);
}

int input_file(struct input *ret, const char *path)
{
	int fd = input_open(path);

	if (fd < 0)
		return fd;
	*ret = (struct input){.value = poold_input_file(fd), .fd = fd};
	return 0;
}

int input_text(struct input *ret, const char *text)
{
	*ret = (struct input){.value = poold_input_text(text), .fd = -1};
	return 0;
}

static int finish_encoded(struct input *ret, struct bufpack *p, struct buf *b)
{
	int r = bufpack_error(p);

	if (r < 0) {
		buf_deinit(b);
		return r == -ENOBUFS ? -EMSGSIZE : r;
	}
	*ret = (struct input){
		.value = poold_input_encoded(buf_head(b), buf_used(b)),
		.buf = *b,
		.fd = -1,
	};
	return 0;
}

/* Consumes value. */
static int input_json(struct input *ret, json_t *value)
{
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	struct bufpack p;

	bufpack_init(&p, &b);
	json_pack_value(&p, value);
	json_decref(value);
	return finish_encoded(ret, &p, &b);
}

static int input_texts(struct input *ret, int argc, char **argv)
{
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	struct bufpack p;
	int i;

	bufpack_init(&p, &b);
	bufpack_array(&p, (size_t)argc);
	for (i = 0; i < argc; i++)
		bufpack_text(&p, argv[i]);
	return finish_encoded(ret, &p, &b);
}

/* One future by itself, several as an array. */
static int input_futures(struct input *ret, const struct opt_ids *futures)
{
	struct buf b = BUF_INIT(PROTO_MESSAGE_BYTES);
	struct bufpack p;
	uint64_t id;

	if (futures->n == 1) {
		*ret = (struct input){.value = poold_input_future(futures->ids[0]), .fd = -1};
		return 0;
	}
	bufpack_init(&p, &b);
	bufpack_array(&p, futures->n);
	for (size_t i = 0; i < futures->n; i++) {
		id = htobe64(futures->ids[i]);
		bufpack_ext(&p, PROTO_EXT_FUTURE, &id, sizeof(id));
	}
	return finish_encoded(ret, &p, &b);
}

int input_take_future(struct ctl *ctl, const struct inputargs *a, struct input *in)
{
	int r;

	if (a->futures.n == 0)
		return 0;
	r = poold_command_set_stdin(in->command, poold_input_future(a->futures.ids[0]));
	if (r == 0)
		return 0;
	input_deinit(in);
	return ctl_own_failure(ctl, r, "input");
}

int input_of_function(
	struct ctl *ctl, const struct inputargs *a, int argc, char **argv, struct input *ret)
{
	json_error_t error;
	json_t *value;
	int r = 0;

	if ((a->file ? 1 : 0) + (a->json ? 1 : 0) + (a->futures.n > 0) + (argc > 0 ? 1 : 0) > 1)
		return ctl_usage(
			ctl, "--input, --input-future, --json-arg and texts exclude each other");
	if (a->file) {
		r = input_file(ret, a->file);
	} else if (a->futures.n > 0) {
		r = input_futures(ret, &a->futures);
	} else if (a->json) {
		value = json_loads(a->json, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		if (!value)
			return ctl_usage(ctl, "--json-arg: no JSON: %s", error.text);
		r = input_json(ret, value);
	} else if (argc == 1 && !a->each) {
		r = input_text(ret, argv[0]);
	} else if (argc > 0) {
		r = input_texts(ret, argc, argv);
	} else {
		*ret = (struct input){.value = poold_input_nil(), .fd = -1};
	}
	return r < 0 ? ctl_own_failure(ctl, r, a->file ? a->file : "input") : 0;
}

static int set_variable(poold_command *c, const char *item)
{
	const char *value = strchr(item, '=');
	cleanup_free char *name = strndup(item, value ? (size_t)(value - item) : strlen(item));

	if (!name)
		return -ENOMEM;
	value = value ? value + 1 : getenv(name);
	return poold_command_set_env(c, name, value ? value : "");
}

static int set_environment(poold_command *c, const struct commandargs *a)
{
	size_t i;
	int r = 0;

	if (a->is_own) {
		r = poold_command_clear_env(c);
		if (r >= 0)
			r = poold_command_set_environ(c, (const char *const *)environ);
	}
	for (i = 0; r >= 0 && i < a->setenv.n; i++)
		r = set_variable(c, a->setenv.items[i]);
	return r;
}

/* --cwd as seen from here; without it, for one's own daemon, the working directory. */
static int set_directory(poold_command *c, const struct commandargs *a)
{
	cleanup_free char *here = NULL, *path = NULL;

	if (a->cwd && *a->cwd == '/')
		return poold_command_set_cwd(c, a->cwd);
	if (!a->is_own)
		return 0;
	here = getcwd(NULL, 0);
	if (!here)
		return -errno;
	if (!a->cwd)
		return poold_command_set_cwd(c, here);
	if (asprintf(&path, "%s/%s", here, a->cwd) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return poold_command_set_cwd(c, path);
}

static int set_shell(poold_command *c, char *const *argv)
{
	cleanup_free char *text = NULL;
	size_t i, len = 1;
	char *to;

	for (i = 0; argv[i]; i++)
		len += strlen(argv[i]) + 1;
	text = calloc(1, len);
	if (!text)
		return -ENOMEM;
	for (i = 0, to = text; argv[i]; i++) {
		if (i > 0)
			*to++ = ' ';
		to = stpcpy(to, argv[i]);
	}
	return poold_command_set_shell(c, text);
}

static int set_streams(poold_command *c, const struct stdio *io)
{
	int r = 0;

	if (io->is_copied)
		r = poold_command_set_stdin(c, poold_input_file(io->fds[0]));
	else if (io->fds[0] >= 0)
		r = poold_command_set_stdin_fd(c, io->fds[0]);
	if (r >= 0 && io->fds[1] >= 0)
		r = poold_command_set_stdout_fd(c, io->fds[1]);
	if (r >= 0 && io->fds[2] >= 0)
		r = poold_command_set_stderr_fd(c, io->fds[2]);
	if (r >= 0 && io->has_ctty)
		r = poold_command_set_ctty(c);
	return r;
}

int input_command(
	struct input *ret, const struct commandargs *a, char *const *argv, const struct stdio *io)
{
	cleanup(command_freep) poold_command *c = NULL;
	int r;

	r = poold_command_new(&c);
	if (r >= 0)
		r = a->shell ? set_shell(c, argv)
			     : poold_command_add_argv(c, (const char *const *)argv);
	if (r >= 0)
		r = set_environment(c, a);
	if (r >= 0)
		r = set_directory(c, a);
	if (r >= 0 && io)
		r = set_streams(c, io);
	if (r < 0)
		return r;
	*ret = (struct input){.value = poold_input_command(c), .fd = -1};
	ret->command = take_ptr(c);
	return 0;
}

int input_of_command(struct ctl *ctl, const struct commandargs *c, const struct stdio *io,
	char *const *argv, struct input *ret)
{
	int r = input_command(ret, c, argv, io);

	return r < 0 ? ctl_own_failure(ctl, r, io->is_copied ? "input" : argv[0]) : 0;
}
