// SPDX-License-Identifier: MIT
/* XML answers and CRC32C: what stores over HTTP are told by. */
#include "config.h"

#include "src/base/buf.h"
#include "src/base/crc32c.h"
#include "src/base/xml.h"
#include "tests/unit/unit.h"

#include <string.h>

static int note(void *arg, const char *path, const char *text,
		struct store_error *error)
{
	if (strcmp(text, "stop") == 0)
		return store_error_set(error, STORE_CANCELLED, "stopped");
	buf_addf(arg, "%s=%s;", path, text);
	return STORE_OK;
}

static int parse(const char *text, struct buf *told)
{
	struct store_error error = STORE_ERROR_INIT;
	int code = xml_parse(text, strlen(text), note, told, &error);

	ck_assert_int_eq(error.code, code);
	return code;
}

START_TEST(elements_are_told_with_path_and_text)
{
	struct buf told = BUF_INIT(4096);

	ck_assert_int_eq(
		parse("<?xml version=\"1.0\"?>\n<a xmlns=\"http://x/\"><b>1 &lt; "
		      "&#50;</b><c/><d><b> x </b></d></a>",
		      &told),
		STORE_OK);
	ck_assert_str_eq(buf_text(&told), "a/b=1 < 2;a/c=;a/d/b= x ;a/d=;a=;");
	buf_release(&told);
}
END_TEST

START_TEST(references_to_control_characters_are_taken)
{
	struct buf told = BUF_INIT(4096);

	ck_assert_int_eq(parse("<a><b>x&#x1;y&#31;&#x1F;&amp;&#9;</b>"
			       "<c>&#1;</c></a>",
			       &told),
			 STORE_OK);
	ck_assert_str_eq(buf_text(&told), "a/b=x\001y\037\037&\t;a/c=\001;a=;");
	buf_release(&told);
}
END_TEST

START_TEST(what_is_no_document_is_corrupt)
{
	static const char *const texts[] = {
		"",
		"plain",
		"<a>",
		"<a></b>",
		"<a/><b/>",
		"<a>\x01</a>",
		"<a>\xff</a>",
		"<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>",
		"&#x1;",
		"<a>&#0;</a>",
		"<a>&#x110000;</a>",
		"<a>&#x1</a>",
		"<a>&#x</a>",
		"<a><![CDATA[&#x1;]]>&#x1;</a>",
	};
	struct buf told = BUF_INIT(4096);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(parse(texts[i], &told), STORE_CORRUPT);
	buf_release(&told);
}
END_TEST

START_TEST(depth_and_length_are_bounded)
{
	struct buf text = BUF_INIT(1 << 20);
	struct buf told = BUF_INIT(1 << 20);

	for (int i = 0; i < 40; i++)
		buf_add_text(&text, "<a>");
	for (int i = 0; i < 40; i++)
		buf_add_text(&text, "</a>");
	ck_assert_int_eq(parse(buf_text(&text), &told), STORE_CORRUPT);
	buf_clear(&text);
	buf_add_text(&text, "<a>");
	for (int i = 0; i < 20000; i++)
		buf_add_char(&text, 'x');
	buf_add_text(&text, "</a>");
	ck_assert_int_eq(parse(buf_text(&text), &told), STORE_CORRUPT);
	buf_release(&text);
	buf_release(&told);
}
END_TEST

START_TEST(a_failure_of_the_reader_ends_the_parsing)
{
	struct buf told = BUF_INIT(4096);

	ck_assert_int_eq(parse("<a><b>stop</b><c>2</c></a>", &told),
			 STORE_CANCELLED);
	ck_assert_str_eq(buf_text(&told), "");
	buf_release(&told);
}
END_TEST

/* RFC 3720, appendix B.4 */
START_TEST(crc32c_matches_the_vectors_of_the_rfc)
{
	unsigned char bytes[32] = { 0 };
	unsigned int cut;

	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43);
	for (unsigned int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x46dd794e);
	for (cut = 0; cut <= 32; cut++)
		ck_assert_uint_eq(
			crc32c(crc32c(0, bytes, cut), bytes + cut, 32 - cut),
			0x46dd794e);
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("xml");

	tcase_add_test(tests, elements_are_told_with_path_and_text);
	tcase_add_test(tests, references_to_control_characters_are_taken);
	tcase_add_test(tests, what_is_no_document_is_corrupt);
	tcase_add_test(tests, depth_and_length_are_bounded);
	tcase_add_test(tests, a_failure_of_the_reader_ends_the_parsing);
	tcase_add_test(tests, crc32c_matches_the_vectors_of_the_rfc);
	return unit_run("xml", tests);
}
