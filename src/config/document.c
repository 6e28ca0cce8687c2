// SPDX-License-Identifier: MIT
/*
 * From lines to sections with values: see document.h.  Called by registry.c;
 * calls ini.c for the lines, toml.c and environment.c for the values.
 *
 * INI and TOML differ in one thing only: what an unquoted value is.  In TOML
 * it must be a number or a boolean, and a comment may follow; in INI it is
 * the literal text up to the end of the line.  A file is TOML when its name
 * ends in .toml, a section when it is written [tool.remote-store.*].
 */
#include "config.h"

#include "src/config/document.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/base/text.h"
#include "src/config/environment.h"
#include "src/config/ini.h"
#include "src/config/toml.h"

#define TOML_PREFIX "tool.remote-store"

/* Far beyond any use; bounds the work on a hostile file. */
enum { SECTIONS_MAX = 4096, ENTRIES_MAX = 1024, VALUE_MAX = CONFIG_FILE_MAX };

struct parse {
	struct config_document *document;
	const char *path;
	bool toml_file;
	/* Of the section that is being read. */
	bool toml;
	enum config_group group;
	size_t section; /* index + 1, 0 for none, as below [backends] */
};

static const char *const kind_names[] = { "backends", "stores", "mounts" };
static const char *const group_names[] = { "", "options", "retry" };

const char *config_kind_name(enum config_kind kind)
{
	return kind_names[kind];
}

static int no_memory(const struct parse *parse, struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "%s: %s", parse->path,
			       store_code_text(STORE_NO_MEMORY));
}

/* The items with room for one more; NULL: no memory, nothing happened. */
static void *grow(void *items, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room * 2 : 8;
	void *data;

	if (count < *room)
		return items;
	data = realloc(items, wanted * size);
	if (data)
		*room = wanted;
	return data;
}

static char *format_source(const char *path, int line)
{
	struct buf text CLEANUP_BUF = BUF_INIT(64 * 1024);

	buf_addf(&text, "%s:%d", path, line);
	return buf_steal(&text);
}

/* ---- sections ---- */

/* A header taken apart; points into its text. */
struct header {
	enum config_kind kind;
	enum config_group group;
	const char *name; /* NULL: only the kind, or less */
	size_t length;
};

static int unknown_section(const struct parse *parse, const char *text,
			   int line, struct store_error *error)
{
	struct text_nearest nearest = { .name = text };
	char word[64] = "";
	size_t length = strcspn(text, ".");

	if (length < sizeof(word)) {
		memcpy(word, text, length);
		nearest.name = word;
	}
	for (size_t i = 0; i < 3; i++)
		text_nearest_try(&nearest, kind_names[i]);
	if (nearest.found)
		return store_error_set(error, STORE_INVALID,
				       "%s:%d: unknown section [%s], did you "
				       "mean [%s.NAME]?",
				       parse->path, line, text, nearest.found);
	return store_error_set(error, STORE_INVALID,
			       "%s:%d: unknown section [%s]; there are "
			       "[backends.NAME], [stores.NAME] and "
			       "[mounts.NAME]",
			       parse->path, line, text);
}

/* "main", "main.options", "main.retry" behind "backends." */
static bool split_name(const char *text, struct header *header)
{
	const char *dot = strchr(text, '.');

	header->name = text;
	header->length = strcspn(text, ".");
	header->group = CONFIG_PLAIN;
	if (!header->length)
		return false;
	if (!dot)
		return true;
	if (header->kind == CONFIG_MOUNTS)
		return false;
	if (!strcmp(dot + 1, "options"))
		header->group = CONFIG_OPTIONS;
	else if (!strcmp(dot + 1, "retry") && header->kind == CONFIG_BACKENDS)
		header->group = CONFIG_RETRY;
	else
		return false;
	return true;
}

static bool split_header(const char *text, struct header *header)
{
	for (size_t i = 0; i < 3; i++) {
		size_t length = strlen(kind_names[i]);

		if (strncmp(text, kind_names[i], length) != 0)
			continue;
		header->kind = (enum config_kind)i;
		if (!text[length])
			return true;
		if (text[length] == '.')
			return split_name(text + length + 1, header);
	}
	return false;
}

static int add_section(struct parse *parse, const struct header *header,
		       int line, struct store_error *error)
{
	struct config_document *document = parse->document;
	struct buf title CLEANUP_BUF = BUF_INIT(256);
	struct config_section *section, *sections;

	if (document->count == SECTIONS_MAX)
		return store_error_set(error, STORE_INVALID,
				       "%s:%d: more than %d sections",
				       parse->path, line, SECTIONS_MAX);
	sections = grow(document->sections, &document->room, document->count,
			sizeof(*section));
	if (!sections)
		return no_memory(parse, error);
	document->sections = sections;
	section = &document->sections[document->count++];
	*section = (struct config_section){ .kind = header->kind };
	buf_addf(&title, "%s.%.*s", kind_names[header->kind],
		 (int)header->length, header->name);
	section->name = strndup(header->name, header->length);
	section->title = buf_steal(&title);
	section->source = format_source(parse->path, line);
	if (!section->name || !section->title || !section->source)
		return no_memory(parse, error);
	return STORE_OK;
}

static struct config_section *find_header(const struct parse *parse,
					  const struct header *header)
{
	for (size_t i = 0; i < parse->document->count; i++) {
		struct config_section *section = &parse->document->sections[i];

		if (section->kind == header->kind &&
		    strlen(section->name) == header->length &&
		    !strncmp(section->name, header->name, header->length))
			return section;
	}
	return NULL;
}

static int enter_section(struct parse *parse, const struct header *header,
			 int line, struct store_error *error)
{
	struct config_section *section = find_header(parse, header);

	if (!section) {
		int code = add_section(parse, header, line, error);

		if (code)
			return code;
		section =
			&parse->document->sections[parse->document->count - 1];
	}
	parse->section = (size_t)(section - parse->document->sections) + 1;
	parse->group = header->group;
	if (section->lines[header->group])
		return store_error_set(
			error, STORE_INVALID,
			"%s:%d: section [%s%s%s] was begun in line %d already",
			parse->path, line, section->title,
			header->group ? "." : "", group_names[header->group],
			section->lines[header->group]);
	section->lines[header->group] = line;
	return STORE_OK;
}

static int on_section(void *arg, const char *name, int line,
		      struct store_error *error)
{
	struct parse *parse = arg;
	struct header header = { 0 };
	const size_t prefix = strlen(TOML_PREFIX);
	const char *rest = name;

	parse->toml = parse->toml_file;
	parse->section = 0;
	if (!strncmp(name, TOML_PREFIX, prefix) &&
	    (!name[prefix] || name[prefix] == '.')) {
		parse->toml = true;
		if (!name[prefix])
			return STORE_OK;
		rest = name + prefix + 1;
	}
	if (!split_header(rest, &header))
		return unknown_section(parse, rest, line, error);
	if (!header.name)
		return STORE_OK;
	return enter_section(parse, &header, line, error);
}

/* ---- entries ---- */

/* A value on its way into the document. */
struct candidate {
	struct parse *parse;
	enum config_group group;
	const char *name;
	int line;
	struct store_error *error;
};

static struct config_section *current(const struct parse *parse)
{
	return &parse->document->sections[parse->section - 1];
}

static void entry_release(struct config_entry *entry)
{
	free(entry->name);
	secret_free(entry->value);
	free(entry->source);
	free(entry->variable);
}

static int check_entry(const struct candidate *candidate)
{
	const struct config_section *section = current(candidate->parse);
	const char *path = candidate->parse->path;

	for (size_t i = 0; i < section->count; i++) {
		const struct config_entry *entry = &section->entries[i];

		if (entry->group == candidate->group &&
		    !strcmp(entry->name, candidate->name))
			return store_error_set(
				candidate->error, STORE_INVALID,
				"%s:%d: %s.%s was set in line %d already", path,
				candidate->line, section->title, entry->name,
				entry->line);
	}
	if (section->count < ENTRIES_MAX)
		return STORE_OK;
	return store_error_set(candidate->error, STORE_INVALID,
			       "%s:%d: more than %d options in a section", path,
			       candidate->line, ENTRIES_MAX);
}

static int add_entry(const struct candidate *candidate,
		     struct environment_value *value)
{
	struct config_section *section = current(candidate->parse);
	struct config_entry *entry, *entries;

	entries = grow(section->entries, &section->room, section->count,
		       sizeof(*entry));
	if (!entries)
		return no_memory(candidate->parse, candidate->error);
	section->entries = entries;
	entry = &section->entries[section->count++];
	*entry = (struct config_entry){
		.group = candidate->group,
		.name = strdup(candidate->name),
		.value = steal_pointer(&value->text),
		.source =
			format_source(candidate->parse->path, candidate->line),
		.variable = steal_pointer(&value->variable),
		.line = candidate->line,
		.written = value->written,
	};
	if (!entry->name || !entry->source)
		return no_memory(candidate->parse, candidate->error);
	return STORE_OK;
}

static int expand_entry(const struct candidate *candidate, const char *text)
{
	struct buf place CLEANUP_BUF = BUF_INIT(64 * 1024);
	struct environment_value value = { 0 };
	int code = check_entry(candidate);

	if (code)
		return code;
	buf_addf(&place, "%s:%d: %s.%s", candidate->parse->path,
		 candidate->line, current(candidate->parse)->title,
		 candidate->name);
	code = environment_expand(text, buf_text(&place), &value,
				  candidate->error);
	if (!code)
		code = add_entry(candidate, &value);
	environment_value_release(&value);
	return code;
}

static int on_pair(void *arg, const char *name, const char *value)
{
	struct candidate *candidate = arg;

	candidate->name = name;
	return expand_entry(candidate, value);
}

static int toml_problem(const struct candidate *candidate, const char *name,
			const char *problem)
{
	return store_error_set(candidate->error, STORE_INVALID,
			       "%s:%d: %s.%s: %s", candidate->parse->path,
			       candidate->line,
			       current(candidate->parse)->title, name, problem);
}

/* `options = { ... }`: every pair is an entry of that group. */
static int read_table(struct candidate *candidate, const char *value)
{
	const char *name = group_names[candidate->group];
	const char *problem;
	int code;

	if (*value != '{')
		return toml_problem(candidate, name,
				    "must be a table, { name = value }");
	problem = toml_table(&value, on_pair, candidate, &code);
	if (!problem && !code)
		problem = toml_end(value);
	if (problem)
		return toml_problem(candidate, name, problem);
	if (code == STORE_NO_MEMORY)
		return no_memory(candidate->parse, candidate->error);
	return code;
}

static int read_scalar(const struct candidate *candidate, const char *value)
{
	struct buf text CLEANUP_BUF = BUF_INIT(VALUE_MAX);
	const char *problem = toml_scalar(&value, &text);
	int code;

	if (!problem)
		problem = toml_end(value);
	if (problem)
		return toml_problem(candidate, candidate->name, problem);
	code = buf_error(&text, candidate->name, candidate->error);
	if (!code)
		code = expand_entry(candidate, buf_text(&text));
	if (text.data)
		secret_wipe(text.data, text.length);
	return code;
}

/* The group a name stands for, as in "retry" or "retry.max_attempts". */
static bool names_group(const struct parse *parse, const char *name,
			enum config_group *group, const char **rest)
{
	enum config_kind kind = current(parse)->kind;

	if (parse->group != CONFIG_PLAIN || kind == CONFIG_MOUNTS)
		return false;
	for (int i = CONFIG_OPTIONS; i <= CONFIG_RETRY; i++) {
		size_t length = strlen(group_names[i]);

		if (i == CONFIG_RETRY && kind != CONFIG_BACKENDS)
			continue;
		if (strncmp(name, group_names[i], length) != 0 ||
		    (name[length] && name[length] != '.'))
			continue;
		*group = (enum config_group)i;
		*rest = name[length] ? name + length + 1 : NULL;
		return true;
	}
	return false;
}

static int on_entry(void *arg, const char *name, const char *value, int line,
		    struct store_error *error)
{
	struct parse *parse = arg;
	struct candidate candidate = {
		.parse = parse,
		.group = parse->group,
		.name = name,
		.line = line,
		.error = error,
	};
	const char *rest;

	if (!parse->section)
		return store_error_set(error, STORE_INVALID,
				       "%s:%d: option '%s' outside of a "
				       "[backends.NAME], [stores.NAME] or "
				       "[mounts.NAME] section",
				       parse->path, line, name);
	if (names_group(parse, name, &candidate.group, &rest)) {
		candidate.name = rest;
		if (!rest)
			return read_table(&candidate, value);
	}
	if (parse->toml || *value == '"' || *value == '\'')
		return read_scalar(&candidate, value);
	return expand_entry(&candidate, value);
}

/* ---- the document ---- */

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && !strcmp(text + length - wanted, end);
}

int config_document_parse(const struct config_bytes *bytes,
			  struct config_document *document,
			  struct store_error *error)
{
	struct config_document result = { .shared = bytes->shared };
	struct parse parse = { .document = &result, .path = bytes->path };
	const struct config_lines_sink sink = {
		.arg = &parse,
		.section = on_section,
		.entry = on_entry,
	};
	int code;

	if (!bytes->path) {
		*document = result;
		return STORE_OK;
	}
	parse.toml_file = ends_in(bytes->path, ".toml");
	result.path = strdup(bytes->path);
	code = result.path ? config_lines_read(bytes->path, bytes->data,
					       bytes->size, &sink, error)
			   : no_memory(&parse, error);
	if (code) {
		config_document_release(&result);
		return code;
	}
	*document = result;
	return STORE_OK;
}

static void section_release(struct config_section *section)
{
	for (size_t i = 0; i < section->count; i++)
		entry_release(&section->entries[i]);
	free(section->entries);
	free(section->name);
	free(section->title);
	free(section->source);
}

void config_document_release(struct config_document *document)
{
	for (size_t i = 0; i < document->count; i++)
		section_release(&document->sections[i]);
	free(document->sections);
	free(document->path);
	*document = (struct config_document){ 0 };
}

const struct config_section *
config_document_find(const struct config_document *document,
		     enum config_kind kind, const char *name)
{
	for (size_t i = 0; i < document->count; i++) {
		const struct config_section *section = &document->sections[i];

		if (section->kind == kind && !strcmp(section->name, name))
			return section;
	}
	return NULL;
}

const struct config_entry *
config_section_get(const struct config_section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct config_entry *entry = &section->entries[i];

		if (entry->group == CONFIG_PLAIN && !strcmp(entry->name, name))
			return entry;
	}
	return NULL;
}
