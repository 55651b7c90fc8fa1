# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants: (name, file, what is there, what is put there, sweeps that should find it).

A sweep is "program [shape [script]]"; they run in order until one finds a violation.

Not here, because nothing can tell them apart: the flush of put and rebuild before their commit (the commit's own first
flush covers the same members); the order of generations within an epoch.
"""

COMMIT = ["crash_small mirror-2 rename", "crash_small parity-2+1 append",
          "crash_small mirror-3 rename", "nested mirror-2"]
PUT = ["crash_small mirror-2 put", "crash_small parity-2+1 append", "crash_small sequential-3 put"]
MEMBER = ["crash_small mirror-3 offline", "crash_small parity-2+1-wide fail",
          "crash_large parity-4+2 offline", "faults mirror-3 rename", "nested mirror-3"]
REBUILD = ["crash_small parity-2+1 rebuild-to", "crash_small mirror-2 replace",
           "crash_small sequential-3 rebuild-free", "faults parity-3+1 rebuild-to"]
WRITE = ["crash_small parity-2+1 write", "crash_small parity-2+1 write-rows",
         "crash_small mirror-2 write-much", "crash_small parity-2+1 writers",
         "crash_small sequential-3 write", "crash_large parity-4+2 write"]
FAULT = ["faults parity-3+1 write", "faults mirror-2 write", "faults mirror-3 write-much",
         "faults parity-4+2 write-rows"]

A, C, J = "core/array/", "core/store/", "core/job/"

MUTANTS = [
    # ---- commit
    ("commit: no flush between map and superblocks", C + "commit.c",
     "return rc ? rc : flush_all(members, count, err);", "return rc;", COMMIT),
    ("commit: no flush after the superblocks", C + "commit.c",
     "\tif (!rc)\n\t\trc = flush_all(members, count, err);\n\tmem_pages_free(blocks);",
     "\tmem_pages_free(blocks);", COMMIT),
    ("commit: a generation of a try that failed is used again", C + "commit.c",
     "uint64_t next = state->generation_seen + 1;", "uint64_t next = map->generation + 1;",
     COMMIT + ["faults mirror-2 rename", "faults mirror-3 offline"]),
    ("commit: superblocks before the map", C + "commit.c",
     "\trc = write_records(&attempt, map, members, member_count, err);\n",
     "\trc = write_supers(&attempt, crc_before, map, members, member_count, now_s, err);\n"
     "\tif (!rc)\n\t\trc = write_records(&attempt, map, members, member_count, err);\n", COMMIT),
    ("commit: only the first member is written", C + "commit.c",
     "rc = write_supers(&attempt, crc_before, map, members, member_count, now_s, err);",
     "rc = write_supers(&attempt, crc_before, map, members, 1, now_s, err);", COMMIT),
    ("commit: flush of the first member only", C + "commit.c",
     'return run_on_all(ios, members, count, "flush", err);',
     'return run_on_all(ios, members, 1, "flush", err);', COMMIT),
    ("commit: a delta where a member misses the last", C + "commit.c",
     "bool may_be_delta = state->length > 0 && all_current(members, member_count);",
     "bool may_be_delta = state->length > 0;", MEMBER),
    ("commit: a full record over the half in use", C + "commit.c",
     "attempt->half = state->length ? 1 - state->half : 0;", "attempt->half = state->half;",
     MEMBER + COMMIT),
    ("commit: delta over the last record", C + "commit.c",
     "attempt->offset = state->length;\n", "attempt->offset = 0;\n", COMMIT),
    ("commit: map checksum is not checked", C + "map_record.c",
     "if (header->crc != record_crc(bytes, header->size))", "if (false)",
     COMMIT + ["faults mirror-2 rename", "faults mirror-3 rename", "faults parity-3+1 put"]),
    ("commit: the error of a flush is overlooked", C + "commit.c",
     "\tint rc = run_on_all(ios, members, count, \"write to the map\", err);\n",
     "\tint rc = run_on_all(ios, members, count, \"write to the map\", err);\n\trc = 0;\n",
     ["faults mirror-2 rename", "faults parity-3+1 put"]),
    ("commit: catch up writes the slot first", C + "commit.c",
     "\trc = io_write(to->dev, IO_ROLE_MAP,\n", "\trc = write_super_copy(super, to);\n\tif (!rc)\n"
     "\t\trc = io_write(to->dev, IO_ROLE_MAP,\n", MEMBER),
    # ---- choosing
    ("choose: epochs do not count", C + "choose.c",
     "\tif (a->epoch != b->epoch)\n\t\treturn a->epoch > b->epoch;\n", "", MEMBER),
    ("choose: nothing is refuted", C + "choose.c",
     "return member_set_has(super->present, witness->member_slot) &&", "return false &&",
     ["nested mirror-3 add", "nested parity-2+1 add", "nested sequential-3 rebuild-to"]),
    ("choose: every member is current", C + "choose.c",
     "\t\treturn CHOOSE_STALE;\n\tif (super->generation > map->generation)",
     "\t\treturn CHOOSE_CURRENT;\n\tif (super->generation > map->generation)", MEMBER),
    # ---- members
    ("member out of service stays current", A + "array.c",
     "place->current = false; /* it misses these records */", ";", MEMBER),
    ("nobody is caught up", A + "array.c", "\tcatch_up(array);\n", "", MEMBER + COMMIT),
    ("a commit after an error counts", A + "array.c",
     "\t\tif (rc == 0) {\n\t\t\tfree_frames(array);", "\t\tif (rc != 1) {\n\t\t\tfree_frames(array);",
     ["faults mirror-2 rename", "faults parity-3+1 put", "faults mirror-3 rename"]),
    ("no epoch for another set of members", A + "array.c",
     "if (now->present.bits == present.bits)", "if (now->present.bits == present.bits || true)",
     MEMBER + ["nested mirror-3"]),
    ("freed frames before the commit", A + "array.c", "\tcatch_up(array);\n",
     "\tcatch_up(array);\n\tfree_frames(array);\n",
     ["crash_small mirror-2 remove", "crash_small parity-2+1 remove",
      "crash_small parity-2+1 rebuild-to"]),
    # ---- put
    ("put: a check column is not written", A + "group_write.c",
     "\tfor (uint32_t c = 0; c < columns; c++) {\n\t\tstruct iovec *own",
     "\tfor (uint32_t c = 0; c + 1 < columns; c++) {\n\t\tstruct iovec *own", PUT),
    ("put: a seal is not written", A + "group_write.c",
     "rc = run_writes(writer, writer->group->shape.columns, NULL, err);",
     "rc = run_writes(writer, writer->group->shape.columns - 1, NULL, err);", PUT),
    ("put: the error of a write is overlooked", A + "group_write.c",
     "\t\tif (ios[i].result)\n\t\t\treturn err_set(err, ios[i].result, \"write to %s at %\" PRIu64 "
     "\" failed\",\n\t\t\t\t       dev_name(ios[i].dev), ios[i].offset);\n", "",
     ["faults mirror-2 put", "faults parity-3+1 put", "faults parity-4+2 append"]),
    # ---- reading
    ("read: checksums are not compared", A + "span_read.c",
     "return entry.crc == crc32_of(seal_block_seed(column->seed, block), bytes, BLOCK_SIZE);",
     "return true;", FAULT + ["faults parity-3+1 put", "crash_small mirror-2 scrub-repair"]),
    # ---- rebuild
    ("rebuild: the old place is free before the commit", J + "rebuild.c",
     "\t*gone = array->members[from];", "\t*gone = array->members[from];\n\t(void)!probe_wipe("
     "array->members[from].dev ? array->members[from].dev : array->members[to].dev, err);",
     REBUILD),
    ("rebuild: the seal is not written", J + "rewrite.c",
     "\t\trc = run_writes(work, &io, 1, err);", "\t\trc = 0;", REBUILD),
    ("rebuild: what is solved is not judged", J + "rewrite.c",
     "\t\trows_judge(rows);\n\t\trc = rows_solve(rows, &lost);", "\t\tlost = 0;", REBUILD),
    ("rebuild: the last window is left out", J + "rewrite.c",
     "\treturn write_window(work, err);", "\treturn 0;", REBUILD),
    ("rebuild: another column's place", J + "rebuild.c", "\t\t*extent = move->place;",
     "\t\textent->frame = move->place.frame;", REBUILD),
    # ---- log
    ("log: no flush of a record", C + "intent_log.c", "return rc ? rc : flush_targets(log, err);",
     "return rc;", WRITE),
    ("log: one copy of a record", C + "intent_log.c",
     "uint64_t copies = size_max(COPIES_MIN, (uint64_t)log->config.tolerance + 1);",
     "uint64_t copies = 1;", WRITE),
    ("log: always the same slot", C + "intent_log.c",
     "attempt->record.generation % LOG_SLOTS * log->config.slot_size;", "0;", WRITE),
    ("log: the generation stands still", C + "intent_log.c",
     "return log->generation + (log->unsure ? LOG_SLOTS : 1);",
     "return log->generation + (log->unsure ? LOG_SLOTS : 2);", WRITE),
    ("log: asking does not wait", A + "write_rows.c", "\tif (covered && !rows.content)\n",
     "\tif (true)\n", WRITE),
    ("log: named means covered, content or not", A + "write_rows.c",
     "\tif (covered && !rows.content)\n", "\tif (covered || rows.content)\n", WRITE),
    ("log: rows of the record being written do not count", C + "intent_log.c",
     "(!log->frozen_stands || log_names_cover(&log->frozen_names, rows))", "true", WRITE),
    ("log: rows are left out of the record", C + "intent_log.c",
     "log->rows.at[attempt->record.rows_count++] = intent->rows;",
     "log->rows.at[attempt->record.rows_count++] = log->first->rows;", WRITE),
    ("log: clean before the seals are durable", A + "seal_checkpoint.c",
     "durable = cached->pages[need->column][need->page].durable >= need->version;",
     "durable = true;", WRITE),
    ("log: content is dropped before the cells are written", A + "write_finish.c",
     "\tint rc = write_finish_cells(array, writers, count, ios, err);\n\n\twrite_finish_note",
     "\tint rc = 0;\n\n\twrite_finish_note", WRITE),
    ("log: no content in a degraded group", A + "write_rows.c",
     "if (!writer->absent && !writer->content_wanted)", "if (!writer->content_wanted)", WRITE),
    # ---- writing in place
    ("write: no flush of the cells", A + "write_through.c",
     "if (flush_count > 0 && io_run(flushes, flush_count))", "if (false)", WRITE),
    ("write: a check cell is not written", A + "write_finish.c",
     "for (uint16_t i = 0; i < plan->cell_count; i++) {",
     "for (uint16_t i = 0; i + 1 < plan->cell_count; i++) {", WRITE),
    ("write: cells before the record", A + "write_rows.c",
     "\tif (!rc)\n\t\trc = declare(writer, &writer->intent, err);\n",
     "\tif (!rc)\n\t\trc = write_finish_cells(array, &writer, 1, writer->ios, err);\n"
     "\tif (!rc)\n\t\trc = declare(writer, &writer->intent, err);\n", WRITE),
    ("write: what was read is not verified", A + "write_rows.c",
     "stands = verifies(writer, reads->cells[i], reads->firsts[i] + b);", "stands = true;",
     FAULT + WRITE),
    ("write: what an absent member misses is not noted", A + "write_rows.c",
     "int rc = writer->absent ? array_mark_missed(array, writer->sealed->group->id, err) : 0;",
     "int rc = 0;", WRITE + ["crash_small mirror-2 write", "crash_small parity-2+1 write-fail"]),
    ("write: no row locks", A + "write_rows.c",
     "\t\trow_lock_take(locks, lock, writer->sealed->group->id, run->first, run->count);",
     "\t\trow_lock_take(locks, lock, writer->sealed->group->id + (uintptr_t)lock, run->first, "
     "run->count);", ["crash_small parity-2+1 writers", "crash_small mirror-2 writers"]),
    # ---- checkpoint
    ("checkpoint: pages without their images in the log", A + "seal_checkpoint.c",
     "\trc = name_images(work, err);\n", "\twork->batch->count = work->batch->count;\n", WRITE),
    ("checkpoint: pages are not written", A + "seal_checkpoint.c",
     "rc = array_write_through(work->array, work->ios, make_writes(work), err);",
     "rc = make_writes(work) ? 0 : 0;", WRITE),
    # ---- recovery
    ("recovery: rows are not looked at", A + "recover.c",
     "\tfor (size_t first = 0, end; !rc && first < work->names.count; first = end) {",
     "\tfor (size_t first = 0, end; !rc && first < 0; first = end) {", WRITE),
    ("recovery: no flush before the empty record", A + "recover.c",
     "\t\trc = recover_group(work, first, end, err);\n\t}\n\treturn rc ? rc : "
     "flush_written(work, err);",
     "\t\trc = recover_group(work, first, end, err);\n\t}\n\treturn rc;",
     ["nested parity-2+1 write", "nested mirror-2 write-much"]),
    ("recovery: any state fits", A + "recover_slice.c",
     "\t*fits_out = !rc && state_fits(work);", "\t*fits_out = !rc;", WRITE),
    ("recovery: content is ignored", A + "recover_slice.c",
     "named->content = content ? content + (size_t)index * BLOCK_SIZE : NULL;",
     "named->content = NULL;", WRITE),
    ("recovery: page images are not replayed", A + "recover.c",
     "work->page_valid[index] = image.page_good[page->page];", ";", WRITE),
    ("recovery: entries are taken whatever the seals know", A + "recover_slice.c",
     "is_later(work->old_entries[cell].generation, cells[i].generation))", "false)", WRITE),
    ("recovery: checks are not made anew", A + "recover_slice.c",
     "\tif (all)\n\t\tkernel_combine(", "\tif (false)\n\t\tkernel_combine(", WRITE),
]
