/* One argument of map, from its hand-in to its printed result. */
#pragma once

#include <sys/queue.h>

#include "client/poolctl/job.h"
#include "client/poolctl/map_report.h"

/* What is done with every argument. */
struct map_spec {
	char function[PROTO_ADDRESS_BYTES + 1];
	char *const *words; /* of the command, ending with NULL */
	const struct commandargs *command;
	poold_options options;
	bool is_function; /* else a command */
	bool files;	  /* the argument names a file, whose content is the input */
	bool tag;	  /* put the argument in front of each line */
};

struct map_item {
	TAILQ_ENTRY(map_item) link;   /* in the order of the arguments */
	STAILQ_ENTRY(map_item) later; /* of those that are to be handed in again */
	void *map;		      /* for its callback */
	uint64_t seq;		      /* from 1 */
	char *argument;
	poold_future *f;	    /* NULL: not handed in, or with others */
	const poold_map_item *part; /* of a job of many items: its end; NULL */
	int error;		    /* it could not be handed in, -errno */
	bool is_settled;
	bool was_alone; /* no other job of this map was out when it was handed in */
	size_t sent;
	double started; /* unix seconds */
};

TAILQ_HEAD(map_items, map_item);
STAILQ_HEAD(map_later, map_item);

/* Consumes argument. NULL without memory. */
must_check struct map_item *map_item_new(void *map, uint64_t seq, char *argument);
void map_item_free(struct map_item *item);
/* What it is as an input; input_deinit() it. 0 or -errno. */
must_check int map_item_input(
	const struct map_spec *spec, struct map_item *item, struct input *ret);
/* 0, or -errno. The callback gets the item when the job has ended. */
must_check int map_item_hand_in(struct ctl *ctl, const struct map_spec *spec, struct map_item *item,
	poold_callback on_settled);
/* The code of the daemon's refusal; OUTCOME_E_NONE if it did not refuse. */
enum outcome_code map_item_refusal(const struct map_item *item);
/* Prints the result, or why there is none; counts and logs it. 0 or -ENOMEM. */
must_check int map_item_print(struct ctl *ctl, const struct map_spec *spec,
	const struct map_item *item, struct map_report *report);
