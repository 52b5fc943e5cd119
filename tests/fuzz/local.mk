# Tests of this kind.

include tests/fuzz/place.mk
include tests/fuzz/amm.mk
