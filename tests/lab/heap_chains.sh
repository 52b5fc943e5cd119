#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Heaps in chains, moved between two nodes that run full.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name heap_chains --time-limit 1200 two heap_chains
