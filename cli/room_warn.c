/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/room_warn.h"

#include "cli/output.h"
#include "core/base/units.h"

bool room_is_short(const struct array *array)
{
	struct array_shortage shortage;

	return array_shortage(array, &shortage) && !shortage.too_few;
}

void room_warn(const struct invocation *inv, const struct array *array, bool before)
{
	struct array_shortage shortage;
	char text[UNITS_TEXT_SIZE];

	if (before || !array_shortage(array, &shortage) || shortage.too_few)
		return;
	units_text(text, shortage.bytes);
	out_warn(inv->out,
		 "if member %u is lost, not everything can be protected again: %s of room are "
		 "missing on the others",
		 shortage.member, text);
}
