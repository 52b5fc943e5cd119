#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Heaps located and migrated between two nodes, chains put in order, and other programs' heaps moved from outside.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name heap_moves two heap_moves heap_chains situs_sleeper situs_migrate
