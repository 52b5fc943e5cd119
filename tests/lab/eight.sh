#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Four nodes of DRAM and four of HBM: places that are more than one node.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" eight \
	attributes \
	kernel_places \
	areas \
	topo \
	'places dram=0-3 hbm=4-7 node:5,strict=5 node:4-7,strict=4-7 tier:fastest=4-7 tier:largest=0-3 tier:1,strict=0-3 cxl=-' \
	'places tier:nearest@2=2 local@3=3 node:4-7,weighted,nothp=4-7 anon,node:6=6'
