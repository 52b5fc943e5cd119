#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Heaps located, migrated and put in order between two nodes.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name heap_moves two heap_moves heap_chains
