/* SPDX-License-Identifier: MIT */
/*
 * Messages for operators.  To stderr until log_to_syslog(); one line each,
 * never a secret.  Logged once, by whoever ends the story.  Any thread.
 */
#ifndef STOREFS_BASE_LOG_H
#define STOREFS_BASE_LOG_H

#include <storefs/error.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Default LOG_LEVEL_INFO.  Set before threads start. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* Before threads start: from now on to syslog under this name. */
void log_to_syslog(const char *name);
void log_message(enum log_level level, const char *format, ...)
	STORE_PRINTF(2, 3);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_message(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                             \
	do {                                                       \
		if (log_get_level() >= LOG_LEVEL_DEBUG)            \
			log_message(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
