/* libpoold, replies: what the daemon answered, as it came. poold.h says what holds for all
 * functions. */
#ifndef POOLD_REPLY_H
#define POOLD_REPLY_H

#include "poold.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * poold_reply_ref() - one reference more
 * @r:  reply
 *
 * Blocks:   no.
 * Owner:    the caller gets a reference.
 * Returns:  @r.
 * Errors:   none.
 * Since:    0.1
 */
poold_reply *poold_reply_ref(poold_reply *r);

/**
 * poold_reply_unref() - one reference less
 * @r:  reply or NULL
 *
 * Blocks:   no.
 * Owner:    the caller's reference is gone; with the last one all its views.
 * Returns:  NULL.
 * Errors:   none.
 * Since:    0.1
 */
poold_reply *poold_reply_unref(poold_reply *r);

/**
 * poold_reply_get_error() - is it an error answer?
 * @r:            reply
 * @ret_code:     stable word: "not_allowed", "unknown_method", …; may be NULL
 * @ret_message:  a sentence for people; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  1 it is, 0 it is not.
 * Errors:   none but those of every function.
 * Since:    0.1
 */
int poold_reply_get_error(poold_reply *r, const char **ret_code, const char **ret_message);

/**
 * poold_reply_get_encoded() - what was answered, as MessagePack
 * @r:            reply
 * @ret_encoded:  view of the result, or of the details of an error
 * @ret_len:      its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  0.
 * Errors:   -ENODATA an error without details.
 * Since:    0.1
 */
int poold_reply_get_encoded(poold_reply *r, const void **ret_encoded, size_t *ret_len);

/**
 * poold_reply_get_bytes() - what was answered, if it is bytes
 * @r:          reply
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  0.
 * Errors:   -ENODATA an error answer; -ENOMSG no byte string and no text; -EPROTO no sealed memfd.
 * Since:    0.1
 */
int poold_reply_get_bytes(poold_reply *r, const void **ret_bytes, size_t *ret_len);

/**
 * poold_reply_get_fd() - the fd that ext type 1 of the answer names
 * @r:        reply
 * @index:    index of the ext
 * @ret_len:  its size; may be NULL
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref: duplicate it to keep it.
 * Returns:  the fd.
 * Errors:   -ENODATA there is none; -EPROTO it is no sealed memfd.
 * Since:    0.1
 */
int poold_reply_get_fd(poold_reply *r, unsigned index, size_t *ret_len);

/**
 * poold_reply_get_part() - the bytes that ext type 1 of the answer names
 * @r:          reply
 * @index:      index of the ext
 * @ret_bytes:  view; never NULL
 * @ret_len:    its length
 *
 * Blocks:   no.
 * Owner:    borrowed, until the last unref.
 * Returns:  0.
 * Errors:   -ENODATA there is none; -EPROTO it is no sealed memfd.
 * Since:    0.1
 */
int poold_reply_get_part(poold_reply *r, unsigned index, const void **ret_bytes, size_t *ret_len);

#ifdef __cplusplus
}
#endif

#endif
