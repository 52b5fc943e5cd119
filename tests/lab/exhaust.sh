#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Strict heaps on a node that runs full: NULL and a sentence, no page elsewhere, nothing killed.
exec "${SITUS_SRCDIR:-.}/tests/lab/run" --name exhaust --time-limit 1200 four-plain \
	exhaust
