/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/labels.h"

#include <stdio.h>
#include <string.h>

/* The member that the `size` characters of `text` name, or MEMBER_NONE. */
static uint32_t member_named(const char *const *paths, uint32_t count, const char *text,
			     size_t size)
{
	for (uint32_t i = 0; i < count; i++) {
		char number[16];

		snprintf(number, sizeof(number), "%u", i);
		if ((strlen(paths[i]) == size && memcmp(paths[i], text, size) == 0) ||
		    (strlen(number) == size && memcmp(number, text, size) == 0))
			return i;
	}
	return MEMBER_NONE;
}

static int word_check(const char *text, size_t size, const char *what, struct err *err)
{
	if (size == 0 || size >= LABEL_SIZE)
		return err_set(err, ERR_NAME, "%s has 1 to %u bytes, not %zu", what, LABEL_SIZE - 1,
			       size);
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return err_set(err, ERR_NAME, "%s with a control character", what);
	}
	return 0;
}

int label_across_check(const char *key, struct err *err)
{
	int rc = 0;

	if (strlen(key) >= LABEL_SIZE)
		return word_check(key, strlen(key), "--across: a key", err);
	if (across_keys(key) > ACROSS_KEYS_MAX)
		return err_set(err, ERR_LIMIT, "--across takes up to %u keys", ACROSS_KEYS_MAX);
	for (const char *at = key; !rc && at;) {
		size_t size = strcspn(at, ",");

		rc = word_check(at, size, "--across: a key", err);
		at = at[size] ? at + size + 1 : NULL;
	}
	return rc;
}

static int word_copy(char out[static LABEL_SIZE], const char *text, size_t size, const char *what,
		     struct err *err)
{
	int rc = word_check(text, size, what, err);

	if (rc)
		return rc;
	memcpy(out, text, size);
	out[size] = '\0';
	return 0;
}

/* "KEY=VALUE", `size` characters, to one member. */
static int pair_add(struct label_table *table, uint32_t member, const char *text, size_t size,
		    struct err *err)
{
	const char *equals = memchr(text, '=', size);
	struct label label = { 0 };
	uint32_t at = 0;
	int rc;

	if (!equals)
		return err_set(err, ERR_USAGE, "--label: '%.*s' is not KEY=VALUE", (int)size, text);
	rc = word_copy(label.key, text, (size_t)(equals - text), "--label: a key", err);
	if (rc == 0)
		rc = word_copy(label.value, equals + 1, (size_t)(text + size - equals - 1),
			       "--label: a value", err);
	if (rc)
		return rc;

	while (at < table->counts[member] && strcmp(table->labels[member][at].key, label.key) != 0)
		at++;
	if (at == LABELS_MAX)
		return err_set(err, ERR_LIMIT, "--label: more than %u labels of one member",
			       LABELS_MAX);
	if (at == table->counts[member])
		table->counts[member]++;
	table->labels[member][at] = label;
	return 0;
}

static void label_take_away(struct label_set *labels, const char *key)
{
	for (uint32_t i = 0; i < labels->count; i++) {
		if (strcmp(labels->at[i].key, key) != 0)
			continue;
		labels->count--;
		memmove(&labels->at[i], &labels->at[i + 1],
			(labels->count - i) * sizeof(labels->at[0]));
		return;
	}
}

int label_set_change(struct label_set *labels, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	struct label label = { 0 };
	int rc;

	if (!equals)
		return err_set(err, ERR_USAGE, "'%s' is not KEY=VALUE", text);
	rc = word_copy(label.key, text, (size_t)(equals - text), "a key", err);
	if (!rc && equals[1])
		rc = word_copy(label.value, equals + 1, strlen(equals + 1), "a value", err);
	if (rc)
		return rc;
	if (!equals[1]) {
		label_take_away(labels, label.key);
		return 0;
	}
	uint32_t at = 0;
	while (at < labels->count && strcmp(labels->at[at].key, label.key) != 0)
		at++;
	if (at == LABELS_MAX)
		return err_set(err, ERR_LIMIT, "a member has at most %u labels", LABELS_MAX);
	labels->count += at == labels->count;
	labels->at[at] = label;
	return 0;
}

int label_table_add(struct label_table *table, const char *const *paths, uint32_t path_count,
		    const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	const char *colon = NULL;
	uint32_t member;
	int rc = 0;

	/* A path may hold a colon, a key may not. */
	for (const char *at = text; equals && at < equals; at++) {
		if (*at == ':')
			colon = at;
	}
	if (!colon)
		return err_set(err, ERR_USAGE, "--label '%s' is not MEMBER:KEY=VALUE,…", text);
	member = member_named(paths, path_count, text, (size_t)(colon - text));
	if (member == MEMBER_NONE)
		return err_set(err, ERR_NOT_FOUND, "--label: '%.*s' is none of the members",
			       (int)(colon - text), text);

	for (const char *at = colon + 1; rc == 0 && at;) {
		size_t size = strcspn(at, ",");

		rc = pair_add(table, member, at, size, err);
		at = at[size] ? at + size + 1 : NULL;
	}
	return rc;
}

const struct label *const *label_table_rows(struct label_table *table)
{
	for (uint32_t i = 0; i < MEMBERS_MAX; i++)
		table->rows[i] = table->labels[i];
	return table->rows;
}
