// SPDX-License-Identifier: MIT
// posix_suite: who may do what: permission classes, access(2), sticky and
// setgid directories. Every test but the last needs root. Run by
// suite_main.c.
#include "config.h"

#include <dirent.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static bool needs_root(void)
{
	if (t_is_root())
		return false;
	t_skip("owners need root");
	return true;
}

static void each_class_uses_its_own_bits(void)
{
	const struct t_user in_group = {
		carol.uid, carol.gid, 2, { carol.gid, T_TEAM }
	};
	const struct t_user *const who[] = { &alice, &in_group, &bob };

	t_put("f", "x");
	if (needs_root())
		return;
	OK(chown("f", alice.uid, T_TEAM));
	for (mode_t mode = 0; mode < 01000; mode += 7) {
		OK(chmod("f", mode));
		for (int c = 0; c < 3; c++) {
			mode_t bits = mode >> (6 - 3 * c) & 7;

			AS(who[c])
			{
				WANT(bits & 4 ? 0 : EACCES,
				     t_try_open("f", O_RDONLY));
				WANT(bits & 2 ? 0 : EACCES,
				     t_try_open("f", O_WRONLY));
			}
		}
	}
}

static void access_answers_for_the_real_user(void)
{
	const struct t_user *const who[] = { &alice, &teamster, &bob };

	t_put("f", "x");
	if (needs_root())
		return;
	OK(chown("f", carol.uid, T_TEAM));
	for (mode_t mode = 0; mode < 01000; mode += 5) {
		OK(chmod("f", mode));
		for (int c = 0; c < 3; c++) {
			// Only the teamster is in the group of the file.
			mode_t bits = c == 1 ? mode >> 3 & 7 : mode & 7;

			AS(who[c])
			{
				WANT(bits & 4 ? 0 : EACCES, access("f", R_OK));
				WANT(bits & 2 ? 0 : EACCES, access("f", W_OK));
				WANT(bits & 1 ? 0 : EACCES, access("f", X_OK));
				OK(access("f", F_OK));
			}
		}
		OK(access("f", R_OK | W_OK));
		WANT(mode & 0111 ? 0 : EACCES, access("f", X_OK));
	}
	WANT(ENOENT, access("none", F_OK));
	WANT(ENOTDIR, access("f/x", F_OK));
}

static void directories_ask_for_search_read_and_write(void)
{
	OK(mkdir("d", 0755));
	t_put("d/f", "x");
	if (needs_root())
		return;
	OK(chown("d", alice.uid, alice.gid));
	for (mode_t bits = 0; bits < 8; bits++) {
		OK(chmod("d", bits << 6));
		AS(&alice)
		{
			WANT(bits & 1 ? 0 : EACCES, access("d/f", F_OK));
			WANT(bits & 4 ? 0 : EACCES, t_try_open("d", O_RDONLY));
			WANT(bits & 1 ? 0 : EACCES, chdir("d"));
		}
		if (bits & 1)
			OK(chdir(".."));
		AS(&alice)
		{
			WANT((bits & 3) == 3 ? 0 : EACCES,
			     t_create("d/new", 0, 0644));
			WANT((bits & 3) == 3 ? 0
			     : bits & 1	     ? ENOENT
					     : EACCES,
			     unlink("d/new"));
		}
		OK(chmod("d", bits));
		AS(&bob)
		{
			WANT(bits & 1 ? 0 : EACCES, access("d/f", F_OK));
			WANT((bits & 3) == 3 ? 0 : EACCES,
			     mkdir("d/new", 0755));
		}
		WANT((bits & 3) == 3 ? 0 : ENOENT, rmdir("d/new"));
	}
}

static void stat_needs_only_search(void)
{
	OK(mkdir("d", 0711));
	t_put("d/f", "x");
	OK(chmod("d/f", 0));
	AS(&bob)
	{
		EQ(t_stat("d/f").st_size, 1);
		WANT(EACCES, t_try_open("d", O_RDONLY));
		WANT(EACCES, t_try_open("d/f", O_RDONLY));
	}
}

// One removal or rename of an entry in a sticky directory owned by DIR_OWNER,
// the entry by OWNER, done by carol (who owns what carries her id).
static void sticky_one(enum t_type type, uid_t dir_owner, uid_t owner)
{
	bool allowed = dir_owner == carol.uid || owner == carol.uid;
	int want = allowed ? 0 : EPERM;

	OK(mkdir("d", 0755));
	OK(t_make("d/n", type, 0777));
	OK(lchown("d/n", owner, alice.gid));
	OK(chown("d", dir_owner, alice.gid));
	OK(chmod("d", 01777));
	AS(&carol)
	{
		WANT(want, rename("d/n", "d/m"));
		if (allowed)
			OK(rename("d/m", "d/n"));
		WANT(want, type == T_DIR ? rmdir("d/n") : unlink("d/n"));
	}
	if (!allowed)
		OK(t_remove("d/n"));
	OK(rmdir("d"));
}

static void sticky_directories_guard_their_entries(void)
{
	const uid_t ids[] = { carol.uid, alice.uid, bob.uid };

	int n = t_n_types_of_root();

	if (needs_root())
		return;
	for (int type = 0; type < n; type++)
		for (size_t d = 0; d < 3; d++)
			for (size_t o = 0; o < 3; o++)
				sticky_one((enum t_type)type, ids[d], ids[o]);
}

static void sticky_directories_guard_rename_targets(void)
{
	OK(mkdir("d", 01777));
	OK(mkdir("open", 0777));
	t_put("d/victim", "mine");
	if (needs_root())
		return;
	OK(chown("d", bob.uid, bob.gid));
	OK(chown("d/victim", alice.uid, alice.gid));
	AS(&carol)
	{
		t_put("d/own", "own");
		t_put("open/own", "own");
		WANT(EPERM, rename("d/own", "d/victim"));
		WANT(EPERM, rename("open/own", "d/victim"));
		WANT(EPERM, rename("d/victim", "open/stolen"));
		WANT(EPERM, t_renameat2("d/own", "d/victim", RENAME_EXCHANGE));
		OK(rename("open/own", "d/own"));
		OK(rename("d/own", "open/own"));
	}
	CHECK(t_holds("d/victim", "mine"));
	AS(&bob) OK(unlink("d/victim"));
}

static void setgid_directories_hand_down_their_group(void)
{
	OK(mkdir("d", 0777));
	if (needs_root())
		return;
	OK(chown("d", 0, T_TEAM));
	OK(chmod("d", 02777));
	AS(&alice)
	{
		OK(t_create("d/f", 0, 0644));
		OK(mkdir("d/sub", 0755));
		OK(symlink("x", "d/s"));
		OK(mkdir("d/sub/deeper", 0700));
	}
	EQ(t_stat("d/f").st_gid, T_TEAM);
	EQ(t_stat("d/f").st_uid, alice.uid);
	EQ(MODE("d/f"), 0644);
	EQ(t_stat("d/sub").st_gid, T_TEAM);
	EQ(MODE("d/sub"), 02755);
	EQ(t_lstat("d/s").st_gid, T_TEAM);
	EQ(t_lstat("d/sub/deeper").st_gid, T_TEAM);
	EQ(MODE("d/sub/deeper"), 02700);
	if (!t_can(T_SPECIAL))
		return;
	AS(&alice)
	{
		OK(mkfifo("d/p", 0644));
		OK(mknod("d/k", S_IFSOCK | 0644, 0));
	}
	EQ(t_lstat("d/p").st_gid, T_TEAM);
	EQ(t_lstat("d/k").st_gid, T_TEAM);
}

static void setgid_bits_of_new_files_need_the_group(void)
{
	OK(mkdir("d", 0777));
	if (needs_root())
		return;
	OK(chown("d", 0, T_TEAM));
	OK(chmod("d", 02777));
	AS(&alice) OK(t_create("d/f", 0, 02775));
	EQ(MODE("d/f"), 0775);
	AS(&teamster) OK(t_create("d/g", 0, 02775));
	EQ(MODE("d/g"), 02775);
	AS(&alice) OK(t_create("d/h", 0, 04755));
	EQ(MODE("d/h"), 04755);
}

static void supplementary_groups_count(void)
{
	OK(mkdir("d", 0770));
	if (needs_root())
		return;
	OK(chown("d", 0, T_TEAM));
	AS(&alice) WANT(EACCES, t_create("d/f", 0, 0644));
	AS(&teamster) OK(t_create("d/f", 0, 0644));
	AS(&teamster) t_put("d/f", "ok");
	EQ(t_stat("d/f").st_gid, alice.gid);
	OK(chown("d/f", bob.uid, T_TEAM));
	OK(chmod("d/f", 0640));
	AS(&teamster) CHECK(t_holds("d/f", "ok"));
	AS(&teamster) WANT(EACCES, t_try_open("d/f", O_WRONLY));
}

static void umask_clears_bits_of_everything_new(void)
{
	umask(027);
	OK(t_create("f", 0, 0666));
	EQ(MODE("f"), 0640);
	OK(mkdir("d", 0777));
	EQ(MODE("d"), 0750);
	if (t_can(T_SPECIAL)) {
		OK(mkfifo("p", 0666));
		EQ(MODE("p"), 0640);
		OK(mknod("k", S_IFSOCK | 0777, 0));
		EQ(MODE("k"), 0750);
	}
	OK(mknod("r", S_IFREG | 0777, 0));
	EQ(MODE("r"), 0750);
	OK(chmod("f", 0666));
	EQ(MODE("f"), 0666);
	umask(0);
}

const struct t_case perm_tests[] = {
	T(each_class_uses_its_own_bits),
	T(access_answers_for_the_real_user),
	T(directories_ask_for_search_read_and_write),
	T(stat_needs_only_search),
	T(sticky_directories_guard_their_entries),
	T(sticky_directories_guard_rename_targets),
	T(setgid_directories_hand_down_their_group),
	T(setgid_bits_of_new_files_need_the_group),
	T(supplementary_groups_count),
	T(umask_clears_bits_of_everything_new),
	{ NULL, NULL },
};
