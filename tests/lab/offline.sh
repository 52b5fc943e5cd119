#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that run on topologies/offline.topo.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" offline \
	attributes kernel_places
