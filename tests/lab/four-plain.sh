#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that run on topologies/four-plain.topo.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" four-plain \
	attributes kernel_places
