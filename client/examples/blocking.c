/* The SHA-256 of each file that is named, as one future each, printed in the order in which they
 *end.
 *
 *	./blocking /bin/ls /bin/cat
 *
 * Needs a pool "digest" with the module digest; POOLD_FUNCTION names another function. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <poold.h>

static int submit_file(poold *p, const char *function, const char *path, poold_set *set)
{
	poold_options options = POOLD_OPTIONS_INIT;
	poold_future *future;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	options.label = path;
	options.auto_release = 1;
	for (;;) {
		r = poold_submit(p, function, poold_input_file(fd), &options, &future);
		if (r != -EAGAIN)
			break;
		/* much waits to be sent already: let it go out */
		r = poold_flush(p, POOLD_FOREVER);
		if (r < 0)
			break;
	}
	close(fd);
	if (r < 0)
		return r;
	r = poold_future_set_callback(future, NULL, (void *)path);
	if (r == 0)
		r = poold_set_add(set, future);
	poold_future_unref(future);
	return r;
}

static int print_future(poold_future *future)
{
	const char *path = poold_future_get_userdata(future), *code, *message;
	const void *digest;
	size_t len;

	if (poold_future_get_error(future, &code, &message) > 0) {
		fprintf(stderr, "%s: %s: %s\n", path, code, message);
		return 1;
	}
	if (poold_future_get_bytes(future, &digest, &len) < 0) {
		fprintf(stderr, "%s: the result is no text\n", path);
		return 1;
	}
	printf("%.*s  %s\n", (int)len, (const char *)digest, path);
	return 0;
}

int main(int argc, char **argv)
{
	const char *function = getenv("POOLD_FUNCTION");
	poold_future *future;
	poold_set *set;
	poold *p;
	int r, failed = 0;

	r = poold_open(&p, NULL);
	if (r < 0) {
		fprintf(stderr, "no connection: %s\n", poold_strerror(r));
		return 1;
	}
	r = poold_set_new(p, &set);
	for (int i = 1; r >= 0 && i < argc; i++) {
		r = submit_file(p, function ? function : "digest/sha256", argv[i], set);
		if (r < 0)
			fprintf(stderr, "%s: %s\n", argv[i], poold_strerror(r));
	}
	while (r >= 0 && poold_set_get_size(set) > 0) {
		r = poold_set_next(set, POOLD_FOREVER, &future);
		if (r > 0) {
			failed |= print_future(future);
			poold_future_unref(future);
		}
	}
	if (r < 0)
		fprintf(stderr, "%s\n", poold_get_error_text(p));
	poold_set_free(set);
	poold_unref(p);
	return r < 0 || failed;
}
