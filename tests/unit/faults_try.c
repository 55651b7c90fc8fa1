/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/faults_try.h"

#include "cli/fault_file.h"
#include "cli/fault_spec.h"
#include "core/env/env.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool file_try(char *chars)
{
	struct fault_list list = { 0 };
	struct err err = { 0 };
	int rc = fault_list_parse(&list, chars, "member", &err);

	must(rc == 0 || (err.code == rc && strstr(err.text, "member.faults")));
	must(list.count <= FAULT_FILE_MAX);
	for (size_t i = 0; i < list.count; i++)
		must(list.at[i].size > 0 && list.at[i].size <= UINT64_MAX - list.at[i].offset);
	fault_list_reset(&list);
	return rc == 0;
}

static bool spec_try(const char *chars)
{
	const struct text_list specs = { &chars, 1 };
	struct fault_set *set = NULL;
	struct err err = { 0 };
	int rc = fault_set_create(&set, &specs, env_threads(), &err);

	must(rc == 0 || (err.code == rc && err.text[0]));
	must((rc == 0) == (set != NULL));
	fault_set_free(set);
	return rc == 0;
}

bool faults_try_kind(uint32_t kind, const uint8_t *data, size_t size)
{
	char *chars = malloc(size + 1);
	bool any;

	must(chars != NULL);
	if (size)
		memcpy(chars, data, size);
	chars[size] = '\0';
	any = kind == 0 ? file_try(chars) : spec_try(chars);
	free(chars);
	return any;
}

bool faults_try(const uint8_t *data, size_t size)
{
	return size > 0 && faults_try_kind(data[0] % FAULTS_TRY_KINDS, data + 1, size - 1);
}
