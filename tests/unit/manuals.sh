#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The manual pages of section 3 say what the headers say: every exported name stands in a SYNOPSIS, and every
# line of one compiles beside the header it includes, so types, order and constness are the same. Section 1
# has every option of every command and every variable.
LC_ALL=C
export LC_ALL
top=${SITUS_SRCDIR:?run by make check}
build=${SITUS_BUILDDIR:?run by make check}
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
n=0

result() { # status, name, file with what is wrong
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$3"
	fi
}

synopsis() { # page
	sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$1" | sed '/^\./d; s/\\-/-/g'
}

cd "$top/doc/man" || exit 99
echo 1..8
for page in situs aml amm; do
	synopsis $page.3 >"$scratch/$page.c"
	${CC:-cc} -std=gnu11 -Wall -Wextra -Werror -I"$top/include" -fsyntax-only "$scratch/$page.c" >"$scratch/why" 2>&1
	result $? "the SYNOPSIS of $page(3) is what the headers declare" "$scratch/why"
done

nm -D --defined-only "$build/.libs/libsitus.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$scratch/exported"
grep -ho '\b\(situs\|aml\|amm\)_[a-z0-9_]*' "$scratch"/situs.c "$scratch"/aml.c "$scratch"/amm.c | sort -u >"$scratch/named"
comm -23 "$scratch/exported" "$scratch/named" >"$scratch/why"
[ -s "$scratch/exported" ] && [ ! -s "$scratch/why" ]
result $? "every exported name stands in a manual page" "$scratch/why"

name="no page has a mistake in its formatting"
for page in *.[1-9]; do
	man --warnings=all -E UTF-8 -l "$page" 2>&1 >/dev/null | grep -v "can't break line\|cannot adjust line"
done >"$scratch/why"
if command -v man >/dev/null; then
	[ ! -s "$scratch/why" ]
	result $? "$name" "$scratch/why"
else
	n=$((n + 1))
	echo "ok $n - $name # SKIP man is not installed"
fi

sed 's/\\-/-/g' situs.1 >"$scratch/situs.1"
for command in $("$build/situs" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	grep -q "situs $command" "$scratch/situs.1" || echo "situs $command"
	"$build/situs" "$command" --help | grep -o -- ' --[a-z-]*' | sort -u | while read -r option; do
		[ "$option" = --help ] || [ "$option" = --usage ] || grep -q -e "$option" "$scratch/situs.1" ||
			echo "situs $command $option"
	done
done >"$scratch/why"
[ ! -s "$scratch/why" ]
result $? "situs(1) has every option of every command" "$scratch/why"

# A line for each command, as its words stand in the SYNOPSIS.
sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$scratch/situs.1" | awk '/^\.br/ { print ""; next } { printf "%s ", $0 }' |
	sed 's/\\f.//g' >"$scratch/synopsis"
for command in $("$build/situs" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	"$build/situs" "$command" --help | sed -n 's/^  .\{4\}\(--[a-z-]*\).*/\1/p' | while read -r option; do
		case $option in --help | --verbose) continue ;; esac
		grep "\.B situs $command" "$scratch/synopsis" | grep -q -e "$option" || echo "situs $command $option"
	done
done >"$scratch/why"
[ -s "$scratch/synopsis" ] && [ ! -s "$scratch/why" ]
result $? "and its SYNOPSIS has them too" "$scratch/why"

grep -rhoE '"SITUS_[A-Z_]+"' "$top/src" | tr -d '"' | sort -u | while read -r variable; do
	grep -q "$variable" situs.1 || echo "$variable"
done >"$scratch/why"
[ ! -s "$scratch/why" ]
result $? "situs(1) has every variable that is read" "$scratch/why"
