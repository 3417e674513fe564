/* What it answers to a job with `each`. */
#include "tests/lib/hostile.h"

/* [1, msgid, ["failed", "It broke", {… */
static void begin(unsigned n_entries)
{
	hostile_begin_error("failed", "It broke", n_entries);
}

static void end(int fd)
{
	bufpack_nil(&hostile_pack);
	hostile_send(&fd, fd >= 0);
}

static int pack_fd(void)
{
	bufpack_ext_fd(&hostile_pack, 0);
	return shm_from_bytes("hostile", "x", 1);
}

static void each_index_alone(void)
{
	begin(1);
	bufpack_field_uint(&hostile_pack, "index", 1);
	end(-1);
}

static void each_results_alone(void)
{
	begin(1);
	bufpack_text(&hostile_pack, "results");
	bufpack_array(&hostile_pack, 0);
	end(-1);
}

static void each_index_no_number(void)
{
	begin(2);
	bufpack_field_text(&hostile_pack, "index", "one");
	bufpack_text(&hostile_pack, "results");
	bufpack_array(&hostile_pack, 0);
	end(-1);
}

static void each_results_no_array(void)
{
	begin(2);
	bufpack_field_uint(&hostile_pack, "index", 1);
	bufpack_field_uint(&hostile_pack, "results", 1);
	end(-1);
}

static void each_results_deep(void)
{
	begin(2);
	bufpack_field_uint(&hostile_pack, "index", 1);
	bufpack_text(&hostile_pack, "results");
	for (unsigned i = 0; i <= PROTO_VALUE_DEPTH; i++)
		bufpack_array(&hostile_pack, 1);
	bufpack_nil(&hostile_pack);
	end(-1);
}

static void each_fd_in_data(void)
{
	int fd;

	begin(3);
	bufpack_text(&hostile_pack, "data");
	fd = pack_fd();
	bufpack_field_uint(&hostile_pack, "index", 0);
	bufpack_text(&hostile_pack, "results");
	bufpack_array(&hostile_pack, 0);
	end(fd);
}

static void each_fd_in_results(void)
{
	int fd;

	begin(2);
	bufpack_field_uint(&hostile_pack, "index", 1);
	bufpack_text(&hostile_pack, "results");
	bufpack_array(&hostile_pack, 1);
	fd = pack_fd();
	end(fd);
}

const struct hostile_deed hostile_each[] = {
	DEED(each_index_alone),
	DEED(each_results_alone),
	DEED(each_index_no_number),
	DEED(each_results_no_array),
	DEED(each_results_deep),
	DEED(each_fd_in_data),
	DEED(each_fd_in_results),
	{NULL, NULL},
};
