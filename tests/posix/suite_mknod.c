// SPDX-License-Identifier: MIT
// posix_suite: mkfifo, mknod and sockets. Run by suite_main.c.
#include "config.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "tests/posix/harness.h"
#include "tests/posix/suites.h"

static void mknod_makes_every_type(void)
{
	static const mode_t formats[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR,
					  S_IFBLK };
	int n = t_is_root() ? 5 : 3;

	if (!t_can(T_SPECIAL))
		n = 1;

	for (int i = 0; i < n; i++) {
		dev_t dev = i >= 3 ? makedev(1, 7) : 0;

		OK(mkdir("d", 0755));
		TIMES(T_MC, "d", 0, mknod("d/n", formats[i] | 0612, dev));
		EQ(t_lstat("d/n").st_mode, formats[i] | 0612);
		EQ(t_lstat("d/n").st_rdev, dev);
		EQ(t_lstat("d/n").st_nlink, 1);
		EQ(t_lstat("d/n").st_size, 0);
		EQ(t_lstat("d/n").st_uid, geteuid());
		WANT(EEXIST, mknod("d/n", formats[i] | 0644, dev));
		TIMES(T_MC, "d", 0, unlink("d/n"));
		OK(rmdir("d"));
	}
}

static void mknod_keeps_large_device_numbers(void)
{
	if (!t_can(T_SPECIAL))
		return;
	if (!t_is_root()) {
		t_skip("device nodes need root");
		return;
	}
	OK(mknod("c", S_IFCHR | 0600, makedev(255, 255)));
	EQ(t_lstat("c").st_rdev, makedev(255, 255));
	OK(mknod("b", S_IFBLK | 0600, makedev(259, 65537)));
	EQ(t_lstat("b").st_rdev, makedev(259, 65537));
	OK(mknod("z", S_IFCHR | 0600, makedev(0, 0)));
	EQ(t_lstat("z").st_rdev, makedev(0, 0));
}

static void mknod_of_devices_needs_root(void)
{
	OK(mkdir("d", 0777));
	AS(&alice)
	{
		WANT(EPERM, mknod("d/c", S_IFCHR | 0600, makedev(1, 3)));
		WANT(EPERM, mknod("d/b", S_IFBLK | 0600, makedev(7, 0)));
		OK(mknod("d/r", S_IFREG | 0600, 0));
		EQ(t_lstat("d/r").st_uid, alice.uid);
		if (t_can(T_SPECIAL)) {
			OK(mknod("d/p", S_IFIFO | 0600, 0));
			OK(mknod("d/s", S_IFSOCK | 0600, 0));
			EQ(t_lstat("d/p").st_uid, alice.uid);
		}
	}
	WANT(EPERM, mknod("d/x", S_IFDIR | 0755, 0));
}

static void mkfifo_applies_mode_and_umask(void)
{
	if (!t_can(T_SPECIAL))
		return;
	OK(mkfifo("a", 0755));
	EQ(MODE("a"), 0755);
	OK(mkfifo("b", 0151));
	EQ(MODE("b"), 0151);
	umask(077);
	OK(mkfifo("c", 0666));
	EQ(MODE("c"), 0600);
	umask(0502);
	OK(mknod("e", S_IFIFO | 0777, 0));
	EQ(MODE("e"), 0275);
	umask(0);
}

static void mkfifo_and_mknod_path_errors(void)
{
	char name[512];
	char path[8192];

	t_put("f", "x");
	OK(symlink("loop2", "loop1"));
	OK(symlink("loop1", "loop2"));
	WANT(ENOENT, mkfifo("none/p", 0644));
	WANT(ENOTDIR, mkfifo("f/p", 0644));
	WANT(ENAMETOOLONG, mkfifo(t_long(name, 256, 'n'), 0644));
	WANT(ENAMETOOLONG, mkfifo(t_long(path, 4096, 'p'), 0644));
	WANT(ELOOP, mkfifo("loop1/p", 0644));
	WANT(EEXIST, mkfifo("loop1", 0644));
	for (int i = 0; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0644));
		WANT(EEXIST, mkfifo("n", 0644));
		WANT(EEXIST, mknod("n", S_IFREG | 0644, 0));
		OK(t_remove("n"));
	}
	WANT(ENOENT, mknod("none/p", S_IFREG | 0644, 0));
	WANT(ENOTDIR, mknod("f/p", S_IFSOCK | 0644, 0));
	WANT(ENAMETOOLONG, mknod(name, S_IFREG | 0644, 0));
	WANT(ELOOP, mknod("loop1/p", S_IFREG | 0644, 0));
}

static void mkfifo_needs_write_permission(void)
{
	OK(mkdir("d", 0755));
	if (!t_is_root()) {
		t_skip("owners need root");
		return;
	}
	OK(chown("d", alice.uid, alice.gid));
	AS(&bob)
	{
		TIMES(0, "d", EACCES, mkfifo("d/p", 0644));
		WANT(EACCES, mknod("d/p", S_IFREG | 0644, 0));
	}
	if (!t_can(T_SPECIAL))
		return;
	AS(&alice) OK(mkfifo("d/p", 0644));
	EQ(t_lstat("d/p").st_uid, alice.uid);
}

static void a_fifo_carries_bytes_between_processes(void)
{
	char buf[16] = "";

	if (!t_can(T_SPECIAL))
		return;
	OK(mkfifo("p", 0600));
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("p", O_WRONLY);

		_exit(fd < 0 || write(fd, "through", 7) != 7);
	}
	int fd = t_open("p", O_RDONLY);

	EQ(read(fd, buf, sizeof(buf)), 7);
	CHECK(memcmp(buf, "through", 7) == 0);
	OK(close(fd));
	t_reap(pid);
	EQ(t_lstat("p").st_size, 0);
}

static void a_fifo_without_a_reader(void)
{
	if (!t_can(T_SPECIAL))
		return;
	OK(mkfifo("p", 0600));
	WANT(ENXIO, open("p", O_WRONLY | O_NONBLOCK));
	int r = t_open("p", O_RDONLY | O_NONBLOCK);
	int w = t_open("p", O_WRONLY | O_NONBLOCK);

	EQ(write(w, "x", 1), 1);
	OK(close(w));
	OK(close(r));
	OK(rename("p", "q"));
	WANT(ENXIO, open("q", O_WRONLY | O_NONBLOCK));
}

static void a_socket_binds_and_connects_by_name(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "s" };
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	const struct sockaddr *a = (const struct sockaddr *)&addr;

	if (!t_can(T_SPECIAL))
		return;
	OK(bind(server, a, sizeof(addr)));
	CHECK(S_ISSOCK(t_lstat("s").st_mode));
	OK(listen(server, 1));
	OK(connect(client, a, sizeof(addr)));
	WANT(ENXIO, open("s", O_RDONLY));
	WANT(ENXIO, open("s", O_WRONLY));
	OK(close(client));
	OK(close(server));
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	WANT(ECONNREFUSED, connect(client, a, sizeof(addr)));
	WANT(EADDRINUSE, bind(client, a, sizeof(addr)));
	OK(close(client));
	OK(unlink("s"));
}

static void attributes_of_special_files_persist_over_rename(void)
{
	for (int i = T_FIFO; i < t_n_types(); i++) {
		OK(t_make("n", (enum t_type)i, 0640));
		struct stat old = t_lstat("n");

		OK(rename("n", "m"));
		EQ(t_lstat("m").st_mode, old.st_mode);
		EQ(t_lstat("m").st_ino, old.st_ino);
		EQ(t_lstat("m").st_rdev, old.st_rdev);
		OK(unlink("m"));
	}
}

const struct t_case mknod_tests[] = {
	T(mknod_makes_every_type),
	T(mknod_keeps_large_device_numbers),
	T(mknod_of_devices_needs_root),
	T(mkfifo_applies_mode_and_umask),
	T(mkfifo_and_mknod_path_errors),
	T(mkfifo_needs_write_permission),
	T(a_fifo_carries_bytes_between_processes),
	T(a_fifo_without_a_reader),
	T(a_socket_binds_and_connects_by_name),
	T(attributes_of_special_files_persist_over_rename),
	{ NULL, NULL },
};
