/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whole files: aim is that a reader of the name sees the old file, none, or all of the new one, and that
 * nothing but the wanted name changes. Method: a folder of its own; after each step its entries, contents
 * and modes are compared, with another actor taking the name in between.
 */
#include "cli/whole_file.h"

#include "core/base/mem.h"
#include "core/env/env.h"
#include "tests/unit/dev_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void text_put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void text_expect(const char *path, const char *text)
{
	char found[64] = { 0 };
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_int_equal(fread(found, 1, sizeof(found) - 1, file), strlen(text));
	fclose(file);
	assert_string_equal(found, text);
}

/* A new file with "new" in it, not yet committed. */
static struct whole_file *half_done(const char *path, bool replace)
{
	struct whole_file *file = NULL;
	struct err err = { 0 };

	assert_int_equal(whole_file_create(&file, env_threads(), path, replace, &err), 0);
	/* Out of order: any part may come first. */
	assert_int_equal(whole_file_write(file, "ew", 2, 1, &err), 0);
	assert_int_equal(whole_file_write(file, "n", 1, 0, &err), 0);
	return file;
}

static void whole(void **state)
{
	struct err err = { 0 };
	struct whole_file *file = half_done("a", false);

	(void)state;
	assert_int_not_equal(access("a", F_OK), 0);
	whole_file_close(file);
	assert_int_not_equal(access("a", F_OK), 0);

	file = half_done("./a", false);
	assert_int_equal(whole_file_commit(file, &err), 0);
	whole_file_close(file);
	text_expect("a", "new");
	unlink("a");
}

/* Long aligned parts go past the page cache, the rest through it: every byte arrives once. */
static void long_parts(void **state)
{
	enum { SIZE = 5 << 20, TAIL = 777 };
	uint8_t *content = mem_pages(SIZE + BLOCK_SIZE), *found = mem_pages(SIZE + BLOCK_SIZE);
	struct rng rng = rng_seeded(5);

	(void)state;
	assert_non_null(content);
	assert_non_null(found);
	for (size_t i = 0; i < SIZE + TAIL; i++)
		content[i] = (uint8_t)rng_next(&rng);
	/* Cut at a block, and in the middle of one: both halves once first. */
	for (unsigned i = 0; i < 4; i++) {
		size_t cut = (2u << 20) + (i & 1 ? 100 : 0), rest = SIZE + TAIL - cut;
		struct whole_file *file = NULL;
		struct err err = { 0 };
		FILE *opened;

		assert_int_equal(whole_file_create(&file, env_threads(), "a", false, &err), 0);
		if (i & 2)
			assert_int_equal(whole_file_write(file, content, cut, 0, &err), 0);
		assert_int_equal(whole_file_write(file, content + cut, rest, cut, &err), 0);
		if (!(i & 2))
			assert_int_equal(whole_file_write(file, content, cut, 0, &err), 0);
		assert_int_equal(whole_file_commit(file, &err), 0);
		whole_file_close(file);
		opened = fopen("a", "r");
		assert_non_null(opened);
		assert_int_equal(fread(found, 1, SIZE + BLOCK_SIZE, opened), SIZE + TAIL);
		fclose(opened);
		assert_memory_equal(found, content, SIZE + TAIL);
		unlink("a");
	}
	mem_pages_free(content);
	mem_pages_free(found);
}

static void kept(void **state)
{
	struct whole_file *file = NULL;
	struct err err = { 0 };

	(void)state;
	text_put("a", "old");
	assert_int_equal(whole_file_create(&file, env_threads(), "a", false, &err), ERR_EXISTS);
	assert_null(file);

	/* With replace: the old one until commit, and for ever without it. */
	file = half_done("a", true);
	text_expect("a", "old");
	whole_file_close(file);
	text_expect("a", "old");
	file = half_done("a", true);
	assert_int_equal(whole_file_commit(file, &err), 0);
	whole_file_close(file);
	text_expect("a", "new");
	unlink("a");

	/* Somebody takes the name meanwhile. */
	err = (struct err){ 0 };
	file = half_done("a", false);
	text_put("a", "theirs");
	assert_int_equal(whole_file_commit(file, &err), ERR_EXISTS);
	whole_file_close(file);
	text_expect("a", "theirs");
	unlink("a");
}

static void followed(void **state)
{
	struct whole_file *file = NULL;
	struct err err = { 0 };

	(void)state;
	text_put("target", "old");
	assert_int_equal(symlink("target", "a"), 0);
	assert_int_equal(whole_file_create(&file, env_threads(), "a", true, &err), ERR_KIND);
	unlink("a");

	/* A link that appears before commit is replaced itself, not what it points to. */
	file = half_done("a", true);
	assert_int_equal(symlink("target", "a"), 0);
	assert_int_equal(whole_file_commit(file, &err), 0);
	whole_file_close(file);
	text_expect("target", "old");
	text_expect("a", "new");
	unlink("a");
	unlink("target");
}

static mode_t mode_of(const char *path)
{
	struct stat facts;

	assert_int_equal(lstat(path, &facts), 0);
	return facts.st_mode & 07777;
}

static void private_until_commit(void **state)
{
	mode_t old = umask(0);
	struct err err = { 0 };
	struct whole_file *file;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		umask(i ? 077 : 022);
		file = half_done("a", false);
		assert_int_equal(whole_file_commit(file, &err), 0);
		whole_file_close(file);
		assert_int_equal(mode_of("a"), i ? 0600 : 0644);
		unlink("a");
	}
	umask(old);
}

static void refused_places(void **state)
{
	struct whole_file *file = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(mkdir("open", 0700), 0);
	assert_int_equal(chmod("open", 0777), 0);
	assert_int_equal(whole_file_create(&file, env_threads(), "open/a", false, &err),
			 ERR_ACCESS);
	assert_int_equal(chmod("open", 01777), 0);
	whole_file_close(half_done("open/a", false));
	assert_int_equal(whole_file_create(&file, env_threads(), "open", true, &err), ERR_KIND);
	assert_int_equal(whole_file_create(&file, env_threads(), "open/", true, &err), ERR_KIND);
	assert_int_equal(whole_file_create(&file, env_threads(), "open/..", true, &err), ERR_KIND);
	assert_int_equal(whole_file_create(&file, env_threads(), "none/a", true, &err),
			 ERR_NOT_FOUND);
	assert_null(file);
	assert_int_equal(rmdir("open"), 0); /* no hidden file was left in it */
}

/* A file of several runs: what exists after each, and what the next one may take up. */
static void taken_up(void **state)
{
	struct whole_file *file = NULL;
	struct err err = { 0 };

	(void)state;
	/* Given up: nothing is left. Kept: only the part is there, and stands in the way of a new beginning. */
	assert_int_equal(whole_file_create_part(&file, "a", 3, false, false, &err), 0);
	assert_int_equal(whole_file_write(file, "n", 1, 0, &err), 0);
	whole_file_close(file);
	assert_int_equal(access("a.part", F_OK), -1);
	assert_int_equal(whole_file_create_part(&file, "a", 3, true, false, &err), ERR_NOT_FOUND);
	assert_int_equal(whole_file_create_part(&file, "a", 3, false, false, &err), 0);
	assert_int_equal(whole_file_write(file, "x", 1, 0, &err), 0);
	whole_file_keep(file);
	whole_file_close(file);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(mode_of("a.part"), 0600);
	assert_int_equal(whole_file_create_part(&file, "a", 3, false, false, &err), ERR_EXISTS);
	assert_int_equal(whole_file_create_part(&file, "a", 4, true, false, &err), ERR_SIZE);

	/* Gone on with: a range is emptied, the rest stays. */
	assert_int_equal(whole_file_create_part(&file, "a", 3, true, false, &err), 0);
	assert_int_equal(whole_file_write(file, "new", 3, 0, &err), 0);
	assert_int_equal(whole_file_clear(file, 1, 1, &err), 0);
	assert_int_equal(whole_file_write(file, "e", 1, 1, &err), 0);
	assert_int_equal(whole_file_commit(file, &err), 0);
	whole_file_close(file);
	assert_int_equal(access("a.part", F_OK), -1);
	text_expect("a", "new");

	/* Finished before: changed in place, and there whatever happens. */
	assert_int_equal(whole_file_create_part(&file, "a", 3, true, false, &err), 0);
	assert_int_equal(whole_file_write(file, "N", 1, 0, &err), 0);
	whole_file_close(file);
	text_expect("a", "New");
	assert_int_equal(whole_file_create_part(&file, "a", 3, false, false, &err), ERR_EXISTS);
	assert_int_equal(whole_file_create_part(&file, "a", 2, false, true, &err), 0);
	text_expect("a", "New");
	assert_int_equal(whole_file_write(file, "ok", 2, 0, &err), 0);
	assert_int_equal(whole_file_commit(file, &err), 0);
	whole_file_close(file);
	text_expect("a", "ok");
	unlink("a");

	/* No link is followed to what is gone on with. */
	text_put("other", "xyz");
	assert_int_equal(symlink("other", "a.part"), 0);
	assert_int_not_equal(whole_file_create_part(&file, "a", 3, true, false, &err), 0);
	assert_int_not_equal(whole_file_create_part(&file, "a", 3, false, false, &err), 0);
	text_expect("other", "xyz");
	unlink("a.part");
	unlink("other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(long_parts),
		cmocka_unit_test(kept),
		cmocka_unit_test(followed),
		cmocka_unit_test(private_until_commit),
		cmocka_unit_test(refused_places),
		cmocka_unit_test(taken_up),
	};

	return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
