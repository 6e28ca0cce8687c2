// SPDX-License-Identifier: MIT
/* The program: see proxy.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/servers/place.h"
#include "tests/servers/proxy.h"

static int usage(void)
{
	fprintf(stderr, "usage: proxy PLACE http|tcp PORT\n"
			"       proxy -c PLACE COMMAND...\n");
	return 2;
}

static int tell(const char *place, char *const words[])
{
	CLEANUP_BUF struct buf answer = BUF_INIT(64 << 20);
	bool fine = place_tell(place, words, &answer);

	fputs(buf_text(&answer), fine ? stdout : stderr);
	return fine && !fflush(stdout) ? 0 : 1;
}

static int serve(const char *place, bool http, int server)
{
	struct proxy proxy = { .http = http, .port = server };
	int port = 0;

	proxy.listener = place_listen(&port);
	proxy.control = place_control(place);
	if (proxy.listener < 0 || proxy.control < 0 ||
	    !place_ready(place, port)) {
		perror(place);
		return 1;
	}
	return proxy_serve(&proxy);
}

int main(int argc, char **argv)
{
	bool http = argc == 4 && strcmp(argv[2], "http") == 0;
	long port;

	if (argc >= 4 && strcmp(argv[1], "-c") == 0)
		return tell(argv[2], argv + 3);
	if (argc != 4 || (!http && strcmp(argv[2], "tcp") != 0))
		return usage();
	port = strtol(argv[3], NULL, 10);
	if (port < 1 || port > 65535)
		return usage();
	return serve(argv[1], http, (int)port);
}
