#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The example in doc/ that people copy: it builds, runs, and says what it should.
echo 1..1
said=$("${SITUS_BUILDDIR:-.}/doc/example-area" 2>&1)
case $? in
0)
	expected="locked memory, 12 KiB out
purge: the area or the kernel does not support this
locked memory, 0 KiB out"
	if [ "$said" = "$expected" ]; then
		echo "ok 1 - the example area works"
	else
		echo "not ok 1 - the example area works"
		echo "$said" | sed 's/^/# /'
	fi
	;;
*)
	if [ "$(ulimit -l)" != unlimited ] && [ "$(ulimit -l)" -lt 16 ]; then
		echo "ok 1 - the example area works # SKIP no memory may be locked here (ulimit -l)"
	else
		echo "not ok 1 - the example area works"
		echo "$said" | sed 's/^/# /'
	fi
	;;
esac
