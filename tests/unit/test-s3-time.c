// SPDX-License-Identifier: MIT
/* Times as S3, s3fs and rclone write them. */
#include "config.h"

#include "backends/s3/time.h"
#include "tests/unit/unit.h"

static void reads(const char *text, long long sec, long nsec)
{
	struct timespec time = { 0, 0 };

	ck_assert_msg(s3_time_of_metadata(text, &time), "%s", text);
	ck_assert_int_eq(time.tv_sec, sec);
	ck_assert_int_eq(time.tv_nsec, nsec);
}

START_TEST(every_form_of_a_time_is_read)
{
	reads("1700000000", 1700000000, 0);
	reads("1700000000.5", 1700000000, 500000000);
	reads("1700000000.123456789", 1700000000, 123456789);
	reads("1700000000.1234567891", 1700000000, 123456789);
	reads("-86401.999999999", -86401, 999999999);
	reads("2009-10-12T17:50:30.000Z", 1255369830, 0);
	reads("2009-10-12T19:50:30.25+02:00", 1255369830, 250000000);
	reads("2009-10-12T16:50:30-01:00", 1255369830, 0);
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
	static const char *const texts[] = {
		"",	      "soon",
		"1.2.3",      "1700000000Z",
		"2009-10-12", "2009-10-12T17:50:30X",
	};
	struct timespec time;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!s3_time_of_metadata(texts[i], &time), "%s",
			      texts[i]);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-time");

	tcase_add_test(tests, every_form_of_a_time_is_read);
	tcase_add_test(tests, what_is_no_time_is_refused);
	return unit_run("s3-time", tests);
}
