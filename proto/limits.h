/* Every limit of the wire, with its unit and reason. PROTOCOL.md says the same in words. */
#pragma once

#define PROTO_VERSION 1

/* One message of a client, in bytes: what the daemon must buffer before it can act. */
#define PROTO_MESSAGE_BYTES (1024u * 1024u)
/* A value whose encoding is up to this travels inline; above it, its bytes go into a memfd. */
#define PROTO_INLINE_BYTES (64u * 1024u)
/* The longest byte string or text that does: its encoding has a head of 3. */
#define PROTO_INLINE_BIN_BYTES (PROTO_INLINE_BYTES - 3u)
/* One packet on a worker's link, in bytes and fds. SCM_MAX_FD is 253; 64 keeps the control buffer
 * small. */
#define PROTO_PACKET_BYTES (128u * 1024u)
#define PROTO_PACKET_FDS   64u
/* fds of one message from a client: the most attacked part of a local bus, so few. */
#define PROTO_MESSAGE_FDS 4u
/* fds that one job may take with it to a worker. */
#define PROTO_JOB_FDS 64u
/* Futures whose values one input may name, each as often as it likes. */
#define PROTO_JOB_VALUES 1024u
/* Their encodings, in one run: what lies in no memfd yet is copied for each. */
#define PROTO_VALUES_BYTES (16u * 1024u * 1024u)
/* fds of one result, and fds that may lie unread in one client's socket. */
#define PROTO_RESULT_FDS 8u
#define PROTO_UNREAD_FDS 8u
/* Nesting: 16 for a value, counted from itself, inside at most 4 of the envelope. */
#define PROTO_VALUE_DEPTH    16u
#define PROTO_ENVELOPE_DEPTH 4u
#define PROTO_DEPTH	     (PROTO_ENVELOPE_DEPTH + PROTO_VALUE_DEPTH)
/* `data` of a failure, in bytes of its encoding. */
#define PROTO_DATA_BYTES (16u * 1024u)
/* IDs stay below 2^53, so that a double holds them. */
#define PROTO_ID_END (1ull << 53)

/* Text, in bytes. A function is addressed "pool/function". */
#define PROTO_NAME_BYTES	 64u
#define PROTO_ADDRESS_BYTES	 (2u * PROTO_NAME_BYTES + 1u)
#define PROTO_LABEL_BYTES	 256u
#define PROTO_GROUP_BYTES	 128u
#define PROTO_KEY_BYTES		 128u
#define PROTO_TRACE_BYTES	 64u
#define PROTO_REASON_BYTES	 256u
#define PROTO_MESSAGE_TEXT_BYTES 1024u /* message of a failure */
#define PROTO_DOC_BYTES		 256u

/* IDs in one list, and inputs of one submit_many: so that the answer fits in a message too. */
#define PROTO_IDS_MAX	 32768u
#define PROTO_INPUTS_MAX 100000u
/* Dependencies of all jobs of one request: that much is charged and linked in one go. */
#define PROTO_EDGES_MAX 1000000u
/* Futures that `list` gives if it is not told how many. */
#define PROTO_LIST_MAX 1000u
/* How far `waits_for` counts the jobs before one: each is a look at memory that lay untouched. */
#define PROTO_AHEAD_MAX 1000
/* Further attempts that a job may ask for. */
#define PROTO_RETRIES_MAX 1000u
/* Functions of one pool. */
#define PROTO_FUNCTIONS_MAX 1024u

/* Ext types. */
#define PROTO_EXT_FD	 1 /* uint8 index: the bytes of a passed memfd, or a passed stdio fd */
#define PROTO_EXT_FUTURE 2 /* uint64 big endian: the value of that future */
#define PROTO_EXT_VALUE                                                                            \
	3 /* uint8 index: a passed memfd that holds the value's encoding; daemon to worker only */

/* A client's signal goes to the worker as this one, with a value that says for which job and which.
 */
#define PROTO_SIGNO_MAX		    64
#define PROTO_PASS_SIGNO	    SIGRTMIN
#define PROTO_PASS_VALUE(id, signo) ((uintptr_t)(id) << 7 | (uintptr_t)(signo))
