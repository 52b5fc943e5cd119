#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Pages of 1 GiB, and files on hugetlbfs.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" giga gigapages hugefiles
