#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Areas in hwloc's terms on four nodes and an HMAT.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name hwloc four-hmat hwloc_areas
