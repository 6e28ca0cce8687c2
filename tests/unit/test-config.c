// SPDX-License-Identifier: MIT
/* Configuration files: lines, TOML values, ${VAR}, and where they are found. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/config/document.h"
#include "src/config/file.h"

static struct config_document document;
static struct store_error error;

static int parse_bytes(const char *path, const char *text, size_t size)
{
	/* Exactly its size, so that a read beyond it is seen. */
	struct config_bytes bytes = { .size = size };
	int code;

	bytes.path = strdup(path);
	bytes.data = malloc(size + 1);
	memcpy(bytes.data, text, size);
	bytes.data[size] = '\0';
	store_error_clear(&error);
	config_document_release(&document);
	code = config_document_parse(&bytes, &document, &error);
	config_bytes_release(&bytes);
	return code;
}

static void accept_as(const char *path, const char *text)
{
	int code = parse_bytes(path, text, strlen(text));

	ck_assert_msg(code == STORE_OK, "%s\n%s", text, error.message);
}

static void accept(const char *text)
{
	accept_as("f.ini", text);
}

static void refuse_as(const char *path, const char *text, const char *message)
{
	int code = parse_bytes(path, text, strlen(text));

	ck_assert_msg(code == STORE_INVALID, "accepted: %s", text);
	ck_assert_msg(strstr(error.message, message) != NULL,
		      "'%s' is not in: %s", message, error.message);
}

static void refuse(const char *text, const char *message)
{
	refuse_as("f.ini", text, message);
}

static void end(void)
{
	config_document_release(&document);
}

/* The value of an option of [backends.main]. */
static const struct config_entry *entry(enum config_group group,
					const char *name)
{
	const struct config_section *section =
		config_document_find(&document, CONFIG_BACKENDS, "main");

	ck_assert_ptr_nonnull(section);
	for (size_t i = 0; i < section->count; i++) {
		if (section->entries[i].group == group &&
		    !strcmp(section->entries[i].name, name))
			return &section->entries[i];
	}
	ck_abort_msg("no option %s", name);
	return NULL;
}

static void has(const char *name, const char *value)
{
	ck_assert_str_eq(entry(CONFIG_PLAIN, name)->value, value);
}

/* One line in [backends.main], as INI. */
static void line_gives(const char *line, const char *value)
{
	char text[1024];

	snprintf(text, sizeof(text), "[backends.main]\n%s\n", line);
	accept(text);
	has("a", value);
}

static void line_fails(const char *path, const char *line, const char *message)
{
	char text[1024];

	snprintf(text, sizeof(text), "[backends.main]\n%s\n", line);
	refuse_as(path, text, message);
	ck_assert_msg(strstr(error.message, ":2: ") != NULL, "no line in: %s",
		      error.message);
}

START_TEST(an_empty_file_is_a_document)
{
	accept("");
	ck_assert_uint_eq(document.count, 0);
	accept("\n\n# comment\n; comment\n\t \n");
	ck_assert_uint_eq(document.count, 0);
	ck_assert_str_eq(document.path, "f.ini");
}
END_TEST

START_TEST(sections_and_options_keep_their_lines)
{
	accept("# first\n[backends.main]\ntype = s3\n\n  bucket: b\n"
	       "[stores.x]\nbackend=main\n[mounts.x]\n");
	ck_assert_uint_eq(document.count, 3);
	has("type", "s3");
	ck_assert_str_eq(entry(CONFIG_PLAIN, "type")->source, "f.ini:3");
	has("bucket", "b");
	ck_assert_str_eq(entry(CONFIG_PLAIN, "bucket")->source, "f.ini:5");
	ck_assert_str_eq(document.sections[0].source, "f.ini:2");
	ck_assert_str_eq(document.sections[2].title, "mounts.x");
	ck_assert_ptr_nonnull(
		config_document_find(&document, CONFIG_MOUNTS, "x"));
	ck_assert_ptr_null(
		config_document_find(&document, CONFIG_MOUNTS, "main"));
}
END_TEST

START_TEST(an_unquoted_value_is_kept_whole)
{
	line_gives("a = x ; y", "x ; y");
	line_gives("a = x # y", "x # y");
	line_gives("a = ;x", ";x");
	line_gives("a=x=y:z", "x=y:z");
	line_gives("a : x=y", "x=y");
	line_gives("a =", "");
	line_gives("a = \t x y \t", "x y");
	line_gives("a = C:\\dir\\n", "C:\\dir\\n");
	line_gives("a = [x]", "[x]");
	line_gives("a = {x}", "{x}");
	line_gives("a = \xff\xfe", "\xff\xfe");
	line_gives("\ta = indented", "indented");
	line_gives("a = x\r", "x");
}
END_TEST

START_TEST(a_long_value_is_kept_whole)
{
	struct buf text CLEANUP_BUF = BUF_INIT(1 << 20);

	buf_add_text(&text, "[backends.main]\na = ");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&text, (char)('a' + i % 26));
	buf_add_text(&text, "!\nb = 1\n");
	accept(buf_text(&text));
	ck_assert_uint_eq(strlen(entry(CONFIG_PLAIN, "a")->value), 100001);
	ck_assert_int_eq(entry(CONFIG_PLAIN, "a")->value[100000], '!');
	has("b", "1");
}
END_TEST

START_TEST(names_of_49_bytes_fit_and_longer_ones_are_refused)
{
	static const char name[] =
		"a234567890123456789012345678901234567890123456789";
	char text[256];

	ck_assert_uint_eq(strlen(name), 49);
	snprintf(text, sizeof(text), "[backends.main]\n%s = x\n", name);
	accept(text);
	has(name, "x");
	snprintf(text, sizeof(text), "[backends.main]\n%sb = x\n", name);
	refuse(text, "f.ini:2: names of sections and options have at most 49");
	snprintf(text, sizeof(text), "\n[backends.%.40s]\n", name);
	accept(text);
	ck_assert_uint_eq(strlen(document.sections[0].name), 40);
	snprintf(text, sizeof(text), "\n[backends.%.41s]\n", name);
	refuse(text, "f.ini:2: names of sections");
}
END_TEST

START_TEST(the_end_of_the_last_line_may_be_missing)
{
	accept("[backends.main]\na = x");
	has("a", "x");
	accept("[backends.main]");
	ck_assert_uint_eq(document.count, 1);
}
END_TEST

START_TEST(windows_files_are_read)
{
	accept("\xef\xbb\xbf[backends.main]\r\na = x\r\n\r\n# c\r\nb = \"y\"\r\n");
	has("a", "x");
	has("b", "y");
}
END_TEST

START_TEST(lines_that_are_none_are_refused_by_number)
{
	refuse("[backends.main]\na = x\nnonsense\n",
	       "f.ini:3: expected [section] or name = value");
	refuse("[backends.main]\na = x\n  continued\n", "f.ini:3: ");
	refuse("[backends.main\n", "f.ini:1: a section without its ']'");
	refuse("\n[backends.main] x\n", "f.ini:2: text behind");
	refuse("[[backends.main]]\n", "f.ini:1: arrays of tables");
	refuse("[]\n", "f.ini:1: the name is missing");
	refuse("[backends.main]\n= x\n", "f.ini:2: the name is missing");
	refuse("[backends.main]\na b = x\n", "f.ini:2: names are made of");
	refuse("[backends.ma;in]\n", "f.ini:1: names are made of");
	refuse("[backends.main]\na = x\ry\n", "f.ini:2: a control character");
	refuse("[backends.main]\na = \033[1m\n", "byte 0x1b");
}
END_TEST

START_TEST(a_nul_byte_is_refused_by_number)
{
	static const char text[] = "[backends.main]\na = x\0y\nb = z\n";

	ck_assert_int_eq(parse_bytes("f.ini", text, sizeof(text) - 1),
			 STORE_INVALID);
	ck_assert_str_eq(error.message,
			 "f.ini:2: a control character (byte 0x00)");
	ck_assert_int_eq(parse_bytes("f.ini", "\0", 1), STORE_INVALID);
}
END_TEST

START_TEST(a_comment_may_follow_a_section)
{
	accept("[backends.main] ; comment\na = x\n[stores.x]# comment\n");
	ck_assert_uint_eq(document.count, 2);
}
END_TEST

START_TEST(unknown_sections_suggest_the_nearest)
{
	refuse("\n[backend.main]\n", "f.ini:2: unknown section "
				     "[backend.main], did you mean "
				     "[backends.NAME]?");
	refuse("[sotres.x]\n", "did you mean [stores.NAME]?");
	refuse("[elsewhere]\n", "there are [backends.NAME]");
	refuse("[backends.]\n", "unknown section");
	refuse("[backends.a.b]\n", "unknown section");
	refuse("[mounts.a.options]\n", "unknown section");
	refuse("[stores.a.retry]\n", "unknown section");
	refuse("[tool.other.backends.a]\n", "unknown section");
}
END_TEST

START_TEST(options_outside_of_a_section_are_refused)
{
	refuse("a = x\n", "f.ini:1: option 'a' outside of a");
	refuse("[backends]\na = x\n", "f.ini:2: option 'a' outside of a");
	refuse("[tool.remote-store]\na = 1\n", "f.ini:2: option 'a' outside");
	accept("[tool.remote-store]\n[backends]\n[backends.main]\n");
}
END_TEST

START_TEST(a_second_section_names_both_lines)
{
	refuse("[backends.main]\n[stores.x]\n[backends.main]\n",
	       "f.ini:3: section [backends.main] was begun in line 1 already");
	refuse("[backends.main]\n[tool.remote-store.backends.main]\n",
	       "f.ini:2: section [backends.main] was begun in line 1");
	refuse("[backends.main.retry]\n\n[backends.main.retry]\n",
	       "f.ini:3: section [backends.main.retry] was begun in line 1");
	accept("[backends.main.options]\na = \"x\"\n[backends.main]\n"
	       "type = \"s3\"\n[backends.main.retry]\nb = 1\n");
	ck_assert_uint_eq(document.count, 1);
}
END_TEST

START_TEST(a_second_option_names_both_lines)
{
	refuse("[backends.main]\na = x\nb = y\na = z\n",
	       "f.ini:4: backends.main.a was set in line 2 already");
	refuse("[backends.main]\noptions = { a = 1, a = 2 }\n",
	       "f.ini:2: backends.main.a was set in line 2 already");
	refuse("[backends.main]\noptions = { a = 1 }\noptions.a = 2\n",
	       "f.ini:3: backends.main.a was set in line 2 already");
}
END_TEST

START_TEST(quoted_values_are_toml_in_any_file)
{
	line_gives("a = \"x # y ; z\"", "x # y ; z");
	line_gives("a = \"x\" # comment", "x");
	line_gives("a = \"\"", "");
	line_gives("a = ''", "");
	line_gives("a = 'C:\\x \"q\"'", "C:\\x \"q\"");
	line_gives("a = \"q\\\"b\\\\t\\t.\\u00e4\\U0001F600\"",
		   "q\"b\\t\t.\xc3\xa4\xf0\x9f\x98\x80");
	line_gives("\"a\" = \"x\"", "x");
}
END_TEST

START_TEST(malformed_strings_are_refused)
{
	line_fails("f.ini", "a = \"x", "closing quote");
	line_fails("f.ini", "a = 'x", "closing quote");
	line_fails("f.ini", "a = \"x\\\"", "closing quote");
	line_fails("f.ini", "a = \"x\" y", "text behind the value");
	line_fails("f.ini", "a = \"x\" ; y", "text behind the value");
	line_fails("f.ini", "a = \"\"\"", "multi-line");
	line_fails("f.ini", "a = '''x'''", "multi-line");
	line_fails("f.ini", "a = \"\\q\"", "escape");
	line_fails("f.ini", "a = \"\\u12\"", "too few digits");
	line_fails("f.ini", "a = \"\\ud800\"", "no character");
	line_fails("f.ini", "a = \"\\U00110000\"", "no character");
	line_fails("f.ini", "a = \"\\u0000\"", "NUL");
}
END_TEST

START_TEST(a_toml_file_has_typed_values_and_comments)
{
	accept_as("f.toml", "[backends.main]\na = 5 # five\nb = true\n"
			    "c = 1_000\nd = +7\ne = -1.5\nf = 0xff\n"
			    "g = 0o755\nh = 0b101\ni = false# no\nj = 0\n"
			    "k = 6.0e3\nl = 'text'\n");
	has("a", "5");
	has("b", "true");
	has("c", "1000");
	has("d", "7");
	has("e", "-1.5");
	has("f", "255");
	has("g", "0o755");
	has("h", "5");
	has("i", "false");
	has("j", "0");
	has("k", "6.0e3");
	has("l", "text");
}
END_TEST

START_TEST(what_toml_we_do_not_understand_is_refused)
{
	line_fails("f.toml", "a = text", "quotes");
	line_fails("f.toml", "a =", "missing");
	line_fails("f.toml", "a = # x", "missing");
	line_fails("f.toml", "a = [1, 2]", "arrays");
	line_fails("f.toml", "a = { b = 1 }", "tables");
	line_fails("f.toml", "a = 1979-05-27", "dates");
	line_fails("f.toml", "a = 07:32:00", "0");
	line_fails("f.toml", "a = 022", "must not start with 0");
	line_fails("f.toml", "a = 1__0", "malformed");
	line_fails("f.toml", "a = 1_", "malformed");
	line_fails("f.toml", "a = 1.", "malformed");
	line_fails("f.toml", "a = 0x", "malformed");
	line_fails("f.toml", "a = 0xffffffffffffffffff", "too large");
	line_fails("f.toml", "a = inf", "quotes");
	line_fails("f.toml", "a = 1 2", "text behind");
	line_fails("f.toml", "a = 1 ; 2", "text behind");
	line_fails("f.toml", "a = TRUE", "quotes");
}
END_TEST

START_TEST(a_remote_store_section_is_toml_in_any_file)
{
	accept("[tool.remote-store.backends.main]\na = 5 # five\n"
	       "[tool.remote-store.stores.x]\nbackend = \"main\"\n");
	has("a", "5");
	refuse("[tool.remote-store.backends.main]\na = text\n",
	       "f.ini:2: backends.main.a: text must stand in quotes");
}
END_TEST

START_TEST(options_and_retry_are_tables_on_one_line)
{
	accept("[backends.main]\ntype = \"s3\"\n"
	       "options = { bucket = \"x,}\", secure = true, n = 3 } # c\n"
	       "retry = {max_attempts=5,backoff_base=1.0 , 'jitter' = 1.0}\n");
	ck_assert_str_eq(entry(CONFIG_OPTIONS, "bucket")->value, "x,}");
	ck_assert_str_eq(entry(CONFIG_OPTIONS, "secure")->value, "true");
	ck_assert_str_eq(entry(CONFIG_OPTIONS, "n")->source, "f.ini:3");
	ck_assert_str_eq(entry(CONFIG_RETRY, "backoff_base")->value, "1.0");
	ck_assert_str_eq(entry(CONFIG_RETRY, "jitter")->value, "1.0");
	accept("[backends.main]\noptions = {}\nretry = { }\n");
	ck_assert_uint_eq(document.sections[0].count, 0);
}
END_TEST

START_TEST(tables_may_be_sections_or_dotted)
{
	accept("[backends.main]\noptions.bucket = \"x\"\n"
	       "retry.max_attempts = 5\n[backends.other]\n"
	       "[backends.other.options]\nbucket = y\n");
	ck_assert_str_eq(entry(CONFIG_OPTIONS, "bucket")->value, "x");
	ck_assert_str_eq(entry(CONFIG_RETRY, "max_attempts")->value, "5");
	ck_assert_int_eq(document.sections[1].entries[0].group, CONFIG_OPTIONS);
}
END_TEST

START_TEST(malformed_tables_are_refused)
{
	line_fails("f.ini", "options = x", "must be a table");
	line_fails("f.ini", "options = \"x\"", "must be a table");
	line_fails("f.ini", "options = {", "on the same line");
	line_fails("f.ini", "options = { a = 1", "on the same line");
	line_fails("f.ini", "options = { a = 1 } x", "text behind");
	line_fails("f.ini", "options = { a }", "name = value");
	line_fails("f.ini", "options = { a = }", "quotes");
	line_fails("f.ini", "options = { a = 1 b = 2 }", "','");
	line_fails("f.ini", "options = { , }", "name = value");
	line_fails("f.ini", "options = { a.b = 1 }", "dotted");
	line_fails("f.ini", "options = { a = { b = 1 } }", "within a table");
	line_fails("f.ini", "options = { a = [1] }", "arrays");
	line_fails("f.ini", "options = { a = b }", "quotes");
}
END_TEST

START_TEST(variables_are_replaced)
{
	setenv("STOREFS_T1", "one", 1);
	setenv("STOREFS_EMPTY", "", 1);
	unsetenv("STOREFS_NONE");
	line_gives("a = ${STOREFS_T1}", "one");
	line_gives("a = x${STOREFS_T1}y${STOREFS_T1}z", "xoneyonez");
	line_gives("a = ${STOREFS_NONE:-def ault}", "def ault");
	line_gives("a = ${STOREFS_NONE:-}", "");
	line_gives("a = ${STOREFS_T1:-d}", "one");
	line_gives("a = ${STOREFS_EMPTY}", "");
	line_gives("a = ${STOREFS_EMPTY:-d}", "d");
	line_gives("a = \"${STOREFS_T1}\"", "one");
	line_gives("a = '${STOREFS_T1}'", "one");
	line_gives("a = $${STOREFS_T1}", "${STOREFS_T1}");
	line_gives("a = $$${STOREFS_T1}", "$${STOREFS_T1}");
	line_gives("a = $5 $x $", "$5 $x $");
	line_gives("a = ${STOREFS_T1}}", "one}");
}
END_TEST

START_TEST(a_value_is_not_replaced_twice)
{
	setenv("STOREFS_T1", "${STOREFS_T2}", 1);
	setenv("STOREFS_T2", "two", 1);
	line_gives("a = ${STOREFS_T1}", "${STOREFS_T2}");
}
END_TEST

START_TEST(an_unset_variable_is_named_with_its_place)
{
	unsetenv("STOREFS_NONE");
	refuse("[backends.main]\n\noptions = { pass = \"${STOREFS_NONE}\" }\n",
	       "f.ini:3: backends.main.pass: environment variable "
	       "STOREFS_NONE is not set");
	line_fails("f.ini", "a = ${}", "expected ${NAME}");
	line_fails("f.ini", "a = ${", "expected ${NAME}");
	line_fails("f.ini", "a = ${X", "expected ${NAME}");
	line_fails("f.ini", "a = ${1X}", "expected ${NAME}");
	line_fails("f.ini", "a = ${X-y}", "expected ${NAME}");
	line_fails("f.ini", "a = ${X Y}", "expected ${NAME}");
}
END_TEST

START_TEST(what_stands_in_the_file_is_known)
{
	setenv("STOREFS_T1", "one", 1);
	accept("[backends.main]\na = x\nb = ${STOREFS_T1}\n"
	       "c = ${STOREFS_T1:-secret}\nd = ${STOREFS_T1:-}\n");
	ck_assert(entry(CONFIG_PLAIN, "a")->written);
	ck_assert_ptr_null(entry(CONFIG_PLAIN, "a")->variable);
	ck_assert(!entry(CONFIG_PLAIN, "b")->written);
	ck_assert_str_eq(entry(CONFIG_PLAIN, "b")->variable, "STOREFS_T1");
	ck_assert(entry(CONFIG_PLAIN, "c")->written);
	ck_assert(!entry(CONFIG_PLAIN, "d")->written);
}
END_TEST

START_TEST(no_message_quotes_a_value)
{
	line_fails("f.ini", "a = \"hunter2", "closing");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	line_fails("f.toml", "a = hunter2", "quotes");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	line_fails("f.ini", "a = ${hunter2 x}", "expected");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
}
END_TEST

/* ---- files ---- */

static char folder[64];
static char path[512];

static void begin_files(void)
{
	snprintf(folder, sizeof(folder), "/tmp/storefs-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	unsetenv("STOREFS_CONFIG");
	setenv("HOME", folder, 1);
	unsetenv("XDG_CONFIG_HOME");
	store_error_clear(&error);
}

static void end_files(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (char *p = path + strlen(folder) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void reads(const char *named, const char *text)
{
	struct config_bytes bytes = { 0 };
	int code = config_bytes_read(named, &bytes, &error);

	ck_assert_msg(code == STORE_OK, "%s", error.message);
	ck_assert_str_eq(bytes.path, path);
	ck_assert_str_eq(bytes.data, text);
	config_bytes_release(&bytes);
}

static void fails(const char *named, int code)
{
	struct config_bytes bytes = { 0 };

	ck_assert_int_eq(config_bytes_read(named, &bytes, &error), code);
	ck_assert_ptr_null(bytes.data);
	ck_assert_ptr_null(bytes.path);
	config_bytes_release(&bytes);
}

START_TEST(files_are_looked_for_in_order)
{
	char other[512];

	write_file(".config/storefs/storefs.ini", "home", 0600);
	reads(NULL, "home");
	write_file("xdg/storefs/storefs.ini", "xdg", 0600);
	snprintf(other, sizeof(other), "%s/xdg", folder);
	setenv("XDG_CONFIG_HOME", other, 1);
	reads(NULL, "xdg");
	write_file("mine", "environment", 0600);
	setenv("STOREFS_CONFIG", path, 1);
	reads(NULL, "environment");
	write_file("named", "named", 0600);
	reads(path, "named");
}
END_TEST

START_TEST(a_relative_xdg_folder_is_ignored)
{
	setenv("XDG_CONFIG_HOME", "xdg", 1);
	write_file(".config/storefs/storefs.ini", "home", 0600);
	reads(NULL, "home");
}
END_TEST

START_TEST(a_named_file_must_exist)
{
	snprintf(path, sizeof(path), "%s/none", folder);
	fails(path, STORE_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(error.message, path));
	setenv("STOREFS_CONFIG", path, 1);
	fails(NULL, STORE_NOT_FOUND);
	fails(folder, STORE_INVALID);
}
END_TEST

START_TEST(a_file_over_1_mib_is_refused)
{
	write_file("big", "", 0600);
	ck_assert_int_eq(truncate(path, CONFIG_FILE_MAX + 1), 0);
	fails(path, STORE_INVALID);
	ck_assert_int_eq(truncate(path, CONFIG_FILE_MAX), 0);
	reads(path, "");
}
END_TEST

START_TEST(the_mode_of_the_file_is_seen)
{
	static const struct {
		mode_t mode;
		bool shared;
	} modes[] = {
		{ 0600, false }, { 0640, true }, { 0604, true }, { 0622, false }
	};

	for (size_t i = 0; i < 4; i++) {
		struct config_bytes bytes = { 0 };

		write_file("f", "x", modes[i].mode);
		ck_assert_int_eq(config_bytes_read(path, &bytes, &error),
				 STORE_OK);
		ck_assert_int_eq(bytes.shared, modes[i].shared);
		config_bytes_release(&bytes);
	}
}
END_TEST

static TCase *document_tests(void)
{
	TCase *test = tcase_create("document");

	tcase_add_checked_fixture(test, NULL, end);
	tcase_add_test(test, an_empty_file_is_a_document);
	tcase_add_test(test, sections_and_options_keep_their_lines);
	tcase_add_test(test, an_unquoted_value_is_kept_whole);
	tcase_add_test(test, a_long_value_is_kept_whole);
	tcase_add_test(test, names_of_49_bytes_fit_and_longer_ones_are_refused);
	tcase_add_test(test, the_end_of_the_last_line_may_be_missing);
	tcase_add_test(test, windows_files_are_read);
	tcase_add_test(test, lines_that_are_none_are_refused_by_number);
	tcase_add_test(test, a_nul_byte_is_refused_by_number);
	tcase_add_test(test, a_comment_may_follow_a_section);
	tcase_add_test(test, unknown_sections_suggest_the_nearest);
	tcase_add_test(test, options_outside_of_a_section_are_refused);
	tcase_add_test(test, a_second_section_names_both_lines);
	tcase_add_test(test, a_second_option_names_both_lines);
	tcase_add_test(test, quoted_values_are_toml_in_any_file);
	tcase_add_test(test, malformed_strings_are_refused);
	tcase_add_test(test, a_toml_file_has_typed_values_and_comments);
	tcase_add_test(test, what_toml_we_do_not_understand_is_refused);
	tcase_add_test(test, a_remote_store_section_is_toml_in_any_file);
	tcase_add_test(test, options_and_retry_are_tables_on_one_line);
	tcase_add_test(test, tables_may_be_sections_or_dotted);
	tcase_add_test(test, malformed_tables_are_refused);
	tcase_add_test(test, variables_are_replaced);
	tcase_add_test(test, a_value_is_not_replaced_twice);
	tcase_add_test(test, an_unset_variable_is_named_with_its_place);
	tcase_add_test(test, what_stands_in_the_file_is_known);
	tcase_add_test(test, no_message_quotes_a_value);
	return test;
}

static TCase *file_tests(void)
{
	TCase *test = tcase_create("file");

	tcase_add_checked_fixture(test, begin_files, end_files);
	tcase_add_test(test, files_are_looked_for_in_order);
	tcase_add_test(test, a_relative_xdg_folder_is_ignored);
	tcase_add_test(test, a_named_file_must_exist);
	tcase_add_test(test, a_file_over_1_mib_is_refused);
	tcase_add_test(test, the_mode_of_the_file_is_seen);
	return test;
}

int main(void)
{
	Suite *suite = suite_create("config");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, document_tests());
	suite_add_tcase(suite, file_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
