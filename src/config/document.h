/* SPDX-License-Identifier: MIT */
/*
 * A configuration file, read and understood as text: which sections, which
 * options, with their values after TOML's quotes and ${VAR}.  What the
 * options mean is for registry.c.
 */
#ifndef STOREFS_CONFIG_DOCUMENT_H
#define STOREFS_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "src/config/file.h"
#include <storefs/error.h>

enum config_kind { CONFIG_BACKENDS, CONFIG_STORES, CONFIG_MOUNTS };

/* "backends", "stores", "mounts". */
const char *config_kind_name(enum config_kind kind);

/* Where in a section an option stood; names are unique within one group. */
enum config_group {
	CONFIG_PLAIN,	/* [backends.main] name = value */
	CONFIG_OPTIONS, /* options = { name = value }, [backends.main.options] */
	CONFIG_RETRY,	/* retry = { name = value }, [backends.main.retry] */
};

struct config_entry {
	enum config_group group;
	char *name;
	char *value;
	char *source;	/* "FILE:LINE" */
	char *variable; /* the environment variable behind it, NULL for none */
	int line;
	bool written; /* something of the value stands in the file */
};

struct config_section {
	enum config_kind kind;
	char *name;   /* "main" of [backends.main] */
	char *title;  /* "backends.main" */
	char *source; /* "FILE:LINE" of the first header */
	int lines[3]; /* of the header of each group, 0 for none */
	struct config_entry *entries;
	size_t count;
	size_t room;
};

struct config_document {
	char *path;  /* NULL: no file, and nothing in here */
	bool shared; /* group or others may read the file */
	struct config_section *sections;
	size_t count;
	size_t room;
};

/* Parse what was read.  INVALID "PATH:LINE: ..." for the first mistake. */
int config_document_parse(const struct config_bytes *bytes,
			  struct config_document *document,
			  struct store_error *error) STORE_WARN_UNUSED;
void config_document_release(struct config_document *document);

/* NULL when there is none. */
const struct config_section *
config_document_find(const struct config_document *document,
		     enum config_kind kind, const char *name);
/* A plain option of a section, NULL when there is none. */
const struct config_entry *
config_section_get(const struct config_section *section, const char *name);

#endif
