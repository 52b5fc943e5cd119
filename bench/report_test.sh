#!/bin/sh
# What bench/report and bench/compare conclude; see test_suite.py.
if ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP no python3 here"
	exit 0
fi
exec python3 "${SITUS_SRCDIR:?run by make check}/bench/test_suite.py"
