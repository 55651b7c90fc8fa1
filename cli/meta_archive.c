/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/meta_archive.h"

#include "cli/members.h"
#include "cli/whole_file.h"
#include "core/base/crc.h"
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/job/meta.h"
#include "formats/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PART_SIZE (1u << 20)
#define ARCHIVE_FORMAT ".tar.zst" /* whatever the file is called */

/* ---- ranges of a device */

static int part_read(struct dev *dev, uint64_t offset, void *bytes, size_t size, struct err *err)
{
	int rc = io_read(dev, IO_ROLE_SUPER, offset, bytes, size);

	return rc ? err_set(err, rc, "%s: %zu bytes at %" PRIu64 " cannot be read", dev_name(dev),
			    size, offset)
		  : 0;
}

int meta_range_crc(uint32_t *crc_out, struct dev *dev, uint64_t offset, uint64_t size,
		   struct err *err)
{
	uint8_t *buffer = mem_pages_raw(PART_SIZE);
	uint32_t crc = 0;
	int rc = 0;

	if (!buffer)
		return err_set(err, ERR_NOMEM, "%s: no memory", dev_name(dev));
	for (uint64_t done = 0; rc == 0 && done < size;) {
		size_t part = (size_t)size_min(size - done, PART_SIZE);

		rc = part_read(dev, offset + done, buffer, part, err);
		crc = crc32_of(crc, buffer, part);
		done += part;
	}
	mem_pages_free(buffer);
	if (rc == 0)
		*crc_out = crc;
	return rc;
}

/* ---- writing */

struct writing {
	const struct invocation *inv;
	struct array *array;
	struct meta_index *index;
	struct whole_file *file;
	uint64_t file_size;
	struct archive_writer *writer;
	uint8_t *buffer; /* PART_SIZE */
	uint64_t modified_s;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the metadata");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int member_add(struct writing *writing, const struct member *member, struct err *err)
{
	const char *path = cli_member_path(writing->inv, member->slot);
	struct dev *dev = array_dev(writing->array, member->slot);
	struct meta_index_member one = {
		.uuid = member->uuid,
		.slot = member->slot,
		.size = member->size - member->size % BLOCK_SIZE,
	};
	uint64_t tells[META_TELLS_MAX];
	uint32_t count = meta_tells(writing->array, member->slot, tells);
	int rc = 0;

	snprintf(one.file, sizeof(one.file), "%s", base_name(path ? path : dev_name(dev)));
	if (meta_member_vec_push(&writing->index->members, one))
		return no_memory(err);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct meta_index_tell tell = { .slot = member->slot, .offset = tells[i] };

		rc = meta_range_crc(&tell.crc, dev, tells[i], BLOCK_SIZE, err);
		if (rc == 0 && meta_tell_vec_push(&writing->index->tells, tell))
			rc = no_memory(err);
	}
	return rc;
}

/* The ranges of a member that are superblocks, or those that are not. */
static int ranges_add(struct writing *writing, uint32_t slot, bool supers, bool log,
		      struct err *err)
{
	struct meta_range ranges[META_RANGES_MAX];
	uint32_t count = meta_ranges(writing->array, slot, ranges);
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct meta_index_range range = {
			.slot = slot,
			.role = ranges[i].role,
			.offset = ranges[i].offset,
			.size = ranges[i].size,
		};

		if ((range.role == IO_ROLE_SUPER) != supers || (range.role == IO_ROLE_LOG && !log))
			continue;
		rc = meta_range_crc(&range.crc, array_dev(writing->array, slot), range.offset,
				    range.size, err);
		if (rc == 0 && meta_range_vec_push(&writing->index->ranges, range))
			rc = no_memory(err);
	}
	return rc;
}

static int index_make(struct writing *writing, bool log, struct err *err)
{
	const struct map *map = array_map(writing->array);
	struct meta_index *index = writing->index;
	int rc = 0;

	index->array = map->uuid;
	index->generation = map->generation;
	index->epoch = map->epoch_count ? map->epochs[map->epoch_count - 1].number : 0;
	memcpy(index->name, map->name, sizeof(index->name));
	for (uint32_t i = 0; rc == 0 && i < map->member_count; i++) {
		if (array_dev(writing->array, map->members[i].slot))
			rc = member_add(writing, &map->members[i], err);
	}
	for (int supers = 0; supers < 2; supers++) {
		for (size_t i = 0; rc == 0 && i < index->members.count; i++)
			rc = ranges_add(writing, index->members.at[i].slot, supers, log, err);
	}
	return rc;
}

static int archive_bytes(void *arg, const void *bytes, size_t size, struct err *err)
{
	struct writing *writing = arg;
	uint64_t offset = writing->file_size;

	writing->file_size += size;
	return whole_file_write(writing->file, bytes, size, offset, err);
}

static int entry_begin(struct writing *writing, const char *name, uint64_t size, struct err *err)
{
	const struct archive_entry_facts facts = {
		.name = name,
		.size = size,
		.modified_s = writing->modified_s,
	};

	return archive_writer_begin(writing->writer, &facts, err);
}

static int index_write(struct writing *writing, struct err *err)
{
	struct buffer buffer = { 0 };
	int rc;

	meta_index_encode(&buffer, writing->index);
	if (buffer.failed)
		rc = no_memory(err);
	else
		rc = entry_begin(writing, META_INDEX_NAME, buffer.size, err);
	if (rc == 0)
		rc = archive_writer_data(writing->writer, buffer.bytes, buffer.size, err);
	buffer_reset(&buffer);
	return rc;
}

static int range_write(struct writing *writing, const struct meta_index_range *range,
		       struct err *err)
{
	struct dev *dev = array_dev(writing->array, range->slot);
	char name[META_NAME_SIZE];
	uint32_t crc = 0;
	int rc;

	meta_entry_name(name, range);
	rc = entry_begin(writing, name, range->size, err);
	for (uint64_t done = 0; rc == 0 && done < range->size;) {
		size_t part = (size_t)size_min(range->size - done, PART_SIZE);

		rc = part_read(dev, range->offset + done, writing->buffer, part, err);
		if (rc == 0)
			rc = archive_writer_data(writing->writer, writing->buffer, part, err);
		crc = crc32_of(crc, writing->buffer, part);
		done += part;
	}
	if (rc == 0 && crc != range->crc)
		rc = err_set(err, ERR_CHANGED,
			     "the metadata of member %" PRIu32 " changed while it was read",
			     range->slot);
	return rc;
}

static int all_write(struct writing *writing, struct err *err)
{
	int rc = archive_writer_open(&writing->writer, archive_bytes, writing, ARCHIVE_FORMAT, err);

	if (rc == 0)
		rc = index_write(writing, err);
	for (size_t i = 0; rc == 0 && i < writing->index->ranges.count; i++)
		rc = range_write(writing, &writing->index->ranges.at[i], err);
	if (rc == 0)
		rc = archive_writer_finish(writing->writer, err);
	archive_writer_close(writing->writer);
	return rc;
}

int meta_archive_write(struct meta_index *index_out, const struct invocation *inv,
		       struct array *array, const char *path, bool log, struct err *err)
{
	struct meta_index index = { 0 };
	struct writing writing = {
		.inv = inv,
		.array = array,
		.index = &index,
		.buffer = mem_pages_raw(PART_SIZE),
		.modified_s = env_clock_s(inv->env),
	};
	int rc = writing.buffer ? 0 : no_memory(err);

	if (rc == 0)
		rc = whole_file_create(&writing.file, inv->env, path, inv->common->force, err);
	if (rc == 0)
		rc = index_make(&writing, log, err);
	if (rc == 0)
		rc = all_write(&writing, err);
	if (rc == 0)
		rc = whole_file_commit(writing.file, err);
	whole_file_close(writing.file);
	mem_pages_free(writing.buffer);
	if (rc)
		meta_index_reset(&index);
	else
		*index_out = index;
	return rc;
}

/* ---- reading */

static int no_archive(const char *path, struct err *err)
{
	return err_set(err, ERR_FORMAT, "%s is no metadata archive, or not a whole one", path);
}

/* The next entry, which must have this name. */
static int entry_next(struct archive_reader *reader, const char *path, const char *name,
		      struct archive_file *file_out, struct err *err)
{
	bool end = false;
	int rc = archive_reader_next(reader, file_out, &end, err);

	if (rc == 0 && (end || !file_out->has_size || strcmp(file_out->name, name) != 0))
		rc = no_archive(path, err);
	return rc;
}

static int index_read(struct meta_index *index_out, struct archive_reader *reader, const char *path,
		      struct err *err)
{
	struct archive_file file;
	uint8_t *bytes;
	size_t got = 0;
	int rc = entry_next(reader, path, META_INDEX_NAME, &file, err);

	if (rc)
		return rc;
	if (file.size > META_INDEX_SIZE_MAX)
		return no_archive(path, err);
	bytes = mem_calloc(1, file.size + 1);
	if (!bytes)
		return no_memory(err);
	rc = archive_reader_read(reader, bytes, (size_t)file.size, &got, err);
	if (rc == 0)
		rc = meta_index_decode(index_out, bytes, got, err);
	mem_free(bytes);
	return rc ? err_prefix(err, "%s", path) : 0;
}

static int range_read(struct archive_reader *reader, const char *path,
		      const struct meta_index_range *range, uint8_t *buffer,
		      int (*sink)(void *arg, const struct meta_index_range *range,
				  const void *bytes, size_t size, uint64_t done, struct err *err),
		      void *arg, struct err *err)
{
	char name[META_NAME_SIZE];
	struct archive_file file;
	uint32_t crc = 0;
	int rc;

	meta_entry_name(name, range);
	rc = entry_next(reader, path, name, &file, err);
	for (uint64_t done = 0; rc == 0 && done < range->size;) {
		size_t part = (size_t)size_min(range->size - done, PART_SIZE), got = 0;

		rc = archive_reader_read(reader, buffer, part, &got, err);
		if (rc == 0 && got != part)
			rc = no_archive(path, err);
		crc = crc32_of(crc, buffer, part);
		if (rc == 0 && sink)
			rc = sink(arg, range, buffer, part, done, err);
		done += part;
	}
	if (rc == 0 && crc != range->crc)
		rc = err_set(err, ERR_CHECKSUM, "%s: bad checksum of %s", path, name);
	return rc;
}

int meta_archive_read(struct meta_index *index_out, const char *path,
		      int (*sink)(void *arg, const struct meta_index_range *range,
				  const void *bytes, size_t size, uint64_t done, struct err *err),
		      void *arg, struct err *err)
{
	struct archive_input input = { .name = path, .fd = open(path, O_RDONLY | O_CLOEXEC) };
	uint8_t *buffer = mem_pages_raw(PART_SIZE);
	struct archive_reader *reader = NULL;
	struct meta_index index = { 0 };
	int rc = 0;

	if (input.fd < 0)
		rc = err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_ACCESS, "%s: %s", path,
			     strerrordesc_np(errno));
	else if (!buffer)
		rc = no_memory(err);
	if (rc == 0)
		rc = archive_reader_open(&reader, &input, err);
	if (rc == 0)
		rc = index_read(&index, reader, path, err);
	for (size_t i = 0; rc == 0 && i < index.ranges.count; i++)
		rc = range_read(reader, path, &index.ranges.at[i], buffer, sink, arg, err);
	archive_reader_close(reader);
	mem_pages_free(buffer);
	if (input.fd >= 0)
		close(input.fd);
	if (rc)
		meta_index_reset(&index);
	else
		*index_out = index;
	return rc;
}
