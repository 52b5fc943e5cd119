#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that run on topologies/hbm-only.topo.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" hbm-only \
	attributes kernel_places
