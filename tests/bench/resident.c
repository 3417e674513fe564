#include "tests/bench/resident.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The process that listens. */
static pid_t listener(const char *socket_path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred cred;
	socklen_t len = sizeof(cred);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
	if (connect(fd, (void *)&a, sizeof(a)) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		perror(socket_path);
		exit(1);
	}
	close(fd);
	return cred.pid;
}

uint64_t resident_bytes(const char *socket_path)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)listener(socket_path));
	f = fopen(path, "re");
	if (!f) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof(line), f) && sscanf(line, "RssAnon: %" SCNu64, &kib) != 1)
		;
	fclose(f);
	return kib << 10;
}
