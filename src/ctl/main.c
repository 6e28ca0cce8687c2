// SPDX-License-Identifier: MIT
/*
 * storectl: stores from the shell.  main() finds the command in the table,
 * parses its options and runs it; the exit status tells the kind of the first
 * failure (ctl.h).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/text.h"
#include "src/ctl/ctl.h"
#include <storefs/version.h>

static const struct ctl_command *const commands[] = {
	&command_ls,	  &command_tree,    &command_glob,
	&command_stat,	  &command_cat,	    &command_cp,
	&command_mv,	  &command_rm,	    &command_mkdir,
	&command_rmdir,	  &command_sum,	    &command_du,
	&command_ping,	  &command_caps,    &command_resolve,
	&command_config,  &command_check,   &command_status,
	&command_metrics, &command_pending, &command_drain,
	&command_retry,	  &command_pause,   &command_resume,
	&command_discard, &command_export,  &command_umount,
	&command_warm,	  &command_refresh, NULL,
};

static void main_help(void)
{
	const struct ctl_command *const *each;

	printf("usage: storectl [OPTION...] COMMAND [OPTION...] [OPERAND...]\n"
	       "\n"
	       "Operands name files and folders:\n"
	       "  NAME:path               in a store of the configuration\n"
	       "  scheme://.../file       in a store given by URL\n"
	       "  scheme://...!/key       the same where the URL is the store\n"
	       "  anything else           a local path (./a:b with a colon)\n"
	       "\nCommands:\n");
	for (each = commands; *each; each++)
		printf("  %-10s %s\n", (*each)->name, (*each)->help);
	printf("\nOptions:\n");
	args_print(NULL);
	printf("      --version            Show the version\n"
	       "\n'storectl COMMAND --help' tells more; storectl(1) all.\n");
}

static void main_command_help(const struct ctl_command *command)
{
	printf("usage: storectl %s [OPTION...] %s\n\n%s.\n\nOptions:\n",
	       command->name, command->operands, command->help);
	args_print(command->options);
}

static const struct ctl_command *main_find(const char *name)
{
	struct text_nearest nearest = { .name = name };
	const struct ctl_command *const *each;

	for (each = commands; *each; each++) {
		if (!strcmp((*each)->name, name))
			return *each;
		text_nearest_try(&nearest, (*each)->name);
	}
	if (nearest.found)
		out_complain("unknown command '%s', did you mean '%s'?", name,
			     nearest.found);
	else
		out_complain(
			"unknown command '%s'; 'storectl --help' lists them",
			name);
	return NULL;
}

static bool main_operands_fit(const struct ctl_command *command, int count)
{
	if (count < command->least)
		out_complain("%s: missing operand: storectl %s %s",
			     command->name, command->name, command->operands);
	else if (command->most >= 0 && count > command->most)
		out_complain("%s: too many operands: storectl %s %s",
			     command->name, command->name, command->operands);
	else
		return true;
	return false;
}

static int main_finish(struct ctl *ctl)
{
	struct store_error error = STORE_ERROR_INIT;

	if (out_finish(&error))
		ctl_fail(ctl, NULL, NULL, &error);
	ctl_close(ctl);
	signals_finish();
	return ctl->status;
}

static int main_run(struct ctl *ctl, const struct ctl_command *command,
		    char **operands, int count)
{
	struct store_error error = STORE_ERROR_INIT;

	if (ctl->args.help) {
		main_command_help(command);
		return main_finish(ctl);
	}
	if (!main_operands_fit(command, count))
		return CTL_USAGE;
	store_context_init(&ctl->context, ctl->args.timeout_ns, NULL);
	if (command->writes && signals_start(ctl, &error))
		ctl_fail(ctl, NULL, NULL, &error);
	else
		command->run(ctl, operands, count);
	return main_finish(ctl);
}

/* "--version" stands alone; everything else goes through the tables. */
static bool main_is_version(int argc, char **argv)
{
	return argc == 2 && !strcmp(argv[1], "--version");
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .status = 0 };
	const struct ctl_command *command;
	int first = argc;
	int operands;

	args_init(&ctl.args);
	if (main_is_version(argc, argv)) {
		printf("storectl %s\n", STOREFS_VERSION);
		return main_finish(&ctl);
	}
	if (argc < 1 || args_parse(&ctl.args, NULL, argc, argv, true, &first))
		return CTL_USAGE;
	if (first >= argc && ctl.args.help) {
		main_help();
		return main_finish(&ctl);
	}
	if (first >= argc) {
		out_complain("no command; 'storectl --help' lists them");
		return CTL_USAGE;
	}
	command = main_find(argv[first]);
	if (!command)
		return CTL_USAGE;
	argv += first;
	argc -= first;
	if (args_parse(&ctl.args, command->options, argc, argv, false,
		       &operands))
		return CTL_USAGE;
	return main_run(&ctl, command, argv + operands, argc - operands);
}
