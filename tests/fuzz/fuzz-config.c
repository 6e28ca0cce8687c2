// SPDX-License-Identifier: MIT
/*
 * Configuration files, up to the registry over a stub backend.  The first
 * byte says whether the file is called .toml.  Every value must be the whole
 * text that stands in its line, and the explanation may not show the secret.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/config/registry.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

/* ---- a backend that accepts anything ---- */

static const struct store_option stub_options[] = {
	{ .name = "bucket", .type = OPTION_TEXT, .flags = OPTION_REQUIRED },
	{ .name = "port",
	  .type = OPTION_INTEGER,
	  .minimum = 1,
	  .maximum = 65535 },
	{ .name = "secure", .type = OPTION_FLAG },
	{ .name = "secret", .type = OPTION_TEXT, .flags = OPTION_SECRET },
	{ .name = NULL },
};

static int stub_configure(const struct option_values *values, void **self,
			  struct store_error *error)
{
	(void)values;
	(void)error;
	*self = NULL;
	return STORE_OK;
}

static void stub_close(void *self)
{
	(void)self;
}

static const char *const schemes[] = { "s3", NULL };
static const struct store_backend stub = {
	.name = "s3",
	.schemes = schemes,
	.options = stub_options,
	.configure = stub_configure,
	.close = stub_close,
};
const struct store_backend *const store_backends[] = { &stub, NULL };
const char *const store_backends_left_out[] = { NULL };

/* ---- promises ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * In an INI file an unquoted value without variables is the end of its line,
 * byte for byte.
 */
static void check_whole(const struct config_bytes *bytes,
			const struct config_entry *entry)
{
	const char *line = bytes->data, *end, *start;
	size_t length = strlen(entry->value);

	for (int i = 1; i < entry->line; i++)
		line = strchr(line, '\n') + 1;
	end = line + strcspn(line, "\n");
	if (end > line && end[-1] == '\r')
		end--;
	while (end > line && is_blank(end[-1]))
		end--;
	CHECK((size_t)(end - line) > length);
	start = end - length;
	CHECK(!memcmp(start, entry->value, length));
	while (is_blank(start[-1]))
		start--;
	CHECK(start[-1] == '=' || start[-1] == ':');
}

static bool is_literal(const struct config_bytes *bytes,
		       const struct config_entry *entry)
{
	const char *line = bytes->data;

	for (int i = 1; i < entry->line; i++)
		line = strchr(line, '\n') + 1;
	line += strcspn(line, "=:\n");
	if (*line == '\n')
		return false;
	line++;
	while (is_blank(*line))
		line++;
	return *line != '"' && *line != '\'' && *line != '{' &&
	       !memchr(line, '$', strcspn(line, "\n"));
}

static void check_document(const struct config_bytes *bytes,
			   const struct config_document *document, bool toml)
{
	for (size_t i = 0; i < document->count; i++) {
		const struct config_section *section = &document->sections[i];

		CHECK(*section->name && !strchr(section->name, '.'));
		for (size_t j = 0; j < section->count; j++) {
			const struct config_entry *entry = &section->entries[j];

			CHECK(entry->name && entry->value && entry->source);
			CHECK(entry->line > 0);
			if (!toml && is_literal(bytes, entry))
				check_whole(bytes, entry);
		}
	}
}

static void look_for_secret(void *arg, const char *section, const char *key,
			    const char *value, const char *source)
{
	(void)arg;
	CHECK(*section && *key && *source);
	if (!strcmp(key, "secret"))
		CHECK(!*value || !strcmp(value, "***"));
}

static int look_at_option(void *arg, const char *name, const char *value,
			  const char *source, struct store_error *error)
{
	(void)arg;
	(void)error;
	CHECK(*name && value && *source);
	return STORE_OK;
}

/* The same bytes through the public face, as a file that only we can read. */
static void run_registry(const struct config_bytes *bytes)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_registry *registry = NULL;
	int fd = memfd_create("config", MFD_CLOEXEC);
	const char *const *names;
	char path[64];
	int code;

	CHECK(fd >= 0 && fchmod(fd, 0600) == 0);
	CHECK(write(fd, bytes->data, bytes->size) == (ssize_t)bytes->size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	code = store_registry_open(path, &registry, &error);
	close(fd);
	check_error(code, &error);
	if (code)
		return;
	store_registry_explain(registry, look_for_secret, NULL);
	names = store_registry_names(registry, NULL);
	for (size_t i = 0; names[i]; i++) {
		CHECK(registry_find(registry, names[i]));
		CHECK(!i || strcmp(names[i - 1], names[i]) < 0);
		CHECK(registry_each_mount_option(registry, names[i],
						 look_at_option, NULL,
						 &error) == STORE_OK);
	}
	store_registry_close(registry);
}

static bool environment_ready;

/* The environment of the machine must not decide what is found. */
static void prepare_environment(void)
{
	clearenv();
	setenv("SET", "value", 1);
	environment_ready = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct config_document document = { 0 };
	struct config_bytes bytes = { 0 };
	bool toml;
	int code;

	if (!size)
		return 0;
	if (!environment_ready)
		prepare_environment();
	toml = data[0] & 1;
	bytes.path = toml ? strdup("f.toml") : strdup("f.ini");
	bytes.data = check_text(data + 1, size - 1);
	bytes.size = size - 1;
	CHECK(bytes.path);
	code = config_document_parse(&bytes, &document, &error);
	check_error(code, &error);
	if (memmem(bytes.data, bytes.size, "tool.remote-store", 17))
		toml = true;
	if (!code)
		check_document(&bytes, &document, toml);
	config_document_release(&document);
	run_registry(&bytes);
	config_bytes_release(&bytes);
	return 0;
}
