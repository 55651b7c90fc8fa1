/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log as it is on the members: which record counts, and whether a newer one may be lost. */
#include "core/base/mem.h"
#include "core/base/size.h"
#include "core/store/intent_log.h"

#include <assert.h>
#include <inttypes.h>

#define READ_PIECE                                                                                 \
	(UINT64_C(1) << 20) /* of one read, so that a large record is no single request */
#define READ_PIECES 16u

/* What stays the same while one log is read. */
struct reading {
	const struct log_member *members;
	uint32_t count;
	const struct uuid *array;
	uint64_t slot_size;
};

static const struct log_member *member_of(const struct reading *reading,
					  const struct log_copy *copy)
{
	for (uint32_t i = 0; i < reading->count; i++) {
		if (reading->members[i].slot == copy->member)
			return &reading->members[i];
	}
	return NULL;
}

/* ---- the first block of every slot */

static void peek_copy(struct log_copy *copy, int rc, const uint8_t *block,
		      const struct reading *reading)
{
	struct log_record header;

	if (!rc)
		rc = log_record_peek(&header, &copy->size, block, reading->array,
				     reading->slot_size);
	if (!rc && header.generation % LOG_SLOTS != copy->slot)
		rc = ERR_FORMAT; /* a whole record, in a place where no log puts it */
	copy->code = rc;
	if (rc)
		return;
	copy->header = true;
	copy->generation = header.generation;
	copy->epoch = header.epoch;
}

/*
 * Where no record is seen it is read once more: a disk may err for once, or read from another place (FAULTS A3,
 * A10), and this may be the only copy.
 */
static void peek_again(struct log_copy *copy, const struct io *io, const struct reading *reading)
{
	uint8_t *block = io->iov->iov_base;

	if (!copy->header)
		peek_copy(copy, io_read(io->dev, io->role, io->offset, block, BLOCK_SIZE), block,
			  reading);
}

static int peek_all(struct log_found *found, uint8_t *blocks, const struct reading *reading)
{
	struct iovec iovs[MEMBERS_MAX * LOG_SLOTS];
	struct io ios[MEMBERS_MAX * LOG_SLOTS];

	found->copy_count = reading->count * LOG_SLOTS;
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_member *member = &reading->members[i / LOG_SLOTS];

		found->copies[i] =
			(struct log_copy){ .member = member->slot, .slot = i % LOG_SLOTS };
		iovs[i] = (struct iovec){ blocks + (size_t)i * BLOCK_SIZE, BLOCK_SIZE };
		ios[i] = (struct io){
			.dev = member->dev,
			.op = IO_READ,
			.role = IO_ROLE_LOG,
			.offset = member->offset + i % LOG_SLOTS * reading->slot_size,
			.size = BLOCK_SIZE,
			.iov = &iovs[i],
			.iov_count = 1,
		};
	}
	int rc = io_run(ios, found->copy_count);
	(void)rc; /* each result is looked at */
	for (uint32_t i = 0; i < found->copy_count; i++) {
		peek_copy(&found->copies[i], ios[i].result, blocks + (size_t)i * BLOCK_SIZE,
			  reading);
		peek_again(&found->copies[i], &ios[i], reading);
		if (found->copies[i].code == ERR_VERSION)
			return ERR_VERSION;
	}
	return 0;
}

/* ---- whole records */

/* Pieces of one batch, so that the device has many of them at once. */
static int read_bytes(const struct log_member *member, uint64_t offset, uint8_t *bytes,
		      uint64_t size)
{
	struct iovec iovs[READ_PIECES];
	struct io ios[READ_PIECES];
	uint64_t at = 0;
	int rc = 0;

	while (!rc && at < size) {
		uint32_t count = 0;

		for (; count < READ_PIECES && at < size; count++) {
			uint64_t piece = size_min(READ_PIECE, size - at);

			iovs[count] = (struct iovec){ bytes + at, piece };
			ios[count] = (struct io){
				.dev = member->dev,
				.op = IO_READ,
				.role = IO_ROLE_LOG,
				.offset = offset + at,
				.size = piece,
				.iov = &iovs[count],
				.iov_count = 1,
			};
			at += piece;
		}
		rc = io_run(ios, count);
	}
	return rc;
}

static int read_record(const struct log_copy *copy, const struct log_member *member,
		       const struct reading *reading, struct log_record *record_out, uint8_t *bytes)
{
	uint64_t offset = member->offset + copy->slot * reading->slot_size;
	int rc = read_bytes(member, offset, bytes, copy->size);

	return rc ? rc : log_record_decode(record_out, bytes, copy->size, reading->array);
}

/*
 * Read and verify one copy. Returns ERR_NOMEM or 0; then copy->code says what is wrong, and where that is nothing
 * *bytes_out and *record_out are set and the caller's.
 */
static int read_copy(struct log_copy *copy, const struct reading *reading,
		     struct log_record *record_out, uint8_t **bytes_out)
{
	const struct log_member *member = member_of(reading, copy);
	uint8_t *bytes = mem_pages(copy->size);

	assert(member && copy->header);
	if (!bytes)
		return ERR_NOMEM;
	copy->code = read_record(copy, member, reading, record_out, bytes);
	if (copy->code && copy->code != ERR_NOMEM) /* a disk may err for once */
		copy->code = read_record(copy, member, reading, record_out, bytes);
	copy->read = copy->code != ERR_NOMEM;
	copy->valid = copy->code == 0;
	if (copy->valid) {
		*bytes_out = bytes;
		return 0;
	}
	mem_pages_free(bytes);
	return copy->code == ERR_NOMEM ? ERR_NOMEM : 0;
}

/*
 * By epoch first: a member that was away long may hold a record of a session that the others knew nothing of,
 * and they began an epoch before they wrote without it.
 */
static bool is_newer(const struct log_copy *copy, uint64_t epoch, uint64_t generation)
{
	return copy->epoch != epoch ? copy->epoch > epoch : copy->generation > generation;
}

/* The newest copy that was not read yet; NULL when all were. */
static struct log_copy *newest_unread(struct log_found *found)
{
	struct log_copy *newest = NULL;

	for (uint32_t i = 0; i < found->copy_count; i++) {
		struct log_copy *copy = &found->copies[i];

		if (copy->header && !copy->read &&
		    (!newest || is_newer(copy, newest->epoch, newest->generation)))
			newest = copy;
	}
	return newest;
}

static int read_newest(struct log_found *found, const struct reading *reading)
{
	struct log_copy *copy;

	while (!found->bytes && (copy = newest_unread(found))) {
		int rc = read_copy(copy, reading, &found->record, &found->bytes);

		if (rc)
			return rc;
	}
	return 0;
}

static bool is_counting(const struct log_found *found, const struct log_copy *copy)
{
	return copy->header && copy->epoch == found->record.epoch &&
	       copy->generation == found->record.generation;
}

/* The other copies of the record that counts: is it whole wherever it was to be? */
static int read_its_copies(struct log_found *found, const struct reading *reading)
{
	for (uint32_t i = 0; found->bytes && i < found->copy_count; i++) {
		struct log_copy *copy = &found->copies[i];
		struct log_record record;
		uint8_t *bytes = NULL;

		if (copy->read || !is_counting(found, copy))
			continue;
		int rc = read_copy(copy, reading, &record, &bytes);
		if (rc)
			return rc;
		if (copy->valid)
			log_record_reset(&record);
		mem_pages_free(bytes);
	}
	return 0;
}

/* ---- could a newer one have been complete? */

/* This slot does not say what it held: it may have been any record. */
static bool copy_is_damaged(const struct log_copy *copy)
{
	return !copy->header && copy->code != ERR_NOT_FOUND;
}

/* The header is whole, in its sector, and what follows is not: so a power loss leaves a write. */
static bool copy_is_torn(const struct log_copy *copy)
{
	return copy->header && copy->read && copy->code == ERR_CHECKSUM;
}

/* Some member that was to get this generation of these places shows that it did not. */
static bool is_refuted(const struct log_found *found, const struct log_record *places,
		       uint64_t generation)
{
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];

		if (copy->slot != generation % LOG_SLOTS || copy_is_damaged(copy) ||
		    !log_record_meant_for(places, copy->member))
			continue;
		if (!copy->header || copy->generation != generation || copy_is_torn(copy))
			return true;
	}
	return false;
}

/* The places of the record after `record`, were it an ordinary one. */
static struct log_record places_next(const struct log_record *record)
{
	struct log_record next = *record;

	next.generation++;
	next.copies = record->copies_usual;
	next.first_place =
		log_first_place(next.generation, next.copies, member_set_count(record->in_service));
	return next;
}

/* Nothing verifies: is there anything that a record could have been? */
static bool any_is_damaged(const struct log_found *found)
{
	for (uint32_t i = 0; i < found->copy_count; i++) {
		if (copy_is_damaged(&found->copies[i]))
			return true;
	}
	return false;
}

/*
 * By the header of each newer copy, which says who was to get that record; where headers are damaged too, by
 * the places of the next one.
 */
static bool is_suspect(const struct log_found *found, const uint8_t *blocks,
		       const struct reading *reading)
{
	struct log_record next;

	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];
		struct log_record places;
		uint64_t size;

		if (!copy->header || !is_newer(copy, found->record.epoch, found->record.generation))
			continue;
		int rc = log_record_peek(&places, &size, blocks + (size_t)i * BLOCK_SIZE,
					 reading->array, reading->slot_size);
		assert(rc == 0);
		if (!is_refuted(found, &places, copy->generation))
			return true;
	}
	if (!found->bytes)
		return any_is_damaged(found);
	next = places_next(&found->record);
	return !is_refuted(found, &next, next.generation);
}

static bool is_torn(const struct log_found *found)
{
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];

		if (copy_is_torn(copy) &&
		    is_newer(copy, found->record.epoch, found->record.generation))
			return true;
	}
	return false;
}

/* On every member that is here and was to get it. */
static bool is_whole_everywhere(const struct log_found *found)
{
	for (uint32_t i = 0; i < found->copy_count; i++) {
		const struct log_copy *copy = &found->copies[i];

		if (copy->slot == found->record.generation % LOG_SLOTS &&
		    log_record_meant_for(&found->record, copy->member) &&
		    !(copy->valid && is_counting(found, copy)))
			return false;
	}
	return true;
}

static bool is_lagging(const struct log_found *found)
{
	bool lagging = false;

	for (uint32_t i = 0; !lagging && i < found->copy_count; i += LOG_SLOTS) {
		bool counts = false;

		for (uint32_t slot = 0; slot < LOG_SLOTS; slot++) {
			const struct log_copy *copy = &found->copies[i + slot];

			lagging |= copy->header;
			counts |= copy->valid && is_counting(found, copy);
		}
		lagging &= !counts;
	}
	return lagging;
}

/*
 * The next record must not lie where the newest one lies that was surely complete: a power loss could tear it, and
 * nothing would be left. That is the one that counts, or, where a member lacks it, the one before: then nobody was
 * released by the one that counts, and its slot is the one to be used.
 */
static uint64_t generation_seen(const struct log_found *found)
{
	uint64_t seen = 0;
	bool other_slot = found->bytes && is_whole_everywhere(found);

	for (uint32_t i = 0; i < found->copy_count; i++) {
		if (found->copies[i].header)
			seen = size_max(seen, found->copies[i].generation);
	}
	bool next_in_its_slot = (seen + 1) % LOG_SLOTS == found->record.generation % LOG_SLOTS;

	if (found->bytes && next_in_its_slot == other_slot)
		seen++;
	return seen;
}

int intent_log_read(struct log_found *found_out, const struct log_member *members, uint32_t count,
		    const struct uuid *array, uint64_t slot_size, struct err *err)
{
	const struct reading reading = { members, count, array, slot_size };
	uint8_t *blocks = mem_pages((size_t)count * LOG_SLOTS * BLOCK_SIZE);
	int rc;

	assert(count <= MEMBERS_MAX && slot_size >= BLOCK_SIZE);
	*found_out = (struct log_found){ 0 };
	if (!blocks)
		return err_set(err, ERR_NOMEM, "no memory to read the intent log");
	rc = peek_all(found_out, blocks, &reading);
	if (rc)
		err_set(err, rc, "the intent log was written by a newer pgctl");
	else if ((rc = read_newest(found_out, &reading)) ||
		 (rc = read_its_copies(found_out, &reading)))
		err_set(err, rc, "no memory to read the intent log");
	if (!rc) {
		found_out->suspect = is_suspect(found_out, blocks, &reading);
		found_out->torn = is_torn(found_out);
		found_out->lagging = found_out->bytes && is_lagging(found_out);
		found_out->generation_seen = generation_seen(found_out);
	} else {
		log_found_reset(found_out);
	}
	mem_pages_free(blocks);
	return rc;
}

int intent_log_read_rest(struct log_found *found, const struct log_member *members, uint32_t count,
			 const struct uuid *array, uint64_t slot_size, struct err *err)
{
	const struct reading reading = { members, count, array, slot_size };
	struct log_copy *copy;

	while ((copy = newest_unread(found))) {
		struct log_record record;
		uint8_t *bytes = NULL;

		if (read_copy(copy, &reading, &record, &bytes))
			return err_set(err, ERR_NOMEM, "no memory to read the intent log");
		if (bytes)
			log_record_reset(&record);
		mem_pages_free(bytes);
	}
	return 0;
}

void log_found_reset(struct log_found *found)
{
	log_record_reset(&found->record);
	mem_pages_free(found->bytes);
	*found = (struct log_found){ 0 };
}
