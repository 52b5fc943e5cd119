#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Two plain nodes: what needs no more than that, and places of which the machine knows nothing.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" two \
	attributes \
	kernel_places \
	areas \
	topo \
	strict_threads \
	'places node:0=0 node:1,strict=1 local@0=0 local@1=1 tier:nearest@0=0 tier:nearest@1=1 anon,node:1=1' \
	'places node:0-1,weighted,nothp=0-1 node:0-1,interleave=0-1 hbm=- cxl=- gpu=- node:2=-'
