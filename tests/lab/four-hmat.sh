#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Four nodes and an HMAT: every place word, every policy, and a node that runs full.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --time-limit 1200 four-hmat \
	attributes \
	kernel_places \
	areas \
	topo \
	'places node:1=1 hbm=2 dram=0-1 cxl=3 tier:fastest=2 tier:nearest@1=1 local@0=0 local@1=1' \
	'places node:3,strict=3 hbm,bind=2 cxl,preferred=3 node:0,2,interleave=0,2 gpu=- node:4=-' \
	fill \
	chains \
	hugepools \
	narrow \
	'programs 0 1 2 3'
