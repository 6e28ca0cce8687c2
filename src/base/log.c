// SPDX-License-Identifier: MIT
/* Where messages go; see log.h. */
#include "config.h"

#include "src/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static struct {
	enum log_level level;
	bool to_syslog;
} log_state = { .level = LOG_LEVEL_INFO };

void log_set_level(enum log_level level)
{
	log_state.level = level;
}

enum log_level log_get_level(void)
{
	return log_state.level;
}

void log_to_syslog(const char *name)
{
	openlog(name, LOG_PID, LOG_DAEMON);
	log_state.to_syslog = true;
}

static int log_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARN:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	default:
		return LOG_DEBUG;
	}
}

void log_message(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (level > log_state.level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (log_state.to_syslog)
		syslog(log_priority(level), "%s", line);
	else
		fprintf(stderr, "storefs: %s\n", line);
}
