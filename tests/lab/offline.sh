#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Memory that is taken away while heaps use it.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" offline \
	attributes \
	kernel_places \
	areas \
	narrow \
	'narrow 2 offline'
