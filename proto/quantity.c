#include "proto/quantity.h"

#include <stdio.h>
#include <string.h>

#define TIME_MAX_US (100ull * 365 * 86400 * 1000000)
#define SIZE_MAX_B  ((1ull << 63) - 1)

struct unit {
	const char *name;
	double factor;
};

static const struct unit time_units[] = {
	{"us", 1},
	{"ms", 1e3},
	{"s", 1e6},
	{"sec", 1e6},
	{"m", 60e6},
	{"min", 60e6},
	{"h", 3600e6},
	{"hr", 3600e6},
	{"d", 86400e6},
	{"w", 7 * 86400e6},
	{NULL, 0},
};

static const struct unit size_units[] = {
	{"B", 1},
	{"K", 1024.0},
	{"KiB", 1024.0},
	{"M", 1024.0 * 1024},
	{"MiB", 1024.0 * 1024},
	{"G", 1024.0 * 1024 * 1024},
	{"GiB", 1024.0 * 1024 * 1024},
	{"T", 1024.0 * 1024 * 1024 * 1024},
	{"TiB", 1024.0 * 1024 * 1024 * 1024},
	{NULL, 0},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Digits with at most one point; strtod() would also take "inf", "0x1p3" and a sign. */
static bool read_number(const char **text, double *ret)
{
	const char *p = *text;
	double value = 0, place = 1;
	bool any = false;

	for (; is_digit(*p); p++, any = true)
		value = value * 10 + (*p - '0');
	if (*p == '.') {
		for (p++; is_digit(*p); p++, any = true) {
			place /= 10;
			value += (*p - '0') * place;
		}
	}
	if (!any)
		return false;
	*text = p;
	*ret = value;
	return true;
}

static bool read_unit(const char **text, const struct unit *units, double *ret_factor)
{
	size_t n = 0;

	while (is_letter((*text)[n]))
		n++;
	for (; units->name; units++) {
		if (strlen(units->name) == n && memcmp(units->name, *text, n) == 0) {
			*text += n;
			*ret_factor = units->factor;
			return true;
		}
	}
	return false;
}

/* A sum of numbers with units; a number without one stands alone and is multiplied by `bare`. */
static bool read_sum(
	const char *text, const struct unit *units, double bare, double max, uint64_t *ret)
{
	double sum = 0, number, factor;
	bool alone = true;

	do {
		if (!read_number(&text, &number))
			return false;
		if (alone && *text == '\0') {
			sum = number * bare;
			break;
		}
		if (!read_unit(&text, units, &factor))
			return false;
		alone = false;
		sum += number * factor;
		text += strspn(text, " ");
	} while (*text != '\0');
	if (sum > max)
		return false;
	*ret = (uint64_t)(sum + 0.5);
	return true;
}

bool quantity_time(const char *text, uint64_t *ret_us)
{
	return read_sum(text, time_units, 1e6, (double)TIME_MAX_US, ret_us);
}

bool quantity_size(const char *text, uint64_t *ret_bytes)
{
	uint64_t bytes;

	/* 2^63 - 1 as a double is 2^63: compare again as an integer. */
	if (!read_sum(text, size_units, 1, (double)SIZE_MAX_B, &bytes) || bytes > SIZE_MAX_B)
		return false;
	*ret_bytes = bytes;
	return true;
}

static void two_units(
	char *text, uint64_t big, const char *big_unit, uint64_t small, const char *small_unit)
{
	if (small > 0)
		snprintf(text, QUANTITY_TEXT, "%llu%s %llu%s", (unsigned long long)big, big_unit,
			(unsigned long long)small, small_unit);
	else
		snprintf(text, QUANTITY_TEXT, "%llu%s", (unsigned long long)big, big_unit);
}

const char *quantity_time_text(double seconds, char text[QUANTITY_TEXT])
{
	uint64_t s;

	if (!(seconds > 0))
		seconds = 0;
	if (seconds > 1e11)
		seconds = 1e11;
	s = (uint64_t)seconds;
	if (seconds == 0)
		snprintf(text, QUANTITY_TEXT, "0s");
	else if (seconds < 999.5e-6)
		snprintf(text, QUANTITY_TEXT, "%.0fus", seconds * 1e6);
	else if (seconds < 0.9995)
		snprintf(text, QUANTITY_TEXT, "%.3gms", seconds * 1e3);
	else if (seconds < 60)
		snprintf(text, QUANTITY_TEXT, "%.3gs", seconds);
	else if (s < 3600)
		two_units(text, s / 60, "min", s % 60, "s");
	else if (s < 86400)
		two_units(text, s / 3600, "h", s % 3600 / 60, "min");
	else
		two_units(text, s / 86400, "d", s % 86400 / 3600, "h");
	return text;
}

const char *quantity_size_text(uint64_t bytes, char text[QUANTITY_TEXT])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1023.5 && unit < (int)sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, QUANTITY_TEXT, "%llu", (unsigned long long)bytes);
	else
		snprintf(text, QUANTITY_TEXT, value < 9.95 ? "%.1f%c" : "%.0f%c", value,
			units[unit]);
	return text;
}
