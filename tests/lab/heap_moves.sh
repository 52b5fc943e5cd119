#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Heaps located and migrated between two nodes, those of sleeping programs from outside.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name heap_moves two heap_moves situs_sleeper
