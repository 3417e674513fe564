/* poold: parse, set up, run, undo. */
#include <config.h>

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/server.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: poold [--config FILE] [--socket PATH] [--check-config]\n"
	"\n"
	"The supervisor of a pool of workers: takes jobs on a Unix socket, answers with future "
	"IDs.\n"
	"Runs in the foreground and says READY when it serves.\n"
	"\n"
	"  -c, --config FILE    read this file (and FILE.d/*.conf), not the standard places\n"
	"  -s, --socket PATH    listen there, whatever the configuration says\n"
	"      --check-config   check the configuration and exit\n"
	"  -v, --verbose        log at debug level\n"
	"  -h, --help           this text\n"
	"      --version        the version\n";

struct arguments {
	struct config_override override;
	bool only_check;
};

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct arguments *a)
{
	enum { OPT_CHECK = 256, OPT_VERSION };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"socket", required_argument, NULL, 's'},
		{"check-config", no_argument, NULL, OPT_CHECK},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:s:vh", options, NULL)) >= 0)
		switch (c) {
		case 'c': a->override.file = optarg; break;
		case 's': a->override.socket = optarg; break;
		case 'v': a->override.is_verbose = true; break;
		case OPT_CHECK: a->only_check = true; break;
		case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
		case OPT_VERSION: puts("poold " PACKAGE_VERSION); return EXIT_SUCCESS;
		default: fputs(usage, stderr); return EXIT_USAGE;
		}
	if (optind == argc)
		return -1;
	fprintf(stderr, "poold: unexpected argument: %s\n%s", argv[optind], usage);
	return EXIT_USAGE;
}

/* Whoever only asks is told of all errors. */
static int load(const struct arguments *a, struct config **ret)
{
	cleanup(config_errors_clear) struct config_errors errors = {0};
	int r;

	r = config_load(&a->override, ret, &errors);
	if (r < 0)
		log_err("cannot read the configuration: %s", strerror(-r));
	config_errors_log(&errors, a->only_check ? SIZE_MAX : CONFIG_ERRORS_LOGGED);
	return r;
}

/* Tables double as they grow. By default glibc takes everything up to the size of the largest that
 * was ever freed from the heap, where what is freed in the middle stays. */
#define MMAP_BYTES (1 << 20)
/* That settles how much the heap keeps at its end, too, which else grows with it. */
#define TRIM_BYTES (8 << 20)

int main(int argc, char **argv)
{
	cleanup(server_freep) struct server *server = NULL;
	struct arguments a = {0};
	struct config *config;
	int r;

	r = parse(argc, argv, &a);
	if (r >= 0)
		return r;
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	if (!a.only_check)
		server_hold_signals();
	if (load(&a, &config) != 0)
		return EXIT_FAILURE;
	if (a.only_check) {
		config_free(config);
		return EXIT_SUCCESS;
	}
	log_set_level(config->log_level);
	if (server_new(config, &a.override, &server) < 0)
		return EXIT_FAILURE;
	return server_run(server);
}
