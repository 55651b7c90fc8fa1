/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Aim: what may be opened as a member is, as what it is; what may not is refused with the fact that
 * speaks against it, without hanging and with nothing left open.
 * Method: every kind of file, missing permission, children that hold the lock, a loop device where
 * one is to be had, and memory that runs out at each allocation.
 */
#include "core/base/mem.h"
#include "tests/unit/dev_help.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- opening */

static void wrong_kinds_are_refused_without_hanging(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	const struct dev_file_options *const options[] = { &for_reading, &for_writing };
	for (unsigned i = 0; i < 2; i++) {
		refused("fifo", options[i], ERR_KIND, "a FIFO");
		refused("dir", options[i], ERR_KIND, "a directory");
		refused("socket", options[i], ERR_KIND, "a socket");
		refused("/dev/null", options[i], ERR_KIND, "a character device");
		refused("missing.img", options[i], ERR_NOT_FOUND, "No such file");
		refused("fifo/x", options[i], ERR_NOT_FOUND, "Not a directory");
	}
	assert_int_equal(unlink("fifo") | rmdir("dir") | unlink("socket"), 0);
}

static void file_without_permission_says_mode_and_owner(void **state)
{
	uid_t user = geteuid();

	(void)state;
	file_make("a.img", MIB);
	assert_int_equal(chmod("a.img", 0444), 0);
	if (user == 0 && seteuid(65534))
		skip();
	refused("a.img", &for_writing, ERR_ACCESS, "mode 0444");
	dev_close(dev_of("a.img", DEV_ENGINE_AUTO, DEV_READ, 0));
	if (user == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod("a.img", 0), 0);
	if (user == 0 && seteuid(65534))
		skip();
	refused("a.img", &for_reading, ERR_ACCESS, "mode 0000");
	if (user == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(unlink("a.img"), 0);
}

static void create_makes_a_sparse_file_once(void **state)
{
	const struct dev_file_options create = { .access = DEV_WRITE, .create_size = 100 * MIB };
	const struct dev_file_options huge = { .access = DEV_WRITE, .create_size = UINT64_MAX };
	struct dev *dev = dev_of("a.img", DEV_ENGINE_AUTO, DEV_WRITE, 100 * MIB);
	struct stat facts;

	(void)state;
	assert_int_equal(stat("a.img", &facts), 0);
	assert_int_equal(facts.st_size, 100 * MIB);
	assert_true(facts.st_blocks < 1000);
	assert_false(dev_info(dev)->read_only);
	assert_false(dev_info(dev)->is_block);
	assert_true(dev_info(dev)->identity[0] == facts.st_dev);
	assert_true(dev_info(dev)->identity[1] == facts.st_ino);
	dev_close(dev);
	refused("a.img", &create, ERR_EXISTS, "exists");
	assert_int_equal(symlink("nowhere", "link"), 0);
	refused("link", &create, ERR_EXISTS, "exists");
	refused("huge.img", &huge, ERR_SIZE, "18446744073709551615");
	refused("no/dir.img", &create, ERR_NOT_FOUND, "No such file");
	assert_int_equal(unlink("a.img") | unlink("link"), 0);
	assert_int_equal(access("huge.img", F_OK), -1);
}

static void descriptor_outlives_the_path(void **state)
{
	uint8_t *bytes = mem_pages(BLOCK_SIZE);
	struct dev *dev = dev_of("a.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB);

	(void)state;
	assert_int_equal(rename("a.img", "b.img"), 0);
	file_make("a.img", 10 * BLOCK_SIZE);
	bytes[0] = 0x42;
	assert_int_equal(io_write(dev, IO_ROLE_DATA, 0, bytes, BLOCK_SIZE), 0);
	assert_int_equal(io_flush(dev), 0);
	dev_close(dev);

	int fd = open("b.img", O_RDONLY);
	assert_int_equal(read(fd, bytes + 1, 1), 1);
	assert_int_equal(bytes[1], 0x42);
	close(fd);
	mem_pages_free(bytes);
	assert_int_equal(unlink("a.img") | unlink("b.img"), 0);
}

static void engine_is_direct_where_it_can_be(void **state)
{
	const struct dev_file_options uring = {
		.access = DEV_WRITE,
		.engine = DEV_ENGINE_URING,
		.create_size = MIB,
	};
	struct err err = { 0 };
	struct dev *dev = dev_of("a.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB), *other = NULL;
	bool direct = dev_info(dev)->is_direct;

	(void)state;
	dev_close(dev);
	if (direct) {
		assert_int_equal(dev_file_open(&other, env_threads(), "b.img", &uring, &err), 0);
		assert_true(dev_info(other)->is_direct);
		dev_close(other);
		assert_int_equal(unlink("b.img"), 0);
	} else {
		refused("b.img", &uring, ERR_UNSUPPORTED, "io_uring");
	}
	dev = dev_of("a.img", DEV_ENGINE_SYNC, DEV_READ, 0);
	assert_false(dev_info(dev)->is_direct);
	assert_true(dev_info(dev)->read_only);
	dev_close(dev);
	assert_int_equal(unlink("a.img"), 0);
	print_message("direct I/O and io_uring here: %s\n", direct ? "yes" : "no");
}

static void memory_file_system_is_not_direct(void **state)
{
	static const char path[] = "/dev/shm/pgctl-test-dev.img";
	const struct dev_file_options uring = {
		.access = DEV_WRITE,
		.engine = DEV_ENGINE_URING,
		.create_size = MIB,
	};
	struct rng rng = rng_seeded(1);
	struct dev *dev, *other;

	(void)state;
	unlink(path);
	if (access("/dev/shm", W_OK))
		skip();
	refused(path, &uring, ERR_UNSUPPORTED, "io_uring");
	assert_int_equal(access(path, F_OK), -1); /* nor is the new file left behind */
	dev = dev_of(path, DEV_ENGINE_AUTO, DEV_WRITE, 2 * MIB);
	other = dev_of("b.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB);
	assert_false(dev_info(dev)->is_direct);
	batch_round(dev, other, path, &rng);
	dev_close(dev);
	dev_close(other);
	assert_int_equal(unlink(path) | unlink("b.img"), 0);
}

/* ---- the writer's lock */

/* A child that holds `path` open for writing until its pipe closes. */
static pid_t holder_start(const char *path, int *stop_out)
{
	int ready[2], stop[2];
	char byte = 0;

	assert_int_equal(pipe(ready) | pipe(stop), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct err err = { 0 };
		struct dev *dev = NULL;

		close(stop[1]);
		byte = dev_file_open(&dev, env_threads(), path, &for_writing, &err) ? 'n' : 'y';
		if (write(ready[1], &byte, 1) == 1 && read(stop[0], &byte, 1) == 0)
			_exit(0); /* without closing: the lock goes with the process */
		_exit(1);
	}
	close(ready[1]);
	close(stop[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	*stop_out = stop[1];
	return child;
}

static void second_writer_is_told_the_pid(void **state)
{
	char fact[80];
	int stop, status, stop_others[2];

	(void)state;
	file_make("a.img", MIB);
	file_make("b.img", MIB);
	file_make("c.img", MIB);
	/* other processes hold other files, before and after in the kernel's list */
	pid_t others[2] = { holder_start("b.img", &stop_others[0]), 0 };
	pid_t child = holder_start("a.img", &stop);
	others[1] = holder_start("c.img", &stop_others[1]);

	snprintf(fact, sizeof(fact), "in use by process %d (", (int)child);
	refused("a.img", &for_writing, ERR_BUSY, fact);
	dev_close(dev_of("a.img", DEV_ENGINE_AUTO, DEV_READ, 0)); /* readers are let in */

	/* backwards: each child holds the pipes of those before it */
	close(stop_others[1]);
	assert_int_equal(waitpid(others[1], &status, 0), others[1]);
	close(stop);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(stop_others[0]);
	assert_int_equal(waitpid(others[0], &status, 0), others[0]);
	assert_int_equal(unlink("b.img") | unlink("c.img"), 0);
	struct dev *dev = dev_of("a.img", DEV_ENGINE_AUTO, DEV_WRITE, 0);
	refused("a.img", &for_writing, ERR_BUSY, "in this process");
	dev_close(dev);
	dev_close(dev_of("a.img", DEV_ENGINE_AUTO, DEV_WRITE, 0));
	assert_int_equal(unlink("a.img"), 0);
}

/* Run losetup; its first line goes to `line`. True when it succeeded. */
static bool losetup(char *line, int size, const char *option, const char *operand)
{
	const char *show = strcmp(option, "--find") == 0 ? "--show" : NULL;
	int ends[2], status;
	ssize_t got;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(STDERR_FILENO);
		execlp("losetup", "losetup", option, operand, show, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	got = read(ends[0], line, (size_t)size - 1);
	line[got > 0 ? got : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status == 0;
}

static void loop_device_is_a_member_and_its_file_is_not(void **state)
{
	const struct dev_file_options exclusive = { .access = DEV_WRITE, .exclusive = true };
	struct rng rng = rng_seeded(2);
	struct err err = { 0 };
	struct dev *dev = NULL, *other = NULL;
	char loop[64], nothing[64];
	struct stat file;

	(void)state;
	file_make("a.img", 2 * MIB);
	if (geteuid() != 0 || !losetup(loop, sizeof(loop), "--find", "a.img")) {
		unlink("a.img");
		skip();
	}
	int rc = dev_file_open(&dev, env_threads(), loop, &exclusive, &err);
	assert_true(losetup(nothing, sizeof(nothing), "--detach", loop)); /* at the last close */
	assert_int_equal(rc, 0);
	refused("a.img", &for_writing, ERR_BUSY, loop);
	assert_true(dev_info(dev)->is_block);
	assert_int_equal(dev_info(dev)->size, 2 * MIB);
	assert_int_equal(stat("a.img", &file), 0); /* two devices on one file are one disk */
	assert_int_equal(dev_info(dev)->identity[0], file.st_dev);
	assert_int_equal(dev_info(dev)->identity[1], file.st_ino);
	refused(loop, &exclusive, ERR_BUSY, "held by the kernel");
	refused(loop, &for_writing, ERR_BUSY, "in this process");
	other = dev_of("b.img", DEV_ENGINE_AUTO, DEV_WRITE, MIB);
	batch_round(dev, other, loop, &rng);
	dev_close(dev);
	dev_close(other);
	assert_int_equal(unlink("a.img") | unlink("b.img"), 0);
}

/* ---- memory that runs out */

static void open_without_memory_leaves_nothing_open(void **state)
{
	const struct dev_file_options create = { .access = DEV_WRITE, .create_size = MIB };
	unsigned denied = 0;

	(void)state;
	for (unsigned nth = 0; nth < 20; nth++) {
		int free_before = dup(0), free_after;
		struct err err = { 0 };
		struct dev *dev = NULL;
		unsigned left = nth;

		close(free_before);
		mem_set_hook(deny_nth, &left);
		int rc = dev_file_open(&dev, env_threads(), "a.img", &create, &err);
		mem_set_hook(NULL, NULL);
		if (rc == 0) {
			dev_close(dev);
			assert_int_equal(unlink("a.img"), 0);
		} else {
			assert_int_equal(rc, ERR_NOMEM);
			assert_true(strlen(err.text) > 0);
			assert_int_equal(access("a.img", F_OK), -1);
			denied++;
		}
		free_after = dup(0);
		close(free_after);
		assert_int_equal(free_before, free_after);
	}
	assert_true(denied >= 3 && denied < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_is_direct_where_it_can_be),
		cmocka_unit_test(wrong_kinds_are_refused_without_hanging),
		cmocka_unit_test(file_without_permission_says_mode_and_owner),
		cmocka_unit_test(create_makes_a_sparse_file_once),
		cmocka_unit_test(descriptor_outlives_the_path),
		cmocka_unit_test(memory_file_system_is_not_direct),
		cmocka_unit_test(second_writer_is_told_the_pid),
		cmocka_unit_test(loop_device_is_a_member_and_its_file_is_not),
		cmocka_unit_test(open_without_memory_leaves_nothing_open),
	};

	return cmocka_run_group_tests_name("dev_open", tests, directory_make, directory_remove);
}
