/* Values of keys that are lists: an environment, to which each line adds one, and who may submit,
 * of whom each line names all. */
#include "daemon/config_list.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#define ENV_MAX	  1024u
#define ALLOW_MAX 1024u

static size_t env_len(char **list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

char **config_list_free_env(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
	return NULL;
}

int config_list_set_env(const struct config_value *v)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				      "0123456789";
	char ***at = v->at, **list = *at, **grown;
	size_t n = env_len(list), name = strspn(v->text, letters);
	cleanup_free char *copy = NULL;

	if (v->text[0] == '\0') {
		*at = config_list_free_env(list);
		return 0;
	}
	if (name == 0 || v->text[name] != '=' || (v->text[0] >= '0' && v->text[0] <= '9'))
		return config_refuse(v, "is not NAME=value with letters, digits and _ in the name");
	copy = strdup(v->text);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (strncmp(list[i], v->text, name + 1) == 0) {
			free(list[i]);
			list[i] = take_ptr(copy);
			return 0;
		}
	}
	if (n >= ENV_MAX)
		return config_refuse(v, "is one too many: at most %u", ENV_MAX);
	grown = realloc(list, (n + 2) * sizeof(*list));
	if (!grown)
		return -ENOMEM;
	grown[n] = take_ptr(copy);
	grown[n + 1] = NULL;
	*at = grown;
	return 0;
}

void config_list_clear_allow(struct config_allow *a)
{
	free(a->uids);
	free(a->gids);
	*a = (struct config_allow){0};
}

static int allow_uid(struct config_allow *a, uid_t uid)
{
	uid_t *grown = realloc(a->uids, (a->n_uids + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	a->uids = grown;
	a->uids[a->n_uids++] = uid;
	return 0;
}

static int allow_gid(struct config_allow *a, gid_t gid)
{
	gid_t *grown = realloc(a->gids, (a->n_gids + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	a->gids = grown;
	a->gids[a->n_gids++] = gid;
	return 0;
}

static int allow_word(const struct config_value *v, struct config_allow *a, const char *word)
{
	struct passwd *user;
	uint64_t number;
	gid_t gid;

	if (a->n_uids + a->n_gids >= ALLOW_MAX)
		return config_refuse(v, "names too many: at most %u", ALLOW_MAX);
	if (strcmp(word, "owner") == 0)
		return 0; /* always may */
	if (strcmp(word, "all") == 0) {
		a->everybody = true;
		return 0;
	}
	if (word[0] == '@') {
		if (config_group(word + 1, &gid) != 0)
			return config_refuse(
				v, "names %.64s, which is no group of this host", word);
		return allow_gid(a, gid);
	}
	user = getpwnam(word);
	if (user)
		return allow_uid(a, user->pw_uid);
	if (config_digits(word, &number) && number < UINT32_MAX)
		return allow_uid(a, (uid_t)number);
	return config_refuse(v, "names %.64s, which is none of all, owner, a user, a @group", word);
}

int config_list_set_allow(const struct config_value *v)
{
	struct config_allow allow = {0};
	cleanup_free char *words = strdup(v->text);
	char *rest = NULL;
	int r = 0;

	if (!words)
		return -ENOMEM;
	for (char *w = strtok_r(words, " \t,", &rest); w && r == 0;
		w = strtok_r(NULL, " \t,", &rest))
		r = allow_word(v, &allow, w);
	if (r != 0) {
		config_list_clear_allow(&allow);
		return r;
	}
	config_list_clear_allow(v->at);
	*(struct config_allow *)v->at = allow;
	return 0;
}
