/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What Linux MD records mean, as sentences for people: what a member lacks, what is under way, and how
 * members of one array stand to each other. Nothing in them that is not in the facts.
 */
#ifndef PG_FORMATS_MD_EXPLAIN_H
#define PG_FORMATS_MD_EXPLAIN_H

#include "formats/md_probe.h"
#include "formats/md_set.h"

#define MD_SENTENCES_MAX 48u /* further ones are left out, and the last says so */
#define MD_SENTENCE_SIZE 480u

struct md_sentences {
	uint32_t count;
	char at[MD_SENTENCES_MAX][MD_SENTENCE_SIZE];
};

/* The superblock `which` of `probe`: faults first. */
void md_explain_found(struct md_sentences *sentences, const struct md_probe *probe, uint32_t which);

/* One array; `paths` by the device numbers of its members. */
void md_explain_set(struct md_sentences *sentences, const struct md_set *set,
		    const char *const *paths);

#endif
