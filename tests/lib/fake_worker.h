/* What the fake shell does with its workers: members of struct core_ops. For fake_shell.c. */
#pragma once

#include "tests/lib/fake_shell.h"

int fake_hand_over(
	void *shell, struct slot *s, struct future *const *jobs, unsigned n, unsigned *ret_n);
void fake_take_back(void *shell, struct slot *s);
void fake_read_answers(void *shell, struct slot *s);
void fake_ring(void *shell, struct slot *s, struct future *f);
int fake_signal(void *shell, struct slot *s, struct future *f, int signo);
void fake_kill(void *shell, struct slot *s);
void fake_close_link(void *shell, struct slot *s);
bool fake_fork(void *shell, struct slot *s);

/* The slot's fake, for all its workers. */
void fake_hire(struct fake *fake, struct slot *s);
