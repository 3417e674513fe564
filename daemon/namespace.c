/* Outside of its own user namespace a process has IDs that this one may not know. The kernel then
 * tells the overflow ID in their place (65534 as a rule), for all of them. An account of that ID
 * would be shared by strangers: who has it is refused, unless the namespace knows everybody. There
 * 65534 is a user like others.
 */
#include "daemon/namespace.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/log.h"

/* All IDs but -1. */
#define IDS_MAX UINT32_MAX

#define MAP_BYTES 4096

/* The map has lines of "inside outside count". */
static bool is_partial(const char *map)
{
	unsigned long long count, sum = 0;
	int n;

	while (sscanf(map, "%*u %*u %llu%n", &count, &n) == 1) {
		sum += count;
		map += n;
	}
	return sum < IDS_MAX;
}

static bool read_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return false;
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	return true;
}

/* The ID that stands for unknown ones, or -1. */
static uint32_t anybody(const char *map_path, const char *overflow_path)
{
	char map[MAP_BYTES] = "", overflow[16] = "65534";

	if (read_text(map_path, map, sizeof(map)) && !is_partial(map))
		return UINT32_MAX;
	(void)!read_text(overflow_path, overflow, sizeof(overflow));
	return (uint32_t)strtoul(overflow, NULL, 10);
}

struct namespace namespace_look(void)
{
	struct namespace ns = {
		.anybody_uid = anybody("/proc/self/uid_map", "/proc/sys/kernel/overflowuid"),
		.anybody_gid = anybody("/proc/self/gid_map", "/proc/sys/kernel/overflowgid"),
	};

	if (ns.anybody_uid == geteuid())
		log_warning(
			"poold runs as a user that its user namespace does not know: nobody can "
			"be served");
	else if (ns.anybody_uid != (uid_t)-1)
		log_notice("users that this user namespace does not know look like uid %u and are "
			   "refused",
			ns.anybody_uid);
	return ns;
}
