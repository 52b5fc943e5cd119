#!/bin/sh
# The malloc family under the preload, each function by its own documentation.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
timeout 120 "$situs" run --area "$area" -- "$build/tests/conformance/family"
