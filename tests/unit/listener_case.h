/* What the checks of the listener share: one configuration, one listener in a folder. */
#pragma once

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/listener.h"
#include "tests/lib/capture.h"
#include "tests/lib/folder.h"
#include "tests/unit/suite.h"

static struct folder folder;
static struct event_base *base;
static struct config config;
static struct listener *listener;
static unsigned n_accepted;
static bool free_on_accept;

static void on_accept(int fd, void *userdata)
{
	ck_assert_ptr_eq(userdata, &config);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(fd);
	n_accepted++;
	if (free_on_accept)
		listener = listener_free(listener);
}

/* config.socket becomes this name in the folder. */
static void place(const char *name)
{
	free(config.socket);
	config.socket = strdup(folder_at(&folder, name));
}

static void setup(void)
{
	folder_make(&folder);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	config = (struct config){.socket_mode = 0600, .socket_gid = (gid_t)-1};
	place("p.sock");
	n_accepted = 0;
	free_on_accept = false;
	capture_start();
}

static void teardown(void)
{
	capture_end();
	listener = listener_free(listener);
	event_base_free(base);
	free(config.socket);
	folder_remove(&folder);
}

static int start(void)
{
	return listener_new(base, &config, on_accept, &config, &listener);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, config.socket);
	return a;
}

/* A client's end; -errno if it was refused. */
static inline int connect_to(void)
{
	struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -errno;
}

/* A socket of somebody else at the place; a backlog below 0: nobody listens. */
static inline int squat(int type, int backlog)
{
	struct sockaddr_un a = address();
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}
