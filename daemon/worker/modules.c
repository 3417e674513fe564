#include "daemon/worker/modules.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/text.h"

/* Why a table is no good, with what it names; printed behind the module's path. */
#define REFUSE(message, path, ...)                                                                 \
	({                                                                                         \
		char reason_[MODULES_MESSAGE_BYTES / 2];                                           \
		snprintf(reason_, sizeof(reason_), __VA_ARGS__);                                   \
		snprintf(message, MODULES_MESSAGE_BYTES, "Module %.200s: %s", path, reason_);      \
		1;                                                                                 \
	})

static bool is_name(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return n > 0 && n <= PROTO_NAME_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
		       n;
}

static bool is_duplicate(const struct poold_function *functions, const struct poold_function *f)
{
	for (const struct poold_function *other = functions; other < f; other++) {
		if (strcmp(other->name, f->name) == 0)
			return true;
	}
	return false;
}

static int check_function(const struct poold_module *m, const struct poold_function *f,
	const char *path, char *message)
{
	if (!is_name(f->name))
		return REFUSE(message, path,
			"\"%.80s\" is no name for a function (letters, digits, _ - . and at most "
			"%u bytes)",
			f->name, PROTO_NAME_BYTES);
	if (is_duplicate(m->functions, f))
		return REFUSE(message, path, "two functions have the name %s", f->name);
	if (!f->run)
		return REFUSE(message, path, "function %s has no run", f->name);
	if (f->flags & ~POOLD_FUNCTION_PURE)
		return REFUSE(
			message, path, "function %s has unknown flags (%#x)", f->name, f->flags);
	if (!f->doc || strlen(f->doc) > PROTO_DOC_BYTES || !text_is_plain(f->doc, strlen(f->doc)))
		return REFUSE(message, path,
			"function %s has no doc, or it is not one line of at most %u bytes",
			f->name, PROTO_DOC_BYTES);
	return 0;
}

/* The whole table has to fit into one packet beside its envelope. */
static int check_size(const struct poold_module *m, const char *path, char *message)
{
	struct buf b = BUF_INIT(PROTO_PACKET_BYTES - 256u);
	struct bufpack p;
	int r;

	bufpack_init(&p, &b);
	modules_pack_functions(&p, m);
	r = bufpack_error(&p);
	buf_deinit(&b);
	return r < 0 ? REFUSE(message, path, "its table of functions is over %u bytes long",
			       PROTO_PACKET_BYTES - 256u)
		     : 0;
}

static int check_table(const struct poold_module *m, const char *path, char *message)
{
	unsigned n = 0;
	int r;

	if (m->abi != POOLD_MODULE_ABI)
		return REFUSE(message, path,
			"it was built for version %u of the module interface, this poold has %u",
			m->abi, POOLD_MODULE_ABI);
	if (!is_name(m->name))
		return REFUSE(message, path, "its table has no valid name");
	if (!m->functions || !m->functions->name)
		return REFUSE(message, path, "it has no functions");
	for (const struct poold_function *f = m->functions; f->name; f++) {
		if (++n > PROTO_FUNCTIONS_MAX)
			return REFUSE(message, path, "it has more than %u functions",
				PROTO_FUNCTIONS_MAX);
		r = check_function(m, f, path, message);
		if (r != 0)
			return r;
	}
	return check_size(m, path, message);
}

/* Threads of this process, or -errno. */
static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* A thread does not survive fork(), but the locks that it holds do. */
static int check_threads(const char *path, const char *when, char *message)
{
	int n = count_threads();

	if (n < 0)
		return REFUSE(message, path, "cannot look for threads: %s", strerror(-n));
	if (n > 1)
		return REFUSE(message, path,
			"it started a thread %s; start threads in init, which runs in each worker",
			when);
	return 0;
}

int modules_load(const char *path, const struct poold_module **ret, char *message)
{
	const struct poold_module *m;
	void *object;
	int r;

	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		return REFUSE(message, path, "%s", dlerror());
	m = dlsym(object, "poold_module");
	if (!m)
		return REFUSE(message, path, "it does not export poold_module");
	r = check_table(m, path, message);
	if (r == 0)
		r = check_threads(path, "while it was loaded", message);
	if (r != 0)
		return r;
	if (m->preload) {
		r = m->preload();
		if (r < 0)
			return REFUSE(message, path, "preload failed: %s", strerror(-r));
		r = check_threads(path, "in preload", message);
		if (r != 0)
			return r;
	}
	*ret = m;
	return 0;
}

const struct poold_function *modules_find(
	const struct poold_module *module, const char *name, size_t len)
{
	for (const struct poold_function *f = module->functions; f->name; f++) {
		if (text_equal(name, len, f->name))
			return f;
	}
	return NULL;
}

static unsigned count_functions(const struct poold_module *m)
{
	unsigned n = 0;

	while (m->functions[n].name)
		n++;
	return n;
}

void modules_pack_functions(struct bufpack *p, const struct poold_module *module)
{
	bufpack_array(p, count_functions(module));
	for (const struct poold_function *f = module->functions; f->name; f++) {
		bool is_pure = f->flags & POOLD_FUNCTION_PURE;

		bufpack_map(p, 3);
		bufpack_text(p, "name");
		bufpack_text(p, f->name);
		bufpack_text(p, "flags");
		bufpack_array(p, is_pure);
		if (is_pure)
			bufpack_text(p, "pure");
		bufpack_text(p, "doc");
		bufpack_text(p, f->doc);
	}
}
