// SPDX-License-Identifier: MIT
// racers: what several processes see of one name.
//
//   racers create  [--racers N] [--rounds N] DIR
//   racers poll    [--writes N] [--size BYTES] [--atomic-overwrite]
//                  [--poll-path PATH | --poll-cmd CMD] [--torn]
//                  [--may-be-stale] DIR
//   racers open    [--writes N] DIR
//
// create: N processes (16) at once create one name with O_EXCL, by link and
// by mkdir, over several rounds: exactly one wins, the others get EEXIST, and
// the file holds the bytes of the winner.
//
// poll: one process replaces the content of DIR/polled, alternating between
// two contents of different pattern and size, by temporary file and rename;
// the other reads it all the time and must see the whole old or the whole new
// content, never a mixture, a part, an empty file or no file. With
// --atomic-overwrite the writer opens with O_TRUNC instead, which a local
// file system does not make atomic. --poll-path reads another name of the
// same file, as it appears in the store below the mount; --poll-cmd takes the
// standard output of a command. --torn ends halfway with a mixture on
// purpose: the program must then fail, which proves that it can. With
// --may-be-stale a read may end with ESTALE, behind bytes of one content.
//
// open: two processes open one name with O_CREAT while a third removes it and
// a fourth replaces it by rename; no open fails.
//
// Exit code: 0 all well, 1 a rule is broken, 2 usage or trouble.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/posix/errname.h"

enum { MAX_RACERS = 64, NAME_MAX_LEN = 4096, PIECE = 65536 };

enum { STALE = 2 };

struct race {
	const char *dir;
	int racers;
	int rounds;
	long writes;
	size_t size; // of the smaller content; the other is a third larger
	bool in_place;
	bool torn;
	bool without_links;
	bool may_be_stale;
	const char *poll_path;
	const char *poll_cmd;
};

static void file_name(const struct race *c, const char *name, char *buf)
{
	if (snprintf(buf, NAME_MAX_LEN, "%s/%s", c->dir, name) >=
	    NAME_MAX_LEN) {
		fprintf(stderr, "racers: the name is too long\n");
		exit(2);
	}
}

// ---- create ----

enum kind { BY_OPEN, BY_LINK, BY_MKDIR, KINDS };

static const char *const kind_name[KINDS] = { "open", "link", "mkdir" };

// 0 won, 1 lost with EEXIST, 2 anything else.
static int race_once(const struct race *c, enum kind kind, int who)
{
	char name[NAME_MAX_LEN];
	char own[NAME_MAX_LEN];
	char label[32];
	int rc = -1;

	file_name(c, "raced", name);
	snprintf(label, sizeof(label), "own-%d", who);
	file_name(c, label, own);
	if (kind == BY_MKDIR) {
		rc = mkdir(name, 0755);
	} else if (kind == BY_LINK) {
		rc = link(own, name);
	} else {
		int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);

		if (fd >= 0) {
			int n = snprintf(label, sizeof(label), "%d\n", who);

			rc = write(fd, label, (size_t)n) == n ? 0 : -1;
			if (close(fd))
				rc = -1;
		}
	}
	if (rc == 0)
		return 0;
	if (errno == EEXIST)
		return 1;
	printf("racer %d: %s gives %s\n", who, kind_name[kind], errname(errno));
	return 2;
}

static void racer(const struct race *c, enum kind kind, int who, int gate)
{
	char byte;

	// The gate opens for all when its writing end is closed.
	if (read(gate, &byte, 1) < 0)
		_exit(2);
	int rc = race_once(c, kind, who);

	fflush(stdout);
	_exit(rc);
}

// The number that the winner wrote, or -1.
static int written_winner(const struct race *c)
{
	char name[NAME_MAX_LEN];
	char text[32] = "";

	file_name(c, "raced", name);
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 ? (int)strtol(text, NULL, 10) : -1;
}

static int judge_round(const struct race *c, enum kind kind, const pid_t *pids)
{
	int winners = 0;
	int winner = -1;
	int odd = 0;

	for (int i = 0; i < c->racers; i++) {
		int status = 0;

		if (waitpid(pids[i], &status, 0) < 0 || !WIFEXITED(status) ||
		    WEXITSTATUS(status) > 1)
			odd++;
		else if (WEXITSTATUS(status) == 0) {
			winners++;
			winner = i;
		}
	}
	if (winners != 1 || odd) {
		printf("FAIL %s: %d winners, %d odd answers\n", kind_name[kind],
		       winners, odd);
		return -1;
	}
	if (kind == BY_OPEN && written_winner(c) != winner) {
		printf("FAIL racer %d won, the file was written by %d\n",
		       winner, written_winner(c));
		return -1;
	}
	return 0;
}

static int one_round(const struct race *c, enum kind kind)
{
	pid_t pids[MAX_RACERS];
	int gate[2];
	char name[NAME_MAX_LEN];

	if (pipe(gate))
		return -1;
	fflush(stdout);
	for (int i = 0; i < c->racers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return -1;
		if (pids[i] == 0) {
			close(gate[1]);
			racer(c, kind, i, gate[0]);
		}
	}
	close(gate[0]);
	close(gate[1]);
	int rc = judge_round(c, kind, pids);

	file_name(c, "raced", name);
	if (kind == BY_MKDIR ? rmdir(name) : unlink(name)) {
		printf("FAIL cannot remove the winner's %s\n", name);
		return -1;
	}
	return rc;
}

static int make_own_files(const struct race *c, bool make)
{
	char label[32];
	char own[NAME_MAX_LEN];

	for (int i = 0; i < c->racers; i++) {
		snprintf(label, sizeof(label), "own-%d", i);
		file_name(c, label, own);
		if (!make) {
			unlink(own);
			continue;
		}
		int fd = open(own, O_CREAT | O_WRONLY, 0644);

		if (fd < 0 || close(fd))
			return -1;
	}
	return 0;
}

// Where there are no links everybody is told so.
static int links_refused(const struct race *c)
{
	char name[NAME_MAX_LEN];
	char own[NAME_MAX_LEN];

	file_name(c, "raced", name);
	file_name(c, "own-0", own);
	if (link(own, name) == -1 && errno == EPERM)
		return 0;
	printf("FAIL link is not refused with EPERM\n");
	unlink(name);
	return 1;
}

static int run_create(const struct race *c)
{
	int failed = 0;

	if (make_own_files(c, true)) {
		perror("racers: cannot prepare");
		return 2;
	}
	if (c->without_links)
		failed += links_refused(c);
	for (int round = 0; round < c->rounds; round++)
		for (int kind = 0; kind < KINDS; kind++)
			if (kind != BY_LINK || !c->without_links)
				failed += one_round(c, (enum kind)kind) != 0;
	make_own_files(c, false);
	printf("%d racers, %d rounds of %d kinds, %d failed\n", c->racers,
	       c->rounds, KINDS, failed);
	return failed ? 1 : 0;
}

// ---- poll ----

// Every byte tells its place and to which of the two contents it belongs.
static void fill_content(unsigned char *buf, size_t len, int version)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (unsigned char)((i * 7 + (i >> 8)) % 127 +
					 (version ? 128 : 0));
}

static size_t content_size(const struct race *c, int version)
{
	return version ? c->size + c->size / 3 + 1 : c->size;
}

static int write_all(int fd, const unsigned char *buf, size_t len)
{
	for (size_t at = 0; at < len; at += PIECE) {
		size_t n = len - at < PIECE ? len - at : PIECE;

		if (write(fd, buf + at, n) != (ssize_t)n)
			return -1;
	}
	return 0;
}

static int write_version(const struct race *c, int version, bool in_place,
			 bool torn)
{
	char name[NAME_MAX_LEN];
	char temporary[NAME_MAX_LEN];
	size_t len = content_size(c, version);
	unsigned char *buf = malloc(len);
	int rc = -1;

	if (!buf)
		return -1;
	fill_content(buf, len, version);
	if (torn)
		fill_content(buf, len / 2, !version);
	file_name(c, "polled", name);
	file_name(c, "polled.new", temporary);
	int fd = open(in_place ? name : temporary, O_CREAT | O_TRUNC | O_WRONLY,
		      0644);

	if (fd >= 0) {
		rc = write_all(fd, buf, len);
		if (close(fd))
			rc = -1;
	}
	if (rc == 0 && !in_place)
		rc = rename(temporary, name);
	free(buf);
	return rc;
}

static FILE *open_polled(const struct race *c)
{
	char name[NAME_MAX_LEN];

	if (c->poll_cmd)
		return popen(c->poll_cmd, "r");
	file_name(c, "polled", name);
	return fopen(c->poll_path ? c->poll_path : name, "r");
}

// What was read before the file had gone is of one version, too.
static bool begins_one(const struct race *c, const unsigned char *buf, size_t n,
		       unsigned char *const want[2])
{
	for (int v = 0; v < 2; v++)
		if (n <= content_size(c, v) && memcmp(buf, want[v], n) == 0)
			return true;
	return false;
}

// Reads the whole file: 0 or 1 for the version it is, STALE, -1 with a message.
static int poll_once(const struct race *c, unsigned char *buf,
		     unsigned char *const want[2])
{
	size_t most = content_size(c, 1) + 1;
	FILE *f = open_polled(c);

	if (!f) {
		printf("FAIL the poller cannot open the file: %s\n",
		       errname(errno));
		return -1;
	}
	size_t n = fread(buf, 1, most, f);
	int err = ferror(f) ? errno : 0;

	if (err == ESTALE && c->may_be_stale && begins_one(c, buf, n, want)) {
		fclose(f);
		return STALE;
	}
	if ((c->poll_cmd ? pclose(f) : fclose(f)) || err) {
		printf("FAIL the poller gets %s\n", errname(err));
		return -1;
	}
	for (int v = 0; v < 2; v++)
		if (n == content_size(c, v) && memcmp(buf, want[v], n) == 0)
			return v;
	size_t upper = 0;

	for (size_t i = 0; i < n; i++)
		upper += buf[i] >= 128;
	printf("FAIL the poller sees %zu bytes, %zu of them of the second"
	       " content; whole are %zu and %zu\n",
	       n, upper, content_size(c, 0), content_size(c, 1));
	return -1;
}

static int writer(const struct race *c)
{
	for (long i = 1; i <= c->writes; i++) {
		bool torn = c->torn && i == c->writes / 2;

		if (write_version(c, (int)(i % 2), c->in_place, torn)) {
			printf("FAIL write %ld: %s\n", i, errname(errno));
			fflush(stdout);
			return 1;
		}
		/* It stays, so that the last poll sees it for certain. */
		if (torn)
			return 0;
	}
	return 0;
}

static int poll_until_done(const struct race *c, pid_t pid)
{
	unsigned char *want[2] = { malloc(content_size(c, 0)),
				   malloc(content_size(c, 1)) };
	unsigned char *buf = malloc(content_size(c, 1) + 1);
	long seen[3] = { 0, 0, 0 };
	int status = 0;
	int rc = want[0] && want[1] && buf ? 0 : -1;

	for (int v = 0; rc == 0 && v < 2; v++)
		fill_content(want[v], content_size(c, v), v);
	bool running = true;

	while (rc == 0 && running) {
		running = waitpid(pid, &status, WNOHANG) == 0;
		int version = poll_once(c, buf, want);

		if (version < 0)
			rc = -1;
		else
			seen[version]++;
	}
	if (running) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	} else if (status != 0) {
		rc = -1;
	}
	free(want[0]);
	free(want[1]);
	free(buf);
	if (seen[STALE])
		printf("%ld polls were told that the content had gone\n",
		       seen[STALE]);
	printf("%ld polls saw the first content, %ld the second, %s\n", seen[0],
	       seen[1], rc ? "then one failed" : "none anything else");
	return rc;
}

static int run_poll(const struct race *c)
{
	char name[NAME_MAX_LEN];

	if (write_version(c, 0, false, false)) {
		perror("racers: cannot prepare");
		return 2;
	}
	fflush(stdout);
	pid_t pid = fork();

	if (pid < 0)
		return 2;
	if (pid == 0)
		_exit(writer(c));
	int rc = poll_until_done(c, pid);

	file_name(c, "polled.new", name);
	unlink(name);
	file_name(c, "polled", name);
	unlink(name);
	return rc ? 1 : 0;
}

// ---- open ----

enum role { OPENER, SECOND_OPENER, REMOVER, REPLACER, ROLES };

static int act(const struct race *c, enum role role)
{
	char name[NAME_MAX_LEN];
	char other[NAME_MAX_LEN];

	file_name(c, "opened", name);
	file_name(c, "opened.new", other);
	if (role == REMOVER)
		return unlink(name) && errno != ENOENT ? -1 : 0;
	int fd = open(role == REPLACER ? other : name, O_CREAT | O_RDWR, 0644);

	if (fd < 0)
		return -1;
	if (role != OPENER && write(fd, "x", 1) != 1) {
		close(fd);
		return -1;
	}
	if (close(fd))
		return -1;
	return role == REPLACER ? rename(other, name) : 0;
}

static int play(const struct race *c, enum role role)
{
	static const char *const names[ROLES] = {
		"an opener", "the second opener", "the remover", "the replacer"
	};
	int failed = 0;

	for (long i = 0; i < c->writes; i++)
		if (act(c, role)) {
			printf("FAIL %s, round %ld: %s\n", names[role], i,
			       errname(errno));
			failed = 1;
		}
	fflush(stdout);
	return failed;
}

static int run_open(const struct race *c)
{
	char name[NAME_MAX_LEN];
	int failed = 0;
	int status;

	fflush(stdout);
	for (int role = 0; role < ROLES; role++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(play(c, (enum role)role));
		failed += pid < 0;
	}
	while (wait(&status) > 0)
		failed += status != 0;
	file_name(c, "opened", name);
	unlink(name);
	printf("%d processes, %ld rounds, %d failed\n", ROLES, c->writes,
	       failed);
	return failed ? 1 : 0;
}

static int parse(int argc, char **argv, struct race *c)
{
	for (int i = 2; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--atomic-overwrite") == 0)
			c->in_place = true;
		else if (strcmp(argv[i], "--torn") == 0)
			c->torn = true;
		else if (strcmp(argv[i], "--may-be-stale") == 0)
			c->may_be_stale = true;
		else if (strcmp(argv[i], "--without-links") == 0)
			c->without_links = true;
		else if (more && strcmp(argv[i], "--racers") == 0)
			c->racers = (int)strtol(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--rounds") == 0)
			c->rounds = (int)strtol(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--writes") == 0)
			c->writes = strtol(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--size") == 0)
			c->size = strtoul(argv[++i], NULL, 10);
		else if (more && strcmp(argv[i], "--poll-path") == 0)
			c->poll_path = argv[++i];
		else if (more && strcmp(argv[i], "--poll-cmd") == 0)
			c->poll_cmd = argv[++i];
		else if (argv[i][0] != '-' && !c->dir)
			c->dir = argv[i];
		else
			return -1;
	}
	return c->dir && c->racers > 1 && c->racers <= MAX_RACERS &&
			       c->rounds > 0 && c->writes > 0 && c->size > 1
		       ? 0
		       : -1;
}

int main(int argc, char **argv)
{
	struct race c = {
		.racers = 16, .rounds = 20, .writes = 200, .size = 300000
	};
	static const struct {
		const char *name;
		int (*run)(const struct race *c);
	} races[] = { { "create", run_create },
		      { "poll", run_poll },
		      { "open", run_open } };
	int (*run)(const struct race *c) = NULL;

	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++)
		if (argc > 1 && strcmp(argv[1], races[i].name) == 0)
			run = races[i].run;
	if (!run || parse(argc, argv, &c)) {
		fprintf(stderr,
			"usage: racers create [--racers N] [--rounds N]"
			" [--without-links] DIR\n"
			"       racers poll [--writes N] [--size BYTES]"
			" [--atomic-overwrite]\n"
			"              [--poll-path PATH | --poll-cmd CMD]"
			" [--torn] [--may-be-stale] DIR\n"
			"       racers open [--writes N] DIR\n");
		return 2;
	}
	return run(&c);
}
