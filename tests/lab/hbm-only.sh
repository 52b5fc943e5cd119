#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# All memory of one kind: nothing can tell that it is HBM until SITUS_TIERS says so.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" hbm-only \
	attributes \
	kernel_places \
	areas \
	topo \
	'places node:3,strict=3 tier:fastest=0-3 tier:largest=0-3 tier:0,strict=0-3 tier:nearest@2=2 local@1=1 hbm=- cxl=-' \
	'SITUS_TIERS=hbm=0-3 places hbm=0-3 dram=- hbm,strict@3=0-3 tier:fastest=0-3'
