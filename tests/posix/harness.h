// SPDX-License-Identifier: MIT
// What the nouns of posix_suite share: counted checks, users to switch to,
// fixtures and the rules for times.
//
// A test is a function without arguments. It runs in a child process of its
// own, in an empty directory of mode 0755, as the caller of the suite, with
// umask 0. Checks never stop a test; they are counted in memory shared with
// every child, so processes that a test forks may check too.
#ifndef STOREFS_TESTS_POSIX_HARNESS_H
#define STOREFS_TESTS_POSIX_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE 0x01
#endif
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_PUNCH_HOLE 0x02
#endif
#ifndef FALLOC_FL_ZERO_RANGE
#define FALLOC_FL_ZERO_RANGE 0x10
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 0x01
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 0x02
#endif

// ---- Tests and their tables ----

struct t_case {
	const char *name;
	void (*run)(void);
};

#define T(fn)           \
	{               \
#fn, fn \
	}

// ---- Checks ----

void t_want(const char *file, int line, int want, int got, const char *what);
void t_check(const char *file, int line, bool cond, const char *what);
void t_equal(const char *file, int line, long long got, long long want,
	     const char *what);

#define SYS(expr) ((expr) == -1 ? errno : 0)
// EXPR, a system call, must fail with errno ERR (0: must succeed).
#define WANT(err, expr) t_want(__FILE__, __LINE__, err, SYS(expr), #expr)
#define OK(expr) WANT(0, expr)
#define CHECK(cond) t_check(__FILE__, __LINE__, cond, #cond)
#define EQ(got, want)                                                    \
	t_equal(__FILE__, __LINE__, (long long)(got), (long long)(want), \
		#got " == " #want)

// Says why a part of a test cannot run here; counted in the summary.
void t_skip(const char *why);

// ---- Stores that cannot do everything ----

// What --without names; the rest of POSIX is asked of every store.
enum t_ability {
	T_HARD_LINKS = 1,  // link
	T_SPECIAL = 2,	   // special: fifos, sockets and devices
	T_EXCHANGE = 4,	   // exchange: RENAME_EXCHANGE
	T_ANY_BYTES = 8,   // bytes: names that are no UTF-8
	T_LONG_PATHS = 16, // paths: more than 1000 bytes from the root on
	T_LINK_OVER = 32,  // over: a symlink takes the name of a file
};

// False, and a counted skip, where the store under test lacks ABILITY.
bool t_can(enum t_ability ability);
// Takes a comma separated list; -1 for a word that is none of these.
int t_lacks(const char *words);

// ---- Users ----

struct t_user {
	uid_t uid;
	gid_t gid;
	size_t n_groups;
	gid_t groups[4];
};

#define T_TEAM 65531 // a group that only TEAMSTER's members are in

extern const struct t_user alice;    // 65534:65534
extern const struct t_user bob;	     // 65533:65533
extern const struct t_user carol;    // 65532:65532
extern const struct t_user teamster; // alice, also in T_TEAM

bool t_is_root(void);

// Becomes USER with real and effective ids (the saved id stays, to come
// back); false and a counted skip when the suite does not run as root.
bool t_become(const struct t_user *user);
bool t_return(void); // back to root; always false

// Runs the following statement or block as USER. No break or return inside.
#define AS(user) for (bool t_as = t_become(user); t_as; t_as = t_return())

// ---- Node types ----

enum t_type { T_REG, T_DIR, T_LNK, T_FIFO, T_SOCK, T_CHR, T_BLK, T_TYPES };

extern const char *const t_type_name[T_TYPES];

// Creates NAME with that type and MODE (a symlink points to "target-of-it");
// -1 with errno. Device nodes need root.
int t_make(const char *name, enum t_type type, mode_t mode);
int t_remove(const char *name);	   // unlink or rmdir, by what it is
mode_t t_format(enum t_type type); // S_IFREG ...
// How many types of the enumeration this user can create: devices are last,
// behind the other special files.
int t_n_types(void);
// The same for root.
int t_n_types_of_root(void);

// ---- Fixtures ----

// Writes TEXT as the whole content of NAME, 0644 when new; counts a failure.
void t_put(const char *name, const char *text);
// Whether NAME holds exactly TEXT.
bool t_holds(const char *name, const char *text);
bool t_exists(const char *name);
// Attributes; a failure is counted and gives zeroes.
struct stat t_stat(const char *name);  // follows symlinks
struct stat t_lstat(const char *name); // does not
struct stat t_fstat(int fd);
// An open descriptor, failure counted.
int t_open(const char *name, int flags);
// Permission bits without the type.
#define MODE(name) (t_lstat(name).st_mode & 07777)
// Creates a file and closes it: 0 or -1.
int t_create(const char *name, int flags, mode_t mode);
// open() and close(): 0 or -1 with the errno of open.
int t_try_open(const char *name, int flags);
// Fills BUF (of LEN + 1 bytes) with LEN times C and a NUL.
char *t_long(char *buf, size_t len, char c);
int t_renameat2(const char *from, const char *to, unsigned flags);

// Waits for a child and checks that it exited with 0.
void t_reap(pid_t pid);

// ---- Times ----

enum {
	T_C = 1,     // ctime moves forward
	T_M = 2,     // mtime moves forward
	T_MC = 3,    // both; a flag not given means that one must stay
	T_M_ANY = 4, // mtime is not judged
	T_C_ANY = 8,
};

struct t_times {
	int fd;
	struct stat old;
};

// Remembers the times of NAME (a symlink itself) and waits until the clock
// of the file system has left them behind.
struct t_times t_times_of(const char *name);
void t_times_judge(struct t_times *t, int moves, const char *file, int line);
int t_compare_time(const struct timespec *a, const struct timespec *b);

// EXPR must give ERR, and the times of NAME must move as MOVES says.
#define TIMES(moves, name, err, expr)                              \
	do {                                                       \
		struct t_times t_t = t_times_of(name);             \
		t_want(__FILE__, __LINE__, err, SYS(expr), #expr); \
		t_times_judge(&t_t, moves, __FILE__, __LINE__);    \
	} while (0)

// ---- Running, for suite_main.c ----

int t_init(const char *dir, bool verbose); // 0, or -1 with a message
void t_run(const char *noun, const struct t_case *test);
int t_finish(void); // the exit code

#endif
