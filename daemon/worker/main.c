#include "config.h"

#include <stdio.h>
#include <string.h>

#include "daemon/worker/zygote.h"

/* The pool's name is for people who look at the list of processes. */
int main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("poold-worker " PACKAGE_VERSION);
		return 0;
	}
	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "poold-worker is started by poold.\n");
		return 2;
	}
	return zygote_main();
}
