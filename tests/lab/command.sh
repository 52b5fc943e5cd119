#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The command on four nodes: programs that know nothing of nodes, put on each of them.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name command --time-limit 400 four-hmat \
	situs_command
