#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Heaps located, migrated and put in order between two nodes, by their programs and by others.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name heap_moves two heap_moves heap_chains situs_migrate
