// SPDX-License-Identifier: MIT
/* A fake S3 server as a program: fake_s3 PLACE; told with fake_s3 -c. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/servers/fake_s3.h"
#include "tests/servers/place.h"

static int tell(const char *place, char *const words[])
{
	CLEANUP_BUF struct buf answer = BUF_INIT(1 << 20);
	bool fine = place_tell(place, words, &answer);

	fputs(buf_text(&answer), fine ? stdout : stderr);
	return fine && !fflush(stdout) ? 0 : 1;
}

static int serve(const char *place)
{
	struct fake_s3 *fake = fake_s3_new();
	int control = place_control(place);

	if (!fake || control < 0 || !fake_s3_start(fake) ||
	    !place_ready(place, fake_s3_port(fake))) {
		perror(place);
		return 1;
	}
	for (;;)
		place_serve(control, fake_s3_command, fake);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "-c") == 0)
		return tell(argv[2], argv + 3);
	if (argc == 2 && argv[1][0] != '-')
		return serve(argv[1]);
	fprintf(stderr, "usage: fake_s3 PLACE\n"
			"       fake_s3 -c PLACE COMMAND...\n");
	return 2;
}
