# Tests of this kind.
