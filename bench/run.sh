#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make bench`: measure pgctl against what this machine does with the same bytes. See run.py.
exec python3 -B "$(dirname "$0")/run.py" "$@"
