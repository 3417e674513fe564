/* What the operator decided: one INI file and its drop-ins, checked whole before anything is used.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/core/account.h"
#include "daemon/core/pool.h"
#include "daemon/log.h"
#include "proto/base.h"

enum config_handler {
	HANDLER_EXEC,
	HANDLER_MODULE,
};

/* Who may use a pool. The daemon's own uid and root always may. */
struct config_allow {
	bool everybody;
	uid_t *uids;
	size_t n_uids;
	gid_t *gids;
	size_t n_gids;
};

/* Limits of the resources of processes: LIMIT(name of the resource). */
#define CONFIG_LIMITS(LIMIT)                                                                       \
	LIMIT(as)                                                                                  \
	LIMIT(core)                                                                                \
	LIMIT(cpu) LIMIT(data) LIMIT(fsize) LIMIT(memlock) LIMIT(nofile) LIMIT(nproc) LIMIT(stack)

enum config_limit {
#define LIMIT(name) CONFIG_LIMIT_##name,
	CONFIG_LIMITS(LIMIT)
#undef LIMIT
		_CONFIG_LIMIT_MAX,
};

/* Zero is left for what is not set. */
#define CONFIG_NICE_OFFSET 100

/* Which file it was: another one in its place, or the same one written anew, differs. */
struct config_mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	int64_t changed_ns;
};

struct config_pool {
	char *name;
	char *place; /* "file:line" of its section, the latest */
	enum config_handler handler;
	char *module; /* absolute path; handler module */
	struct config_mark module_mark;
	unsigned workers;
	enum pool_sizing sizing;
	unsigned standby; /* workers beyond those that may have jobs */
	unsigned min_spare;
	unsigned max_spare;
	uint64_t idle_us;
	unsigned spawn_rate;	/* workers in a second */
	uint64_t max_jobs;	/* a worker is replaced after so many; 0: never */
	uint64_t max_age_us;	/* likewise */
	uint64_t max_rss_bytes; /* likewise, measured after a job */
	unsigned ahead;		/* jobs handed over beyond the running one, at most */
	uint64_t ageing_us;	/* what one step of priority weighs; 0: more than any wait */
	uint64_t max_result_bytes;
	uint64_t output_bytes; /* of stdout, of stderr: more is cut */
	uint64_t cache_bytes;  /* of other futures' values, in each worker */
	uint64_t grace_us;
	uint64_t timeout_us;		    /* 0: none */
	unsigned poison;		    /* workers that may die under one job */
	uint64_t start_timeout_us;	    /* a zygote or worker is ready within this */
	char *cwd;			    /* "/" if not told */
	char **env;			    /* "NAME=value", NULL-terminated */
	uint64_t limits[_CONFIG_LIMIT_MAX]; /* one more; 0: as it is; UINT64_MAX: none */
	uint64_t memory_max_bytes;	    /* of the pool; 0: none */
	int nice;			    /* CONFIG_NICE_OFFSET more; 0: as it is */
	char *cpu_affinity;		    /* NULL: as it is */
	char *user;			    /* NULL: the daemon's */
	struct config_allow allow;
};

struct config {
	char *socket;
	mode_t socket_mode;
	char *socket_group; /* NULL: as it comes */
	gid_t socket_gid;   /* (gid_t)-1: as it comes */
	char *state_dir;    /* NULL: none */
	char *admin_group;  /* NULL: none */
	gid_t admin_gid;    /* (gid_t)-1: none */
	char *worker;	    /* path of poold-worker */
	char *module_dir;
	char *cgroup; /* NULL: what the service manager delegated */
	enum log_level log_level;
	uint64_t busy_poll_us;	  /* events are looked for so long before a sleep; 0: never */
	uint64_t stop_timeout_us; /* running jobs may finish within this after SIGTERM */
	uint64_t ttl_us; /* a future is kept this long after its end if the job does not say */
	struct account_limits limits;
	struct config_pool *pools;
	size_t n_pools;
};

/* Where it went wrong and why, for people. */
struct config_error {
	char file[256];	   /* "": no file is to blame */
	int line;	   /* 0: no certain line */
	char message[512]; /* names the key, the value, the limit; the nearest key for an unknown
			      one */
};

/* All that is wrong, in the order in which it was found; {0} to begin with. */
struct config_errors {
	struct config_error *all;
	size_t n;
};

/* So many are told in the log of a daemon that refuses a configuration. */
#define CONFIG_ERRORS_LOGGED 20
/* One error as a line: "file:line: message". */
#define CONFIG_ERROR_BYTES 800

void config_errors_clear(struct config_errors *errors);
void config_error_text(const struct config_error *e, char text[CONFIG_ERROR_BYTES]);
/* The first ones, and how many more there are. */
void config_errors_log(const struct config_errors *errors, size_t most);

/* What the command line decides over the file; NULL: the file, or the default. */
struct config_override {
	const char *file; /* NULL: the standard places; none there is fine */
	const char *socket;
	bool is_verbose; /* log at debug level */
};

/* 0; 1 with errors added, which are the caller's to clear; -ENOMEM. Without any file: pool
 * `default`, handler exec, one worker per CPU, on the per-user socket (root:
 * /run/poold/poold.sock). */
must_check int config_load(
	const struct config_override *o, struct config **ret, struct config_errors *errors);
struct config *config_free(struct config *c);
/* What it came from is empty afterwards, and can only be freed. */
void config_pool_take(struct config_pool *into, struct config_pool *from);
/* Takes NULL, returns NULL. */
struct config_pool *config_pool_free(struct config_pool *pool);
DEFINE_CLEANUP(struct config *, config_free)
