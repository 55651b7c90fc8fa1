/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Archives: aim is that what was written is read back, that names survive the way through volumes, and that
 * a hostile archive opens nothing. Method: archives are written into a temporary file by this module and
 * read again; hostile ones are made by hand; names go through every short combination of odd characters.
 */
#include "formats/archive.h"

#include "core/base/rng.h"
#include "tests/unit/archive_try.h"
#include "tests/unit/corpus_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CONTENT_SIZE 300000u

static int to_file(void *arg, const void *bytes, size_t size, struct err *err)
{
	if (fwrite(bytes, 1, size, arg) == size)
		return 0;
	return err_set(err, ERR_IO, "write");
}

static int fails(void *arg, const void *bytes, size_t size, struct err *err)
{
	(void)arg;
	(void)bytes;
	(void)size;
	return err_set(err, ERR_NOSPACE, "full");
}

static int stops(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_STOPPED, "stopped by a signal");
}

static FILE *archive_make(const char *name, const uint8_t *content, size_t size)
{
	struct archive_writer *writer = NULL;
	struct err err = { 0 };
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(archive_writer_open(&writer, to_file, file, name, &err), 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct archive_entry_facts facts = { .name = i ? "b/c" : "a", .size = size };

		assert_int_equal(archive_writer_begin(writer, &facts, &err), 0);
		assert_int_equal(archive_writer_data(writer, content, size / 3, &err), 0);
		assert_int_equal(
			archive_writer_data(writer, content + size / 3, size - size / 3, &err), 0);
	}
	assert_int_equal(archive_writer_finish(writer, &err), 0);
	archive_writer_close(writer);
	assert_int_equal(fflush(file), 0);
	rewind(file);
	assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
	return file;
}

static struct archive_reader *archive_open(FILE *file)
{
	const struct archive_input input = { .name = "test", .fd = fileno(file) };
	struct archive_reader *reader = NULL;
	struct err err = { 0 };

	assert_int_equal(archive_reader_open(&reader, &input, &err), 0);
	return reader;
}

static void round_trip(void **state)
{
	static const char *const names[] = { "x.tar",  "x.tar.gz", "x.tar.zst", "x.zip",
					     "x.cpio", "x.7z",     "x" };
	static uint8_t content[CONTENT_SIZE], read[CONTENT_SIZE];
	struct rng rng = rng_seeded(7);

	(void)state;
	for (size_t i = 0; i < CONTENT_SIZE; i++)
		content[i] = (uint8_t)rng_next(&rng);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		FILE *file = archive_make(names[i], content, CONTENT_SIZE);
		struct archive_reader *reader = archive_open(file);
		struct archive_file entry;
		struct err err = { 0 };
		bool end = false;
		size_t got = 0;

		for (unsigned j = 0; j < 2; j++) {
			assert_int_equal(archive_reader_next(reader, &entry, &end, &err), 0);
			assert_false(end);
			assert_string_equal(entry.name, j ? "b/c" : "a");
			assert_true(!entry.has_size || entry.size == CONTENT_SIZE);
			assert_int_equal(
				archive_reader_read(reader, read, sizeof(read), &got, &err), 0);
			assert_int_equal(got, CONTENT_SIZE);
			assert_memory_equal(read, content, CONTENT_SIZE);
			assert_int_equal(archive_reader_read(reader, read, 1, &got, &err), 0);
			assert_int_equal(got, 0);
		}
		assert_int_equal(archive_reader_next(reader, &entry, &end, &err), 0);
		assert_true(end);
		archive_reader_close(reader);
		fclose(file);
	}
}

static FILE *text_file(const char *text)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
	return file;
}

/* mtree is a list of files of this machine; a reader that took it would read them. */
static void mtree_is_no_archive(void **state)
{
	FILE *file = text_file("#mtree\n./passwd type=file contents=/etc/passwd\n");
	const struct archive_input input = { .name = "test", .fd = fileno(file) };
	struct archive_reader *reader = NULL;
	struct archive_file entry;
	struct err err = { 0 };
	bool end = false;
	int rc = archive_reader_open(&reader, &input, &err);

	(void)state;
	if (rc == 0)
		rc = archive_reader_next(reader, &entry, &end, &err);
	assert_int_equal(rc, ERR_FORMAT);
	archive_reader_close(reader);
	fclose(file);
}

static void cut_archives_are_errors(void **state)
{
	static uint8_t content[CONTENT_SIZE];
	FILE *file = archive_make("x.tar", content, CONTENT_SIZE);
	struct archive_reader *reader;
	struct archive_file entry;
	struct err err = { 0 };
	bool end = false;
	size_t got = 0;

	(void)state;
	assert_int_equal(ftruncate(fileno(file), CONTENT_SIZE / 2), 0);
	reader = archive_open(file);
	assert_int_equal(archive_reader_next(reader, &entry, &end, &err), 0);
	assert_int_equal(archive_reader_read(reader, content, CONTENT_SIZE, &got, &err),
			 ERR_FORMAT);
	archive_reader_close(reader);
	fclose(file);
}

static void errors_of_the_callers_side_come_back(void **state)
{
	static const uint8_t content[CONTENT_SIZE];
	FILE *file = archive_make("x.tar", content, CONTENT_SIZE);
	const struct archive_input input = { .name = "test", .fd = fileno(file), .wait = stops };
	struct archive_reader *reader = NULL;
	struct archive_writer *writer = NULL;
	const struct archive_entry_facts facts = { .name = "a", .size = CONTENT_SIZE };
	struct err err = { 0 };
	int rc;

	(void)state;
	assert_int_equal(archive_reader_open(&reader, &input, &err), ERR_STOPPED);
	assert_null(reader);
	fclose(file);

	err = (struct err){ 0 };
	assert_int_equal(archive_writer_open(&writer, fails, NULL, "x.tar", &err), 0);
	rc = archive_writer_begin(writer, &facts, &err);
	for (unsigned i = 0; rc == 0 && i < 16; i++)
		rc = archive_writer_data(writer, content, CONTENT_SIZE / 16, &err);
	if (rc == 0)
		rc = archive_writer_finish(writer, &err);
	assert_int_equal(rc, ERR_NOSPACE);
	archive_writer_close(writer);
}

/* All names of up to four of these characters, and their tripled codes. */
/* The first bytes of the file are those of its compression; zeros that are holes take no room. */
static void endings_choose_the_compression_and_holes_cost_nothing(void **state)
{
	static const struct {
		const char *name;
		uint8_t magic[4];
	} formats[] = {
		{ "x.tar.zst", { 0x28, 0xb5, 0x2f, 0xfd } },
		{ "x.tzst", { 0x28, 0xb5, 0x2f, 0xfd } },
		{ "x.tar.gz", { 0x1f, 0x8b, 0x08, 0x00 } },
	};
	static uint8_t content[CONTENT_SIZE], read[CONTENT_SIZE];
	const struct archive_range ranges[] = { { 4096, 4096 }, { 200000, 10 } };
	struct archive_entry_facts facts = {
		.name = "a", .size = CONTENT_SIZE, .ranges = ranges, .range_count = 2
	};
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		FILE *file = archive_make(formats[i].name, content, CONTENT_SIZE);
		uint8_t magic[4] = { 0 };

		assert_int_equal(fread(magic, 1, 4, file), 4);
		assert_memory_equal(magic, formats[i].magic, 4);
		fclose(file);
	}
	memset(content + 4096, 7, 4096);
	memset(content + 200000, 8, 10);
	for (; facts.range_count <= 2; facts.range_count -= 2) {
		struct archive_writer *writer = NULL;
		struct archive_file entry;
		FILE *file = tmpfile();
		bool end = false;
		size_t got = 0;

		assert_non_null(file);
		assert_int_equal(archive_writer_open(&writer, to_file, file, "x.tar", &err), 0);
		assert_int_equal(archive_writer_begin(writer, &facts, &err), 0);
		assert_int_equal(archive_writer_data(writer, content, CONTENT_SIZE, &err), 0);
		assert_int_equal(archive_writer_finish(writer, &err), 0);
		archive_writer_close(writer);
		assert_int_equal(fflush(file), 0);
		assert_in_range(ftell(file), 1024, 20000);
		assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);

		struct archive_reader *reader = archive_open(file);

		assert_int_equal(archive_reader_next(reader, &entry, &end, &err), 0);
		assert_true(!end && entry.has_size && entry.size == CONTENT_SIZE);
		assert_int_equal(archive_reader_read(reader, read, CONTENT_SIZE, &got, &err), 0);
		assert_int_equal(got, CONTENT_SIZE);
		assert_memory_equal(read, content, CONTENT_SIZE);
		archive_reader_close(reader);
		fclose(file);
		memset(content, 0, CONTENT_SIZE); /* then without any range */
	}
}

/* Archives with every byte of their first blocks changed, and cut: read to an end or an error, in bounds. */
static void any_bytes_are_read_or_refused(void **state)
{
	static uint8_t content[3000];
	static const char *const names[] = { "x.tar", "x.tar.gz", "x.tar.zst", "x.zip", "x.cpio" };
	unsigned whole = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		FILE *file = archive_make(names[i], content, sizeof(content));
		uint8_t bytes[16384];
		size_t size = fread(bytes, 1, sizeof(bytes), file);

		assert_true(archive_try(bytes, size));
		for (size_t at = 0; at < size && at < 300; at++) {
			bytes[at] ^= 0x91;
			whole += archive_try(bytes, size);
			bytes[at] ^= 0x91;
			whole += archive_try(bytes, at);
		}
		fclose(file);
	}
	assert_true(whole < 2000);
}

static bool archive_replay(uint8_t *bytes, size_t size)
{
	return archive_try_mended(bytes, size);
}

/* What was found by fuzzing; one of them has ranges out of order, which the library would be asked for without end. */
static void corpus_is_read(void **state)
{
	struct corpus_count count = corpus_replay("archive", archive_replay, NULL);

	(void)state;
	assert_true(count.files >= 10 && count.true_count >= 8);
}

static void names_survive(void **state)
{
	static const char letters[] = "a/%2F5.";
	enum { LETTERS = sizeof(letters) - 1 };

	(void)state;
	for (unsigned number = 0; number < LETTERS * LETTERS * LETTERS * LETTERS; number++) {
		char path[8] = { 0 }, name[32], back[32];
		unsigned rest = number;

		for (unsigned i = 0; i < 4; i++, rest /= LETTERS)
			path[i] = letters[rest % LETTERS];
		assert_true(archive_name_encode(name, sizeof(name), path));
		assert_null(strchr(name, '/'));
		assert_true(archive_name_decode(back, sizeof(back), name));
		assert_string_equal(back, path);
	}
}

static void names_too_long_are_refused(void **state)
{
	char out[4];

	(void)state;
	assert_true(archive_name_encode(out, sizeof(out), "abc"));
	assert_true(archive_name_encode(out, sizeof(out), "/"));
	assert_false(archive_name_encode(out, sizeof(out), "abcd"));
	assert_false(archive_name_encode(out, sizeof(out), "a/"));
	assert_true(archive_name_decode(out, sizeof(out), "%2F%2F%25"));
	assert_false(archive_name_decode(out, sizeof(out), "abcd"));
}

static void tame_paths(void **state)
{
	static const char *const tame[] = { "a", "a/b", "..a", "a..", "a/..b/c", "...", "a/..." };
	static const char *const wild[] = {
		"", "/", "/a", "..", "../a", "a/..", "a/../b", "a//.."
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tame) / sizeof(tame[0]); i++)
		assert_true(archive_path_is_tame(tame[i]));
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		assert_false(archive_path_is_tame(wild[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(mtree_is_no_archive),
		cmocka_unit_test(cut_archives_are_errors),
		cmocka_unit_test(errors_of_the_callers_side_come_back),
		cmocka_unit_test(endings_choose_the_compression_and_holes_cost_nothing),
		cmocka_unit_test(any_bytes_are_read_or_refused),
		cmocka_unit_test(corpus_is_read),
		cmocka_unit_test(names_survive),
		cmocka_unit_test(names_too_long_are_refused),
		cmocka_unit_test(tame_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
