#!/bin/sh
# --help is everywhere: behind every option, among letters, on standard output, with exit status 0; --version likewise.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

# helps WORD...: prints a usage and nothing else.
helps() {
	timeout 1200 "$situs" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null && [ ! -s "$scratch/err" ] &&
		grep -q '^Usage: situs' "$scratch/out" && return
	echo "# situs $*"
	show "$scratch/err"
	return 1
}

commands=$("$situs" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
# shellcheck disable=SC2086
set -- $commands
echo "1..$((2 * $# + 4))"
helps --help && helps '-?' && helps help
ok $? "situs helps"
for command in $commands; do
	helps "$command" --help && grep -q "^Usage: situs $command " "$scratch/out"
	ok $? "situs $command helps"
	# The lines of options: -a, --area=PLACE; --watch[=SECONDS]; --json.
	sed -n 's/^  .\{4\}\(--[a-z-]*[=[]\{0,1\}\).*/\1/p' "$scratch/out" >"$scratch/options"
	[ -s "$scratch/options" ]
	result=$?
	while read -r option; do
		case $option in
		*=) helps "$command" "${option%=}" any --help ;;
		*) helps "$command" "${option%\[}" --help ;;
		esac || result=1
	done <"$scratch/options"
	ok $result "behind every option of it too"
done
helps run '-v?' && helps run -va any '-?' && helps migrate '-v?'
ok $? "a ? among letters is help"
"$situs" run --area any -- printf %s --help >"$scratch/out" && [ "$(cat "$scratch/out")" = --help ]
ok $? "behind -- it is the program's"
"$situs" --version | grep -q '^situs [0-9]' && "$situs" -V | grep -q '^situs [0-9]'
ok $? "the version is told"
