#!/bin/sh
# Public headers stand on their own and compile as C11 and as C++17, warnings being errors.
top=${SITUS_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

headers=$(cd "$top/include" && ls ./*.h | sed 's|^\./||')
set -- $headers
echo "1..$(($# * 2))"
n=0
try() { # what, suffix, compiler and flags
	n=$((n + 1))
	what=$1 file=$folder/header.$2
	shift 2
	printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$header" "$header" >"$file"
	if "$@" -pedantic -Wall -Wextra -Wshadow -Werror -I"$top/include" -fsyntax-only "$file" \
		>"$folder/log" 2>&1; then
		echo "ok $n - $header compiles as $what"
	else
		echo "not ok $n - $header compiles as $what"
		sed 's/^/# /' "$folder/log"
	fi
}
for header in $headers; do
	try C11 c "${CC:-cc}" -std=c11
	try C++17 cc "${CXX:-c++}" -std=c++17
done
