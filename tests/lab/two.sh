#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that run on topologies/two.topo.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" two \
	attributes kernel_places
