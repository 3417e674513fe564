/* Parsers of values that are lists. */
#pragma once

#include "daemon/config_parse.h"

/* A later one of the same name takes the place of an earlier one; no text empties the list. */
must_check int config_list_set_env(const struct config_value *v);
/* NULL. */
char **config_list_free_env(char **list);
/* Takes the place of those that were allowed before. */
must_check int config_list_set_allow(const struct config_value *v);
void config_list_clear_allow(struct config_allow *a);
