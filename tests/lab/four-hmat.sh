#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Four nodes and an HMAT: every place word, every policy, a node that runs full, and the command.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" four-hmat \
	attributes \
	kernel_places \
	areas \
	hwloc_areas \
	topo \
	'places node:1=1 hbm=2 dram=0-1 cxl=3 tier:fastest=2 tier:largest=0-1 tier:0=2 tier:1=0-1 tier:2,strict=3 tier:3=-' \
	'places tier:nearest@1=1 local@0=0 local@1=1 node:0-3,weighted,nothp=0-3 node:0,2,interleave=0,2 anon,node:3=3' \
	'places node:3,strict=3 hbm,bind=2 hbm,strict=2 dram,strict=0-1 cxl,preferred=3 gpu=- node:4=-' \
	fill \
	chains \
	hugepools \
	narrow \
	'programs 0 1 2 3' \
	situs_command
