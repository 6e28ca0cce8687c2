// SPDX-License-Identifier: MIT
/*
 * Command lines; see cli.h.  Called by main.c.  mount(8) calls its helpers
 * as "mount.TYPE SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]",
 * umount(8) as "umount.TYPE DIR [-flnrv] [-N NAMESPACE] [-t TYPE]".
 */
#include "config.h"

#include "mount/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option long_options[] = {
	{ "check", no_argument, NULL, 'K' },
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "offline", no_argument, NULL, 'O' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int usage(struct store_error *error, const struct cli *cli,
		 const char *text)
{
	return store_error_set(error, STORE_INVALID, "%s; see %s --help", text,
			       cli->program);
}

/* What each letter does, as storefs and as a helper of mount(8). */
static int cli_letter(struct cli *cli, int letter, bool helper,
		      struct store_error *error)
{
	switch (letter) {
	case 'o':
		return mount_words_parse(&cli->words, optarg, error);
	case 'c':
		return mount_words_set(&cli->words, "config", optarg, "-c",
				       error);
	case 'K':
		cli->action = CLI_CHECK;
		return STORE_OK;
	case 'O':
		cli->action = CLI_OFFLINE;
		return STORE_OK;
	case 'h':
		cli->action = CLI_HELP;
		return STORE_OK;
	case 'V':
		cli->action = CLI_VERSION;
		return STORE_OK;
	case 'd':
		cli->debug = true;
		cli->foreground = true;
		return STORE_OK;
	case 'f':
		if (helper)
			cli->action = CLI_FAKE;
		else
			cli->foreground = true;
		return STORE_OK;
	case 'N':
		cli->namespace = optarg;
		return STORE_OK;
	case 'r':
		return mount_words_set(&cli->words, "ro", NULL, "-r", error);
	case 'v':
		cli->verbose = true;
		return STORE_OK;
	case 'n':
	case 's':
	case 'w':
	case 't':
		return STORE_OK;
	default:
		return usage(error, cli, "unknown option");
	}
}

static int umount_letter(struct cli *cli, int letter, struct store_error *error)
{
	switch (letter) {
	case 'f':
		cli->force = true;
		return STORE_OK;
	case 'N':
		cli->namespace = optarg;
		return STORE_OK;
	case 'l':
		cli->lazy = true;
		return STORE_OK;
	case 'v':
		cli->verbose = true;
		return STORE_OK;
	case 'n':
	case 'r':
	case 't':
		return STORE_OK;
	default:
		return usage(error, cli, "unknown option");
	}
}

static int cli_operands(struct cli *cli, int argc, char **argv,
			struct store_error *error)
{
	int wanted = cli->action == CLI_UMOUNT ? 1 : 2;

	if (cli->action == CLI_HELP || cli->action == CLI_VERSION)
		return STORE_OK;
	if (cli->action == CLI_OFFLINE) {
		cli->source = optind < argc ? argv[optind] : NULL;
		cli->mountpoint = optind + 1 < argc ? argv[optind + 1] : NULL;
		return STORE_OK;
	}
	if (argc - optind != wanted)
		return usage(error, cli,
			     wanted == 1 ? "a mount point is needed"
					 : "a source and a mount point are "
					   "needed");
	if (wanted == 2)
		cli->source = argv[optind];
	cli->mountpoint = argv[argc - 1];
	if (!*cli->mountpoint || (cli->source && !*cli->source))
		return usage(error, cli, "an empty argument");
	return STORE_OK;
}

int cli_parse(struct cli *cli, int argc, char **argv, struct store_error *error)
{
	const char *slash = strrchr(argv[0], '/');
	bool helper, umount;
	int letter, code;

	*cli = (struct cli){ .program = slash ? slash + 1 : argv[0] };
	umount = !strncmp(cli->program, "umount.", 7);
	helper = !strncmp(cli->program, "mount.", 6);
	cli->action = umount ? CLI_UMOUNT : CLI_MOUNT;
	code = mount_words_new(&cli->words, error);
	opterr = 0;
	while (!code && (letter = getopt_long(argc, argv,
					      umount   ? "flnrvN:t:"
					      : helper ? "fnrsvwN:o:t:hV"
						       : "fdo:c:rhV",
					      long_options, NULL)) != -1)
		code = umount ? umount_letter(cli, letter, error)
			      : cli_letter(cli, letter, helper, error);
	return code ? code : cli_operands(cli, argc, argv, error);
}

void cli_release(struct cli *cli)
{
	mount_words_release(&cli->words);
}

static void print_option(const struct store_option *option)
{
	char left[64];
	const char *shape = option->type == OPTION_FLAG	      ? ""
			    : option->type == OPTION_CHOICE   ? option->choices
			    : option->type == OPTION_DURATION ? "TIME"
			    : option->type == OPTION_PATH     ? "PATH"
			    : option->type == OPTION_OCTAL    ? "MODE"
			    : option->type == OPTION_INTEGER  ? "N"
							      : "SIZE";

	snprintf(left, sizeof(left), "%s%s%s", option->name, *shape ? "=" : "",
		 shape);
	printf("  %-34s %s", left, option->help);
	if (option->fallback && option->type != OPTION_FLAG)
		printf(" (%s)", option->fallback);
	printf("\n");
}

void cli_print_help(const struct cli *cli)
{
	if (cli->action == CLI_UMOUNT) {
		printf("usage: %s MOUNTPOINT [-fl]\n", cli->program);
		return;
	}
	printf("usage: %s SOURCE MOUNTPOINT [-f] [-d] [-c FILE] "
	       "[-o OPTION,...]\n\n"
	       "SOURCE is a store of the configuration file, or a URL:\n"
	       "  file:///dir  memory:  sqlite:////abs/file.db\n\n"
	       "  -f  stay in the foreground    -d  and tell every request\n"
	       "  -c FILE, -o config=FILE  configuration file\n"
	       "  --check  do everything but mount\n\nOptions:\n",
	       cli->program);
	for (const struct store_option *option = mount_option_table;
	     option->name; option++)
		if (!(option->flags & OPTION_HIDDEN))
			print_option(option);
}
