/* What a user namespace hides: users and groups that it does not know all look like one. */
#pragma once

#include <sys/types.h>

#include "proto/base.h"

struct namespace
{
	uid_t anybody_uid; /* who has this one may be anybody; -1: everybody is who he seems */
	gid_t anybody_gid; /* likewise */
};

/* As the kernel tells; said in the log if there is somebody who cannot be known. */
struct namespace namespace_look(void);
