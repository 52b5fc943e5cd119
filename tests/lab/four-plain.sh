#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Four nodes of which the machine tells distances only.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" four-plain \
	attributes \
	kernel_places \
	areas \
	topo \
	'places node:2=2 node:3,strict=3 tier:nearest@0=0 local@1=1 hbm=- gpu=-'
