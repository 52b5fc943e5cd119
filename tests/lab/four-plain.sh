#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Four nodes of which the machine tells distances only. Strict heaps are filled until nothing is left here: NULL
# and a sentence, no page elsewhere, nothing killed.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" four-plain \
	attributes \
	kernel_places \
	areas \
	topo \
	'places node:2=2 node:3,strict=3 tier:nearest@0=0 tier:nearest@1=1 local@1=1 anon,node:2,strict=2 hbm=- cxl=- gpu=-' \
	'SITUS_TIERS="hbm=2;dram=0-1;cxl=3" places hbm=2 dram,strict=0-1 cxl=3 tier:fastest=2 tier:2=3 gpu=-' \
	exhaust
