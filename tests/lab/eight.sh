#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that run on topologies/eight.topo.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" eight \
	attributes kernel_places
