#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that run on topologies/four-hmat.topo.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" four-hmat \
	attributes kernel_places
