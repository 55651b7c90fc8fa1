/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/md_fault.h"

#include "core/base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void md_fault(struct md_faults *faults, const char *field, const char *format, ...)
{
	struct md_fault *fault;
	va_list values;

	if (faults->count++ >= MD_FAULTS_MAX)
		return;
	fault = &faults->at[faults->count - 1];
	fault->field = field;
	va_start(values, format);
	vsnprintf(fault->text, sizeof(fault->text), format, values);
	va_end(values);
}

bool md_fault_in(const struct md_faults *faults, const char *field)
{
	uint64_t count = size_min(faults->count, MD_FAULTS_MAX);

	for (uint64_t i = 0; i < count; i++) {
		if (strcmp(faults->at[i].field, field) == 0)
			return true;
	}
	return false;
}
