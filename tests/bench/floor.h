/* Processes and sockets of floors, and those floors that have files of their own. Each prints its
 * figures. */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#define FLOOR_BYTES   64 /* of a message */
#define FLOOR_WORKERS 2

void floor_die(const char *what);
void floor_pair(int type, int fds[2]);
/* It ends with its parent. */
pid_t floor_child(void);
void floor_stop(const pid_t *pids, unsigned n);

/* n requests of one client, `pack` of them a packet. */
void floor_broker(unsigned n, unsigned pack);
/* n calls of n_clients that each wait for their answer. */
void floor_calls(unsigned n, unsigned n_clients);
