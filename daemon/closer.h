/* Closes what others sent us. To free the pages of a large memfd takes 0.1 ms a MiB and more, and
 * whoever drops the last reference waits for it: here a thread does, so that the loop never does.
 */
#pragma once

/* Closes fd; -1 is no fd. One behind which there are many pages, a file system or a network is
 * closed soon. */
void closer_close(int fd);
/* A socket, in which fds may lie that nobody read. */
void closer_close_socket(int fd);
/* Waits until all are closed, but not for ever. */
void closer_stop(void);
