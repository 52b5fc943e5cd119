#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Heaps located and migrated between two nodes, those of sleeping programs from outside.
#
# heap_chains and situs_migrate are run by hand, tests/lab/run two heap_chains situs_migrate: they fill nodes to
# the last megabytes, where pages that were just freed lie on other processors' lists and are not had at once.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name heap_moves two heap_moves situs_sleeper
