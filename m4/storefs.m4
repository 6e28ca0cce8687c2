# SPDX-License-Identifier: MIT
# Macros of our own, kept out of configure.ac so that it reads as a list.

# STOREFS_CC_FLAG(FLAG, IF-YES, IF-NO): does the compiler take FLAG?
# -Werror because clang only warns about flags it does not know.
AC_DEFUN([STOREFS_CC_FLAG], [
	AS_VAR_PUSHDEF([cached], [storefs_cv_cc_$1])
	AC_CACHE_CHECK([whether $CC accepts $1], [cached], [
		storefs_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $1"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([cached], [yes])],
			[AS_VAR_SET([cached], [no])])
		CFLAGS=$storefs_save_CFLAGS])
	AS_VAR_IF([cached], [yes], [$2], [$3])
	AS_VAR_POPDEF([cached])
])

# STOREFS_WARNINGS: WARN_CFLAGS, each flag tried on its own.
AC_DEFUN([STOREFS_WARNINGS], [
	WARN_CFLAGS=
	m4_foreach_w([flag], [
		-Wall -Wextra -Wshadow -Wstrict-prototypes
		-Wmissing-prototypes -Wpointer-arith -Wcast-qual
		-Wwrite-strings -Wundef -Wvla -Wformat=2
		-Wthread-safety
		], [
		STOREFS_CC_FLAG(flag, [WARN_CFLAGS="$WARN_CFLAGS flag"])
	])
	STOREFS_CC_FLAG([-std=gnu11], [WARN_CFLAGS="-std=gnu11 $WARN_CFLAGS"],
		[AC_MSG_ERROR([a C11 compiler with GNU extensions is needed])])
	AC_SUBST([WARN_CFLAGS])
])

# Buffers, descriptors and locks are released by the compiler: without the
# attribute the code would leak silently.
AC_DEFUN([STOREFS_CLEANUP_ATTRIBUTE], [
	AC_CACHE_CHECK([for __attribute__((cleanup))],
		[storefs_cv_cleanup], [
		storefs_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM(
			[[static void clear(int *p) { *p = 0; }]],
			[[__attribute__((cleanup(clear))) int x = 1;
			  (void)x;]])],
			[storefs_cv_cleanup=yes], [storefs_cv_cleanup=no])
		CFLAGS=$storefs_save_CFLAGS])
	AS_IF([test "$storefs_cv_cleanup" = yes], [],
		[AC_MSG_ERROR([the compiler lacks __attribute__((cleanup))])])
])

# 32-bit systems: times after 2038 need the wider time_t.
AC_DEFUN([STOREFS_TIME64], [
	AC_CACHE_CHECK([whether time_t needs _TIME_BITS=64],
		[storefs_cv_time_bits], [
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <time.h>]],
			[[static int wide@<:@sizeof(time_t) > 4 ? 1 : -1@:>@;
			  (void)wide;]])],
			[storefs_cv_time_bits=no], [storefs_cv_time_bits=yes])])
	AS_IF([test "$storefs_cv_time_bits" = yes],
		[AC_DEFINE([_TIME_BITS], [64],
			[Define to 64 where time_t is 32 bits wide.])])
])

# STOREFS_SANITIZERS(LIST): SAN_CFLAGS and SAN_LDFLAGS.
AC_DEFUN([STOREFS_SANITIZERS], [
	SAN_CFLAGS=
	SAN_LDFLAGS=
	AS_CASE([$1],
		[no|''], [],
		[yes], [AC_MSG_ERROR([--enable-sanitizers needs a list])],
		[SAN_CFLAGS="-fsanitize=$1 -fno-omit-frame-pointer"
		 SAN_CFLAGS="$SAN_CFLAGS -fno-sanitize-recover=all"
		 SAN_LDFLAGS="-fsanitize=$1"
		 AC_DEFINE([SANITIZED], [1],
			[Define when built with sanitizers.])])
	AC_SUBST([SAN_CFLAGS])
	AC_SUBST([SAN_LDFLAGS])
])

# The shared library exports what src/libstorefs.map lists. Undefined symbols
# are an error, except under a sanitizer, whose runtime comes with the program.
AC_DEFUN([STOREFS_VERSION_SCRIPT], [
	AC_CACHE_CHECK([whether the linker takes a version script],
		[storefs_cv_version_script], [
		storefs_save_LDFLAGS=$LDFLAGS
		LDFLAGS="$LDFLAGS -shared -Wl,--version-script=conftest.map"
		AS_ECHO(["A_1 { global: a; local: *; };"]) > conftest.map
		storefs_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -fPIC"
		AC_LINK_IFELSE([AC_LANG_SOURCE([[int a(void); int a(void) { return 0; }]])],
			[storefs_cv_version_script=yes],
			[storefs_cv_version_script=no])
		CFLAGS=$storefs_save_CFLAGS
		LDFLAGS=$storefs_save_LDFLAGS
		rm -f conftest.map])
	AM_CONDITIONAL([VERSION_SCRIPT],
		[test "$storefs_cv_version_script" = yes])
	AS_IF([test -z "$SAN_LDFLAGS"],
		[NO_UNDEFINED=-Wl,--no-undefined], [NO_UNDEFINED=])
	AC_SUBST([NO_UNDEFINED])
])
