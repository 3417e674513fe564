/* The MessagePack-RPC envelope: request, answer, notification. */
#pragma once

#include "proto/buf.h"
#include "proto/cursor.h"

enum rpc_type {
	RPC_REQUEST = 0,
	RPC_ANSWER = 1,
	RPC_NOTIFICATION = 2,
};

/* A message taken apart; everything points into the message's bytes. */
struct rpc {
	enum rpc_type type;
	uint32_t msgid;	    /* request, answer */
	const char *method; /* request, notification */
	size_t method_len;
	uint32_t n_params;    /* request, notification: elements of params */
	struct cursor params; /* request, notification: stands on the first parameter */
	struct cursor error;  /* answer: exactly the value */
	struct cursor result; /* answer: exactly the value */
};

enum { RPC_E_ENVELOPE = 1 }; /* MessagePack, but no MessagePack-RPC */

/* bytes[0 … len) is one message that scan accepted. 0 or RPC_E_ENVELOPE. */
must_check int rpc_parse(struct rpc *ret, const uint8_t *bytes, size_t len);

/* What all begin with. */
static inline uint8_t *rpc_encode_head(uint8_t *at, unsigned n, enum rpc_type type)
{
	return encode_uint(encode_array(at, n), type);
}

/* The heads; the caller packs what follows: params (one array), or error and result. */
static inline void rpc_pack_request(struct bufpack *p, uint32_t msgid, const char *method)
{
	uint8_t *at = bufpack_open(p, 2 + ENCODE_UINT_BYTES);

	if (at)
		bufpack_close(p, encode_uint(rpc_encode_head(at, 4, RPC_REQUEST), msgid));
	bufpack_text(p, method);
}

/* Then error (nil), then result. */
static inline void rpc_pack_answer(struct bufpack *p, uint32_t msgid)
{
	uint8_t *at = bufpack_open(p, 2 + ENCODE_UINT_BYTES);

	if (at)
		bufpack_close(p, encode_uint(rpc_encode_head(at, 4, RPC_ANSWER), msgid));
}

static inline void rpc_pack_notification(struct bufpack *p, const char *method)
{
	uint8_t *at = bufpack_open(p, 2);

	if (at)
		bufpack_close(p, rpc_encode_head(at, 3, RPC_NOTIFICATION));
	bufpack_text(p, method);
}
