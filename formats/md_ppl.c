/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_ppl.h"

#include "core/base/bytes.h"
#include "formats/crc32c.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define PPL_SECTOR 512u

/* Byte offsets. */
enum {
	PPL_SIGNATURE = 512,
	PPL_PADDING = 516,
	PPL_GENERATION = 520,
	PPL_ENTRY_COUNT = 528,
	PPL_CHECKSUM = 532,
	PPL_ENTRIES = 536,

	ENTRY_SECTOR = 0,
	ENTRY_PARITY = 8,
	ENTRY_DATA = 12,
	ENTRY_DISK = 16,
	ENTRY_CHECKSUM = 20,
	ENTRY_SIZE = 24,
};
_Static_assert(PPL_ENTRIES + MD_PPL_ENTRIES_MAX * ENTRY_SIZE <= MD_PPL_SIZE, "entries fit");
_Static_assert(PPL_ENTRIES + (MD_PPL_ENTRIES_MAX + 1) * ENTRY_SIZE > MD_PPL_SIZE, "no more do");

static uint32_t sum_of(const uint8_t *bytes)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32c_of(UINT32_MAX, bytes, PPL_CHECKSUM);

	crc = crc32c_of(crc, zero, sizeof(zero));
	return ~crc32c_of(crc, bytes + PPL_ENTRIES, MD_PPL_SIZE - PPL_ENTRIES);
}

int md_ppl_decode(struct md_ppl *ppl_out, const uint8_t bytes[static MD_PPL_SIZE], struct err *err)
{
	struct md_ppl ppl = { .entry_count = get_le32(bytes + PPL_ENTRY_COUNT) };
	const uint8_t *at = bytes + PPL_ENTRIES;

	if (ppl.entry_count > MD_PPL_ENTRIES_MAX)
		return err_set(err, ERR_FORMAT, "partial parity log: %u entries of at most %u",
			       ppl.entry_count, MD_PPL_ENTRIES_MAX);
	memcpy(ppl.reserved, bytes, sizeof(ppl.reserved));
	ppl.signature = get_le32(bytes + PPL_SIGNATURE);
	ppl.padding = get_le32(bytes + PPL_PADDING);
	ppl.generation = get_le64(bytes + PPL_GENERATION);
	ppl.checksum = get_le32(bytes + PPL_CHECKSUM);
	ppl.checksum_expected = sum_of(bytes);
	for (uint32_t i = 0; i < ppl.entry_count; i++, at += ENTRY_SIZE) {
		ppl.entries[i].data_sector = get_le64(at + ENTRY_SECTOR);
		ppl.entries[i].parity_bytes = get_le32(at + ENTRY_PARITY);
		ppl.entries[i].data_bytes = get_le32(at + ENTRY_DATA);
		ppl.entries[i].parity_disk = get_le32(at + ENTRY_DISK);
		ppl.entries[i].checksum = get_le32(at + ENTRY_CHECKSUM);
	}
	ppl.tail_used = !bytes_are_zero(at, (size_t)(bytes + MD_PPL_SIZE - at));
	*ppl_out = ppl;
	return 0;
}

void md_ppl_encode(uint8_t bytes[static MD_PPL_SIZE], const struct md_ppl *ppl)
{
	uint8_t *at = bytes + PPL_ENTRIES;

	assert(ppl->entry_count <= MD_PPL_ENTRIES_MAX);
	memset(bytes, 0, MD_PPL_SIZE);
	memcpy(bytes, ppl->reserved, sizeof(ppl->reserved));
	put_le32(bytes + PPL_SIGNATURE, ppl->signature);
	put_le32(bytes + PPL_PADDING, ppl->padding);
	put_le64(bytes + PPL_GENERATION, ppl->generation);
	put_le32(bytes + PPL_ENTRY_COUNT, ppl->entry_count);
	for (uint32_t i = 0; i < ppl->entry_count; i++, at += ENTRY_SIZE) {
		put_le64(at + ENTRY_SECTOR, ppl->entries[i].data_sector);
		put_le32(at + ENTRY_PARITY, ppl->entries[i].parity_bytes);
		put_le32(at + ENTRY_DATA, ppl->entries[i].data_bytes);
		put_le32(at + ENTRY_DISK, ppl->entries[i].parity_disk);
		put_le32(at + ENTRY_CHECKSUM, ppl->entries[i].checksum);
	}
	put_le32(bytes + PPL_CHECKSUM, sum_of(bytes));
}

static uint32_t signature_of(const uint8_t uuid[16])
{
	return ~crc32c_of(UINT32_MAX, uuid, 16);
}

void md_ppl_make_empty(struct md_ppl *ppl_out, const uint8_t uuid[16])
{
	*ppl_out = (struct md_ppl){ .signature = signature_of(uuid) };
	memset(ppl_out->reserved, 0xff, sizeof(ppl_out->reserved));
}

uint64_t md_ppl_bytes(const struct md_ppl *ppl)
{
	uint64_t bytes = MD_PPL_SIZE;

	for (uint32_t i = 0; i < ppl->entry_count; i++)
		bytes += ppl->entries[i].parity_bytes;
	return bytes;
}

void md_ppl_validate(struct md_faults *faults, const struct md_ppl *ppl, const uint8_t uuid[16],
		     uint32_t raid_disks, uint64_t room_bytes)
{
	uint32_t signature = signature_of(uuid);

	if (ppl->checksum != ppl->checksum_expected)
		md_fault(faults, "ppl_checksum", "0x%08x, the bytes make 0x%08x", ppl->checksum,
			 ppl->checksum_expected);
	if (ppl->signature != signature)
		md_fault(faults, "ppl_signature", "0x%08x, the array's is 0x%08x", ppl->signature,
			 signature);
	if (ppl->padding || ppl->tail_used)
		md_fault(faults, "ppl_reserved", "reserved bytes are in use");
	if (md_ppl_bytes(ppl) > room_bytes)
		md_fault(faults, "ppl_entries", "%" PRIu64 " bytes, there is room for %" PRIu64,
			 md_ppl_bytes(ppl), room_bytes);
	for (uint32_t i = 0; i < ppl->entry_count; i++) {
		const struct md_ppl_entry *entry = &ppl->entries[i];

		if (entry->parity_disk >= raid_disks)
			md_fault(faults, "ppl_entries", "entry %u: parity in slot %u of %u", i,
				 entry->parity_disk, raid_disks);
		if (entry->parity_bytes % PPL_SECTOR || entry->data_bytes % PPL_SECTOR)
			md_fault(faults, "ppl_entries", "entry %u: %u bytes of data, %u of parity",
				 i, entry->data_bytes, entry->parity_bytes);
	}
}

void md_ppl_print(struct facts *facts, const struct md_ppl *ppl)
{
	fact_number(facts, "generation", ppl->generation);
	fact_text(facts, "signature", "0x%08x", ppl->signature);
	fact_number(facts, "entries", ppl->entry_count);
	fact_number(facts, "bytes", md_ppl_bytes(ppl));
}
