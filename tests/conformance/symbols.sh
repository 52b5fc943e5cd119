#!/bin/sh
# The preload has every function of the C library's malloc and of the C++ runtime's operators that there is here.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
preload=$("$situs" run --dry-run -- true | sed "s/^LD_PRELOAD='\([^']*\)'.*/\1/")

# exports FILE: the functions that programs can link with.
exports() {
	nm -D --defined-only "$1" | sed -n 's/.* [TWi] //p' | sed 's/@.*//' | sort -u
}

# lacks NAME FILE PATTERN [EXCEPTIONS]: what of the library's names the preload has not is nothing.
lacks() {
	exports "$2" | grep -E "$3" | grep -vxE "${4:-none}" >"$scratch/theirs"
	grep -vxFf "$scratch/ours" "$scratch/theirs" >"$scratch/missing"
	[ "$(wc -l <"$scratch/theirs")" -ge 10 ] && [ ! -s "$scratch/missing" ]
	result=$?
	ok $result "$1"
	[ $result -eq 0 ] || show "$scratch/missing"
}

echo 1..3
if ! command -v nm >/dev/null; then
	for name in "the C library's malloc" "the C++ runtime's operators" "C23's functions"; do
		skip "$name" "nm is missing (Debian: binutils)"
	done
	exit
fi
exports "$preload" >"$scratch/ours"
library() { # soname: the file that this machine loads for it
	LC_ALL=C ldd "$build/tests/conformance/containers" | sed -n "s/.*$1 => \([^ ]*\) .*/\1/p"
}
# mallopt tunes the C library's blocks alone.
lacks "the C library's malloc family is there, whole" "$(library libc.so.6)" \
	'^((m|c|re|v|pv)alloc|c?free|free_(aligned_)?sized|reallocarray|mall.*|.*memalign|aligned_alloc)$' 'mallopt|__.*'
lacks "the C++ runtime's operators new and delete are there, all of them" "$(library libstdc++.so.6)" '^_Z(n[wa]|d[la])'
[ "$(grep -cxE 'free_sized|free_aligned_sized' "$scratch/ours")" = 2 ]
ok $? "C23's functions are there before the C library has them"
