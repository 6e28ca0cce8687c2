// SPDX-License-Identifier: MIT
/* See idmap.h. */
#include "config.h"

#include "backends/sftp/idmap.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/cleanup.h"

enum { ENTRY_ROOM = 16384 };

/* A name of this machine as a number, false when there is none. */
typedef bool name_fn(const char *name, uint32_t *id);

static bool user_named(const char *name, uint32_t *id)
{
	struct passwd entry, *found = NULL;
	char text[ENTRY_ROOM];

	if (getpwnam_r(name, &entry, text, sizeof(text), &found) || !found)
		return false;
	*id = found->pw_uid;
	return true;
}

static bool group_named(const char *name, uint32_t *id)
{
	struct group entry, *found = NULL;
	char text[ENTRY_ROOM];

	if (getgrnam_r(name, &entry, text, sizeof(text), &found) || !found)
		return false;
	*id = found->gr_gid;
	return true;
}

static bool to_number(const char *text, uint32_t *id)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	*id = (uint32_t)value;
	return isdigit((unsigned char)*text) && !*end && value < UINT32_MAX;
}

static int add_pair(struct sftp_id_table *table, uint32_t here, uint32_t there,
		    struct store_error *error)
{
	struct sftp_id_pair *grown =
		reallocarray(table->pairs, table->count + 1, sizeof(*grown));

	if (!grown)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	grown[table->count++] = (struct sftp_id_pair){ here, there };
	table->pairs = grown;
	return STORE_OK;
}

/* `line` is taken apart. */
static int take_line(struct sftp_id_table *table, char *line, name_fn *named,
		     struct store_error *error)
{
	uint32_t here, there;
	char *colon;

	line[strcspn(line, "\r\n")] = '\0';
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return STORE_OK;
	colon = strchr(line, ':');
	if (!colon || !to_number(colon + 1, &there))
		return store_error_set(error, STORE_INVALID, "no NAME:NUMBER");
	*colon = '\0';
	if (!named(line, &here) && !to_number(line, &here))
		return store_error_set(error, STORE_INVALID,
				       "nobody here is called so");
	return add_pair(table, here, there, error);
}

static int read_table(const char *path, struct sftp_id_table *table,
		      name_fn *named, struct store_error *error)
{
	CLEANUP_FREE char *line = NULL;
	FILE *file = fopen(path, "re");
	size_t room = 0;
	int number = 0, code = STORE_OK;

	if (!file)
		return store_error_errno(error, errno, "%s", path);
	while (!code && getline(&line, &room, file) > 0) {
		number++;
		if (take_line(table, line, named, error))
			code = store_error_prefix(error, "%s:%d", path, number);
	}
	if (!code && ferror(file))
		code = store_error_errno(error, EIO, "%s", path);
	fclose(file);
	return code;
}

int sftp_idmap_read(const struct sftp_settings *settings,
		    struct sftp_idmap_tables *tables, struct store_error *error)
{
	int code = STORE_OK;

	if (settings->uidfile)
		code = read_table(settings->uidfile, &tables->users, user_named,
				  error);
	if (!code && settings->gidfile)
		code = read_table(settings->gidfile, &tables->groups,
				  group_named, error);
	return code;
}

int sftp_idmap_learn(struct sftp_idmap_tables *tables,
		     const struct sftp_attributes *own,
		     struct store_error *error)
{
	int code;

	if (!(own->mask & SFTP_ATTR_OWNER))
		return store_error_set(
			error, STORE_NOT_SUPPORTED,
			"idmap=user: the server tells no owners");
	code = add_pair(&tables->users, (uint32_t)geteuid(), own->uid, error);
	return code ? code
		    : add_pair(&tables->groups, (uint32_t)getegid(), own->gid,
			       error);
}

void sftp_idmap_release(struct sftp_idmap_tables *tables)
{
	free(tables->users.pairs);
	free(tables->groups.pairs);
	*tables = (struct sftp_idmap_tables){ .users = { .count = 0 } };
}

/* ---- mapping ---- */

static void to_here(const struct sftp_id_table *table, uint32_t *id)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->pairs[i].there == *id) {
			*id = table->pairs[i].here;
			return;
		}
}

static void to_there(const struct sftp_id_table *table, uint32_t *id)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->pairs[i].here == *id) {
			*id = table->pairs[i].there;
			return;
		}
}

void sftp_idmap_here(const struct sftp_idmap_tables *tables,
		     struct store_attributes *attributes)
{
	if (attributes->mask & STORE_ATTR_UID)
		to_here(&tables->users, &attributes->uid);
	if (attributes->mask & STORE_ATTR_GID)
		to_here(&tables->groups, &attributes->gid);
}

void sftp_idmap_there(const struct sftp_idmap_tables *tables,
		      struct store_attributes *attributes)
{
	if (attributes->mask & STORE_ATTR_UID)
		to_there(&tables->users, &attributes->uid);
	if (attributes->mask & STORE_ATTR_GID)
		to_there(&tables->groups, &attributes->gid);
}
