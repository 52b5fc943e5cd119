#!/bin/sh
# AddressSanitizer and memcheck see the blocks of heaps as they see malloc's. The build says which of the
# two it was made for: SITUS_ERRING, see tests/unit/heap.mk.
LC_ALL=C
export LC_ALL
erring=${SITUS_BUILDDIR:?run by make check}/tests/unit/erring
out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT
trap 'exit 99' INT TERM HUP

n=0
# expect NAME WORDS MISTAKE SIZE...: runs it for each size and looks for the words; "" is for silence.
expect() {
	name=$1
	words=$2
	mistake=$3
	shift 3
	n=$((n + 1))
	bad=
	for size in "$@"; do
		$run "$erring" "$mistake" "$size" >"$out" 2>&1
		status=$?
		if [ -z "$words" ]; then
			[ $status -eq 0 ] && ! grep -q "$any" "$out" || bad="$bad $size"
		else
			[ $status -ne 0 ] && grep -q "$words" "$out" || bad="$bad $size"
		fi
		[ -z "$bad" ] || break
	done
	if [ -z "$bad" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name: size$bad"
		sed 's/^/# /' "$out" | head -n 30
	fi
}

case ${SITUS_ERRING:-} in
asan)
	run="env ASAN_OPTIONS=detect_leaks=${SITUS_TEST_LEAKS:-1}"
	any='Sanitizer'
	after='use-after-poison'
	behind='use-after-poison'
	echo 1..7
	;;
memcheck)
	if ! command -v valgrind >/dev/null; then
		echo "1..0 # SKIP valgrind is not installed"
		exit 0
	fi
	run='valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9'
	any='^=='
	after="inside a block of size [0-9,]* free'd"
	behind="bytes after a block of size [0-9,]* client-defined"
	echo 1..9
	;;
*)
	echo "1..0 # SKIP this build tells nobody of its blocks"
	exit 0
	;;
esac

expect "a correct program is not complained about" "" use-well 1 100 5000 100000
expect "reading a freed block is reported" "$after" read-freed 1 64 5000 40000
expect "writing past the size asked for is reported" "$behind" write-behind 1 13 64 40000
expect "reading before a block is reported" "$any" read-before 64 40000
expect "reading past a resized block is reported" "$behind" behind-resized 50 30000
expect "zeroed blocks may be read" "" use-zeroed 100 100000
expect "what only a block of a heap knows is no leak" "" keep-in-heap 100
if [ "$SITUS_ERRING" = memcheck ]; then
	expect "a block that nobody knows any more is a leak" "definitely lost" lose 100
	expect "what a fresh block held before is undefined" "uninitialised" use-undefined 100
fi
