/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two names of one thing. */
#ifndef PG_CLI_SAME_FILE_H
#define PG_CLI_SAME_FILE_H

#include <stdbool.h>

/* Do both names lead to one file or one device? Equal names do, wherever they lead. */
bool same_file(const char *one, const char *other);

#endif
