/* uthash for tables whose key is a uid: include this instead. */
#pragma once

#include <stdint.h>

#define HASH_NONFATAL_OOM 1 /* out of memory is an error like others, not the end */
/* The kernel gives uids, nobody chooses them to collide. */
#define HASH_FUNCTION(key, len, hashv) ((hashv) = *(const uint32_t *)(key)*0x9e3779b1u)

#include <uthash.h>
