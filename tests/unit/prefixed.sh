#!/bin/sh
# Runs test_prefixed where configure found what it is made of.
test=${SITUS_BUILDDIR:?run by make check}/tests/unit/test_prefixed
if [ -x "$test" ]; then
	exec "$test"
fi
echo "1..0 # SKIP a prefixed jemalloc needs objcopy and libjemalloc_pic.a"
