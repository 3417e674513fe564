#include "proto/cpulist.h"

#include <stdlib.h>

/* Digits only: strtoul() alone would take blanks and signs. */
static bool take_number(const char **at, unsigned long *ret)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	*ret = strtoul(*at, &end, 10);
	*at = end;
	return *ret < CPU_SETSIZE;
}

bool cpulist_parse(const char *text, cpu_set_t *ret)
{
	unsigned long first, last;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (;; text++) {
		while (*text == ' ')
			text++;
		if (!take_number(&text, &first))
			return false;
		last = first;
		if (*text == '-' && (text++, !take_number(&text, &last)))
			return false;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, &set);
		if (last < first || (*text != ',' && *text != ' ' && *text != '\0'))
			return false;
		if (*text == '\0')
			break;
	}
	*ret = set;
	return true;
}
