# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants: (name, file, what is there, what is put there, sweeps that should find it). Lists are
several edits of the file.

A sweep is "program [shape [script]] [scale=N] [journal=N] [degraded=N] [seed=N]"; they run in order
until one finds a violation.

Not here, because nothing can tell them apart:
- the flush of put, of rebuild, of a delta and of moves before their commit: the commit's own first flush
  covers the same members;
- the order of epochs in choose.c: any witness that went on without him refutes who is older;
- that a member one commit behind in the present epoch is not current, and the order in which it is
  caught up: it has that commit's map record already, and who missed more counts as lost till then;
- what a member that fails in a write misses: noted by the write, by the checkpoint that would make
  the row clean, and by recovery, each for the case that it comes first;

Still a hole:
- an entry of the record that its seals have overtaken (is_overtaken() in recover_slice.c): neither the sweeps of writes
  without space that found it once nor the corpus tell any more that it is left out. Another rule mends the same now, or no
  script comes to where it matters.
"""

COMMIT = ["crash_small mirror-2 rename", "crash_small parity-2+1 append",
          "crash_small mirror-3 rename"]
PUT = ["crash_small mirror-2 put", "crash_small parity-2+1 append", "crash_small sequential-3 put"]
REBUILD = ["crash_small parity-2+1 rebuild-to", "crash_small mirror-2 replace",
           "crash_small sequential-3 rebuild-free"]
WRITE = ["crash_small parity-2+1 write", "crash_small parity-2+1 write-rows",
         "crash_small mirror-2 write-much", "crash_small parity-2+1 writers",
         "crash_small sequential-3 write"]
RETURN = ["crash_small mirror-2 return degraded=1", "crash_small mirror-3 return degraded=1"]
DELTA = ["crash_small mirror-2 return-write degraded=1",
         "crash_small parity-2+1 return-write degraded=1",
         "crash_small mirror-3 write-gone"]

JOBS = [f"crash_small parity-2+1 {script}"
        for script in ("narrow", "expand-steal", "recombine", "evacuate", "rebalance")]

MIGRATE = [f"crash_small {shape} {script}" for script in ("migrate", "migrate-width", "write-migrate")
           for shape in ("parity-2+1", "mirror-2", "sequential-3")]
MOVES = ("topology", "topology-fail", "to-spare", "spare-rebuild", "remove-evacuate")

A, C, J, M = "core/array/", "core/store/", "core/job/", "core/map/"

MUTANTS = [
    # ---- commit
    ("commit: no flush between map and superblocks", C + "commit.c",
     "return rc ? rc : flush_all(members, count, err);", "return rc;", COMMIT),
    ("commit: no flush after the superblocks", C + "commit.c",
     "\tif (!rc)\n\t\trc = flush_all(members, count, err);\n\tmem_pages_free(blocks);",
     "\tmem_pages_free(blocks);", COMMIT),
    ("commit: a generation of a try that failed is used again", C + "commit.c",
     "uint64_t next = state->generation_seen + 1;", "uint64_t next = map->generation + 1;",
     ["faults mirror-2 rename scale=4", "faults mirror-3 offline scale=4"]),
    ("commit: the checksum of a map record is not looked at", C + "map_record.c",
     "if (header->crc != record_crc(bytes, header->size))", "if (false)",
     ["faults mirror-2 volume-create every=1", "faults parity-2+1 rename every=1"]),
    ("commit: an error of a write to the map is overlooked", C + "commit.c",
     'int rc = run_on_all(ios, members, count, "write to the map", err);',
     "int rc = io_run(ios, count) & 0;",
     ["faults mirror-2 rename every=1", "faults mirror-3 volume-create every=1"]),
    ("commit: superblocks before the map", C + "commit.c",
     "\trc = write_records(&attempt, map, members, member_count, err);\n",
     "\trc = write_supers(&attempt, crc_before, map, members, member_count, now_s, err);\n"
     "\tif (!rc)\n\t\trc = write_records(&attempt, map, members, member_count, err);\n", COMMIT),
    ("commit: only the first member is written", C + "commit.c",
     "\t\t\t\t  member_count - joining, now_s, err);", "\t\t\t\t  1, now_s, err);", COMMIT),
    ("commit: who joins is not written first", C + "commit.c",
     "uint32_t joining = count_joining(members, member_count);", "uint32_t joining = 0;",
     ["crash_small mirror-2 add", "crash_small parity-2+1 rebuild-to"]),
    ("commit: flush of the first member only", C + "commit.c",
     'return run_on_all(ios, members, count, "flush", err);',
     'return run_on_all(ios, members, 1, "flush", err);', COMMIT),
    ("commit: a delta where a member misses the last", C + "commit.c",
     "bool may_be_delta = state->length > 0 && all_current(members, member_count);",
     "bool may_be_delta = state->length > 0;",
     ["crash_small mirror-2 rebuild-to", "crash_small mirror-2 replace"]),
    ("commit: a full record over the half in use", C + "commit.c",
     "attempt->half = state->length ? 1 - state->half : 0;", "attempt->half = state->half;",
     ["crash_small mirror-3 offline", "crash_small mirror-2 add", "faults mirror-3 rename"]),
    ("commit: delta over the last record", C + "commit.c",
     "attempt->offset = state->length;\n", "attempt->offset = 0;\n", COMMIT),
    ("commit: who is caught up gets no map", C + "commit.c",
     "\t\t      to->regions.map_offset + super.map_half * super.geometry.map_half_size, bytes,\n"
     "\t\t      super.map_length);",
     "\t\t      to->regions.map_offset + (1 - super.map_half) * super.geometry.map_half_size,\n"
     "\t\t      bytes, super.map_length);", RETURN),
    # ---- choosing
    ("choose: only an epoch refutes", C + "choose.c",
     "(witness->epoch >= super->epoch || witness->generation >= super->generation);",
     "witness->epoch >= super->epoch;",
     ["nested mirror-2 writers degraded=1 scale=20", "nested mirror-2 rename degraded=1 scale=20"]),
    ("choose: nothing is refuted", C + "choose.c",
     "return member_set_has(super->present, witness->member_slot) &&", "return false &&",
     ["nested mirror-3 fail scale=20 degraded=1", "nested mirror-3 add", "nested sequential-3 rebuild-to"]),
    ("choose: who was away is current", C + "choose.c",
     "return super->generation < map->epochs[i + 1].first_generation ? CHOOSE_STALE",
     "return super->generation < map->epochs[i + 1].first_generation ? CHOOSE_CURRENT", RETURN),
    # ---- members
    ("member out of service stays current", A + "array.c",
     "place->current = false; /* it misses these records */", ";",
     ["crash_small mirror-2 offline-restore", "crash_small mirror-3 offline-restore"]),
    ("nobody is caught up", A + "array.c", "\tcatch_up(array);\n", "",
     ["nested mirror-2 add scale=20", "nested mirror-3 offline scale=20"]),
    ("a commit after an error counts", A + "array.c",
     "\t\tif (rc == 0) {\n\t\t\tfree_frames(array);", "\t\tif (rc != 1) {\n\t\t\tfree_frames(array);",
     ["faults mirror-2 rename", "faults parity-3+1 put", "faults mirror-3 rename"]),
    ("no epoch for another set of members", A + "array.c",
     "if (now->present.bits == present.bits)", "if (now->present.bits == present.bits || true)",
     ["nested mirror-2 rename scale=20"]),
    ("freed frames before the commit", A + "array.c", "\tcatch_up(array);\n",
     "\tcatch_up(array);\n\tfree_frames(array);\n",
     ["crash_small mirror-2 remove", "crash_small parity-2+1 remove",
      "crash_small parity-2+1 rebuild-to"]),
    ("a member that fails in a write stays in service", A + "write_through.c",
     "\t\t\t\t ? array_member_failed(array, slot, outcome->codes[slot], err)", "\t\t\t\t ? 0", DELTA[2:] +
     ["crash_small parity-2+1 write-gone"]),
    ("members: one that hangs is asked again", "core/dev/dev.c",
     "int rc = dev_has_hung(io->dev) ? ERR_IO : io->dev", "int rc = io->dev",
     ["faults parity-2+1 write every=1"]),
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
     "return true;", ["faults parity-3+1 put scale=10", "faults mirror-2 put scale=10",
                      "crash_small parity-2+1 write journal=1"]),
    # ---- rebuild
    ("rebuild: what is not done is flipped", J + "rebuild.c",
     "if (rc || !move->done || move->skipped) {", "if (rc || move->skipped) {",
     ["memory mirror-2 replace scale=10"]),
    ("rebuild: another column's place", J + "rebuild.c", "\t\t*extent = move->place;",
     "\t\textent->frame = move->place.frame;", REBUILD),
    ("rebuild: the seal is not written", J + "rewrite.c",
     "\t\trc = run_writes(work, &io, 1, err);", "\t\trc = 0;", REBUILD),
    ("rebuild: what is solved is not judged", J + "rewrite.c",
     "\t\trows_judge(rows);\n\t\trc = rows_solve(rows, &lost);", "\t\tlost = 0;", REBUILD),
    ("rebuild: the last window is left out", J + "rewrite.c",
     "\treturn write_window(work, err);", "\treturn 0;", REBUILD),
    ("delta: what differs is not written", J + "rewrite.c",
     "\treturn io_write(whole->dev, whole->role, whole->offset + at, bytes + at, end - at);",
     "\treturn 0;", DELTA),
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
    ("log: rows of the record being written do not count", C + "intent_log.c",
     "(!log->frozen_stands || log_names_cover(&log->frozen_names, rows))", "true",
     [f"crash_small parity-2+1 write-settle journal=0 seed={seed}" for seed in range(20)]),
    ("log: rows are left out of the record", C + "intent_log.c",
     "log->rows.at[attempt->record.rows_count++] = intent->rows;",
     "log->rows.at[attempt->record.rows_count++] = log->first->rows;", WRITE),
    ("log: the next record lies where the newest one lies", C + "intent_log_read.c",
     "\tif (found->bytes && next_in_its_slot == other_slot)\n\t\tseen++;\n",
     "\t(void)next_in_its_slot;\n", ["nested mirror-2 write scale=10",
                                     "nested parity-2+1 write scale=10"]),
    ("log: clean before the seals are durable", A + "seal_checkpoint.c",
     "durable = cached->pages[need->column][need->page].durable >= need->version;",
     "durable = true;",
     ["crash_small mirror-2 write-settle", "crash_small parity-2+1 write-settle",
      *(f"crash_small mirror-2 write-settle seed={seed}" for seed in range(10, 20)),
      "crash_small parity-2+1 write-settle journal=1"]),
    ("log: asking does not wait", A + "write_rows.c", "\tif (covered && !rows.content)\n",
     "\tif (true)\n", WRITE),
    ("log: named means covered, content or not", A + "write_rows.c",
     "\tif (covered && !rows.content)\n", "\tif (covered || rows.content)\n", WRITE),
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
     "\treturn rc ? rc : declare(writer, &writer->intent, err);\n",
     "\tif (!rc)\n\t\trc = write_finish_cells(writer->array, &writer, 1, writer->ios, err);\n"
     "\treturn rc ? rc : declare(writer, &writer->intent, err);\n", WRITE),
    ("write: what was read is not verified", A + "write_rows.c",
     "stands = verifies(writer, reads->cells[i], reads->firsts[i] + b);", "stands = true;",
     ["faults mirror-2 write scale=20 degraded=0", "faults parity-3+1 write scale=20 degraded=0"]),
    ("write: what an absent member misses is not noted", A + "write_rows.c",
     "\tif (writer->absent)\n\t\trc = array_mark_missed(", "\tif (false)\n\t\trc = array_mark_missed(", DELTA),
    ("write: no row locks", A + "write_rows.c",
     "\tint rc = row_lock_take(locks, lock, group, run->first, run->count);",
     "\tint rc = row_lock_take(locks, lock, group + (uintptr_t)lock, run->first, run->count);",
     ["crash_small parity-2+1 writers", "crash_small mirror-2 writers"]),
    ("write: generations stand still", A + "write_run.c",
     "\treturn (uint64_t)newest + 1;", "\treturn (uint64_t)newest;",
     ["faults mirror-2 write scale=20 degraded=0", "lying mirror-2 write scale=4",
      "faults parity-3+1 write scale=20 degraded=0"]),
    ("write: the rest of a block is not kept", A + "write_run.c",
     "\tmemcpy(fresh, old, partial->begin);", "\t(void)old;", WRITE),
    ("write: witnesses are not renewed", A + "seal_cache.c",
     "\t\t\t\tseal_witnesses(seal, block)[i] = generation_of(change, values, n);", "\t\t\t\t(void)values;",
     WRITE),
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
     ["nested parity-2+1 write journal=2 scale=20", "nested mirror-2 write-much journal=2 scale=20"]),
    ("recovery: the record is not written again", A + "recover.c",
     "\t\trc = intent_log_flush(array->log, false, err);\n\tif (!rc && array->access == ARRAY_WRITE)\n"
     "\t\trc = array_mark", "\t\trc = 0;\n\tif (!rc && array->access == ARRAY_WRITE)\n"
     "\t\trc = array_mark", ["nested mirror-2 write scale=20", "nested parity-2+1 write scale=20"]),
    ("recovery: any state fits", A + "recover_slice.c",
     "\t*fits_out = !rc && state_fits(work);", "\t*fits_out = !rc;",
     ["crash_small parity-2+1 write journal=1", "crash_small parity-2+1 write-rows journal=1"]),
    ("recovery: content is ignored", A + "recover_slice.c",
     "named->content = content ? content + (size_t)index * BLOCK_SIZE : NULL;",
     "named->content = NULL;", WRITE),
    ("recovery: page images are not replayed", A + "recover.c",
     "work->page_valid[index] = image.page_good[page->page];", ";",
     ["crash_small parity-1+1-of-3 write-far journal=1"]),
    ("recovery: checks are not made anew", A + "recover_keep.c",
     "\tif (all)\n\t\tkernel_combine(work->image + (size_t)named", "\tif (false)\n\t\tkernel_combine(work->image + (size_t)named",
     ["crash_small parity-2+1 write-rows journal=1 scale=20",
      "crash_small parity-2+1 write-much journal=1 scale=20"]),
    # ---- jobs that change where data lie (docs/GROW.md)
    ("job: the commit of a move is two (J1)", J + "relayout.c",
     "\trc = reshape_apply(map, reshape, free_extent, work->array);\n",
     "\tif (reshape->fresh_count > 1) {\n"
     "\t\tconst struct group *from = reshape->fresh[0];\n"
     "\t\tuint32_t columns = from->shape.columns;\n"
     "\t\tstruct group *half = map_group_create(columns);\n\n"
     "\t\tmemcpy(half, from, sizeof(*from) + columns * sizeof(from->extents[0]));\n"
     "\t\trc = map_put_group(map, half);\n"
     "\t\tif (!rc)\n\t\t\trc = array_commit(work->array, err);\n\t}\n"
     "\tif (!rc)\n\t\trc = reshape_apply(map, reshape, free_extent, work->array);\n", JOBS),
    ("job: an old extent is used again before the commit (J3)", J + "relayout.c",
     ["\treturn array_free_later(arg, extent);\n",
      "\tif (!rc)\n\t\trc = array_commit(array, err);\n\thold_together(array);\n"],
     ["\tconst struct array *array = arg;\n\n"
      "\tspace_give(array->space, extent->slot, extent->size_class, extent->frame);\n"
      "\treturn 0;\n",
      "\tif (!rc && work->job.cursor++ % 2 == 1)\n\t\trc = array_commit(array, err);\n"
      "\thold_together(array);\n"],
     ["crash_small parity-2+1-wide expand-steal", *JOBS]),
    ("job: a check is written over the old one (J4)", M + "goal_recombine.c",
     "\t\t*full_out = true;\n\t\tmem_free(fresh);\n\t\treturn NULL;\n\t}\n",
     "\t\t*full_out = true;\n\t\tmem_free(fresh);\n\t\treturn NULL;\n\t}\n"
     "\tfor (uint32_t j = 0; j < taker->shape.checks; j++) {\n"
     "\t\tfresh->extents[data + 1 + j].slot = taker->extents[data + j].slot;\n"
     "\t\tfresh->extents[data + 1 + j].frame = taker->extents[data + j].frame;\n\t}\n", JOBS),
    ("job: a new check is not summed up", J + "reshape_write.c",
     "\t\tif (term->coefficients[j])\n", "\t\tif (term->coefficients[j] && i > 0)\n", JOBS),
    ("job: what is resumed forgets what was done", J + "job_map.c",
     "*meter = (struct job_meter){ job->done, job->total, planned, 0 };",
     "*meter = (struct job_meter){ 0, job->total, planned, 0 };", JOBS),
    ("job: progress of a migration is committed before its groups (J1)", J + "migrate.c",
     "\thold_alone(array);\n\tint rc = runs ?",
     "\tif (job_map_put(array, &work->job, err))\n\t\treturn err->code;\n"
     "\thold_alone(array);\n\tint rc = runs ?", MIGRATE),
    ("job: old groups are used again before the migration's commit (J3)", J + "migrate.c",
     ["\treturn array_free_later(arg, extent);\n",
      ": array_commit(array, err);\n\thold_together(array);\n\treturn rc;\n}\n\n/* Groups are"],
     ["\tconst struct array *array = arg;\n\n"
      "\tspace_give(array->space, extent->slot, extent->size_class, extent->frame);\n"
      "\treturn 0;\n",
      ": work->report.groups_before++ % 2 == 0 ? 0 : array_commit(array, err);\n"
      "\thold_together(array);\n\treturn rc;\n}\n\n/* Groups are"], MIGRATE),
    ("job: a migration writes over the old group (J4)", M + "recode.c",
     "\t*length_out = size_min(run->length - done, size.data_blocks * BLOCK_SIZE);\n",
     "\tuint32_t at;\n"
     "\tconst struct group *old = map_extent(\n"
     "\t\tbatch->places->map, search->volume->spans[run->first].extents[0], &at);\n"
     "\tfor (uint32_t c = 0; c < made.group->shape.columns; c++) {\n"
     "\t\tif (made.group->extents[c].slot == old->extents[at].slot)\n"
     "\t\t\tmade.group->extents[c].frame = old->extents[at].frame;\n\t}\n"
     "\t*length_out = size_min(run->length - done, size.data_blocks * BLOCK_SIZE);\n", MIGRATE),
    ("job: a migration believes blocks that agree with their own seals", J + "recode_write.c",
     "if (lost[i] || span_judge_allows(", "if (true || span_judge_allows(",
     ["faults mirror-2 migrate-writing every=1", "faults parity-4+2 migrate-writing every=1"]),
    ("failover: groups and spans are two commits (J1)", J + "failover.c",
     "\trc = swap(work, named, group, column);\n",
     "\tuint64_t first = *named;\n\tstruct err err = { 0 };\n\n"
     "\trc = swap(work, named, group, column);\n\tuint64_t fresh = *named;\n\t*named = first;\n"
     "\tif (!rc)\n\t\trc = array_commit(work->array, &err);\n\t*named = fresh;\n",
     ["crash_small mirror-2 failover", "crash_small mirror-3 failover-return"]),
    *((f"job: what moves goes in one commit, comes in the next (J1): {script}", J + "relayout.c",
       "\thold_alone(array);\n\tfor (size_t i = 0; i < work->batch.list.count; i++) {\n",
       "\thold_alone(array);\n\tfor (size_t i = 0; i < work->batch.list.count; i++) {\n"
       "\t\tconst struct reshape *moved = &work->batch.list.at[i];\n"
       "\t\tconst struct group *old = map_group(array->map, moved->old[0]);\n"
       "\t\tuint32_t columns = old->shape.columns;\n"
       "\t\tstruct group *half = map_group_create(columns);\n\n"
       "\t\tmemcpy(half, old, sizeof(*old) + columns * sizeof(old->extents[0]));\n"
       "\t\tfor (uint32_t c = 0; c < columns; c++)\n"
       "\t\t\thalf->extents[c].stale |= half->extents[c].slot !=\n"
       "\t\t\t\t\t\t  moved->fresh[0]->extents[c].slot;\n"
       "\t\tif (map_put_group(array->map, half) || array_commit(array, err))\n"
       "\t\t\treturn err->code;\n\t}\n"
       "\tfor (size_t i = 0; i < work->batch.list.count; i++) {\n",
       [f"crash_small mirror-2 {script}", f"crash_small parity-2+1 {script}",
        f"crash_small mirror-2-wide {script}"]) for script in MOVES),
    *((f"job: freed frames before the commit (J3): {script}", A + "array.c", "\tcatch_up(array);\n",
       "\tcatch_up(array);\n\tfree_frames(array);\n",
       [f"crash_small {shape} {script} scale=20 seed={seed}" for seed in (3, 4, 5, 6)
        for shape in ("mirror-2", "parity-2+1", "mirror-2-wide", "sequential-3")])
      for script in (*MOVES[:1], *MOVES[2:], "migrate")), # with a failed member nothing is scrubbed
]
