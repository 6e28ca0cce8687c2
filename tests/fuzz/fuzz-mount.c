// SPDX-License-Identifier: MIT
/*
 * The mount's -o strings: what is accepted gives options within their
 * ranges, and only words of a closed list reach the kernel.
 */
#include "config.h"

#include "mount/options.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

/* A word that carries text of the user could smuggle in another option. */
static void check_kernel_words(const char *words)
{
	for (const char *p = words; *p; p++)
		CHECK((*p >= 'a' && *p <= 'z') || *p == ',' || *p == '_');
}

static void check_options(const struct mount_options *options)
{
	CHECK(options->op_timeout_ns >= 0);
	CHECK(options->drain_timeout_ns >= 0);
	CHECK(options->attr_timeout_ns >= 0);
	CHECK(options->entry_timeout_ns >= 0);
	CHECK(options->negative_timeout_ns >= 0);
	CHECK(!options->staging_percent || options->staging_size <= 100);
	CHECK((options->umask & ~(mode_t)07777) == 0);
	CHECK((options->file_mode & ~(mode_t)07777) == 0);
	CHECK((options->dir_mode & ~(mode_t)07777) == 0);
	CHECK(!options->config || *options->config == '/');
	CHECK(!options->staging_dir || *options->staging_dir == '/');
	CHECK(!options->cache_dir || *options->cache_dir == '/');
	check_kernel_words(options->kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct mount_options *options;
	struct mount_words words;
	char *text = check_text(data, size);
	int code;

	CHECK(mount_words_new(&words, &error) == STORE_OK);
	code = mount_words_parse(&words, text, &error);
	check_error(code, &error);
	if (!code) {
		options = mount_options_new(&words);
		CHECK(options);
		check_options(options);
		mount_options_free(options);
	}
	mount_words_release(&words);
	free(text);
	return 0;
}
