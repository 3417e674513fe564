/* MessagePack as a test writes it, and as it reads it.
 *
 * As a format: '[' … ']' array, '{' … '}' map (keys and values in turn), 's' text, 'b' bytes and
 * their number, 'u' uint64_t, 'i' int, 't' bool, 'n' nil, 'F' fd index (int), 'V' index of a
 * value's memfd (int), 'I' future ID (uint64_t), 'r' encoded bytes and their number.
 *
 * As text: nil, true, 7, -7, 1.5, "text", b"bytes" (\x.. where needed), [1, 2], {"a": 1}, fd(0),
 * ext(type, length). */
#pragma once

#include <stdarg.h>

#include "proto/buf.h"
#include "proto/cursor.h"

/* Appends to b. */
void literal_pack(struct buf *b, const char *format, ...);
void literal_vpack(struct buf *b, const char *format, va_list ap);
/* The caller frees it. */
char *literal_text(struct cursor c);
/* Text of n values, without brackets. The caller frees it. */
char *literal_list(struct cursor c, uint32_t n);
