#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/client_internal.h"
#include "proto/outcome.h"

int cl_fail(poold *p, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->error_text, sizeof(p->error_text), format, args);
	va_end(args);
	p->error_code[0] = '\0';
	return r;
}

int cl_fail_refused(poold *p, const struct cl_value *v)
{
	const char *code = cl_value_code(v);
	bool is_gone = strcmp(code, outcome_code_name(OUTCOME_E_UNKNOWN_FUTURE)) == 0 ||
		       strcmp(code, outcome_code_name(OUTCOME_E_EXPIRED)) == 0;

	snprintf(p->error_text, sizeof(p->error_text), "%s", cl_value_message(v));
	snprintf(p->error_code, sizeof(p->error_code), "%s", code);
	return is_gone ? -ENOENT : -EREMOTEIO;
}

poold_public const char *poold_get_error_text(const poold *p)
{
	return p ? p->error_text : "";
}

poold_public const char *poold_get_error_code(const poold *p)
{
	return p ? p->error_code : "";
}

poold_public const char *poold_strerror(int r)
{
	const char *text;

	switch (r) {
	case -ECHILD: return "The handle was made before a fork(), in the parent process";
	case -ENOTCONN: return "Not connected to the daemon";
	case -EPROTO: return "The daemon ended the connection: one side broke the protocol";
	case -EDEADLK: return "A call that blocks cannot be made from a callback";
	case -EAGAIN: return "Too much waits to be sent";
	case -EBADMSG: return "Not the MessagePack value that is wanted";
	case -EMSGSIZE: return "Larger than a message may be";
	case -E2BIG: return "More file descriptors than a message may have";
	case -ENOMSG: return "The result is no byte string";
	case -ENODATA: return "There is none";
	case -EREMOTEIO: return "The daemon refused";
	}
	text = r < 0 ? strerrordesc_np(-r) : "Success";
	return text ? text : "Unknown error";
}

poold_public int poold_code_is_temporary(const char *code)
{
	static const enum outcome_code temporary[] = {
		OUTCOME_E_FULL, OUTCOME_E_QUOTA, OUTCOME_E_DRAINING};

	for (size_t i = 0; code && i < ARRAY_SIZE(temporary); i++)
		if (strcmp(code, outcome_code_name(temporary[i])) == 0)
			return 1;
	return 0;
}

/* From the words of the wire to the public states; the others have no word there. */
static const struct {
	poold_state state;
	enum outcome_state outcome;
} states[] = {
	{POOLD_DELAYED, OUTCOME_DELAYED},
	{POOLD_BLOCKED, OUTCOME_BLOCKED},
	{POOLD_QUEUED, OUTCOME_QUEUED},
	{POOLD_RUNNING, OUTCOME_RUNNING},
	{POOLD_CANCELLING, OUTCOME_CANCELLING},
	{POOLD_DONE, OUTCOME_DONE},
	{POOLD_FAILED, OUTCOME_FAILED},
	{POOLD_CANCELLED, OUTCOME_CANCELLED},
	{POOLD_TIMEOUT, OUTCOME_TIMEOUT},
	{POOLD_LOST, OUTCOME_LOST},
	{POOLD_ABORTED, OUTCOME_ABORTED},
};
_Static_assert(ARRAY_SIZE(states) == _OUTCOME_STATE_MAX, "each word has a state");

bool cl_state_from(const char *text, size_t len, poold_state *ret)
{
	enum outcome_state outcome = outcome_state_from(text, len);

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (states[i].outcome == outcome) {
			*ret = states[i].state;
			return true;
		}
	}
	return false;
}

poold_public const char *poold_state_name(poold_state state)
{
	switch (state) {
	case POOLD_SENT: return "sent";
	case POOLD_ACCEPTED: return "accepted";
	case POOLD_REFUSED: return "refused";
	case POOLD_DISCONNECTED: return "disconnected";
	default: break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].state == state)
			return outcome_state_name(states[i].outcome);
	return "unknown";
}
