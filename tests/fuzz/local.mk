# Tests of this kind.

include tests/fuzz/place.mk
