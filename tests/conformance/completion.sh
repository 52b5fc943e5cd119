#!/bin/sh
# Completion for bash: what is offered at the end of a line.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
if ! command -v bash >/dev/null; then
	echo "1..0 # SKIP bash is not installed"
	exit 0
fi

# offered LINE: the words, one a line.
offered() {
	PATH=$build:$PATH bash -c '
		. "$1/doc/situs.bash"
		COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=() COMP_CWORD=0
		_situs
		printf "%s\n" "${COMPREPLY[@]}"' bash "$source" "$1" 2>"$scratch/err"
}

offers() { # name, line, word...
	name=$1
	offered "$2" >"$scratch/offered"
	shift 2
	result=0
	for word in "$@"; do
		grep -qx -e "$word" "$scratch/offered" || result=1
	done
	[ ! -s "$scratch/err" ] || result=1
	ok $result "$name"
	[ $result -eq 0 ] || { show "$scratch/offered"; show "$scratch/err"; }
}

echo 1..13
offers "commands" "situs " run stat topo doctor
offers "commands by their first letters" "situs to" topo
offers "every option of a command" "situs run --" --area= --ratio= --stats --per-thread-local
offers "words of an option" "situs run --stats=" json
offers "options by their first letters" "situs run --size-m" --size-min= --size-max=
offers "places after an option" "situs run --area " any local
offers "places after an option and =" "situs run --area=a" any
offers "places after the short option" "situs run -a an" any anon
offers "what follows the colon of a place" "situs run --area tier:f" fastest
offers "places of topo" "situs topo lo" local
offers "programs behind --" "situs run --area any -- bas" bash
: >"$scratch/a-file"
offers "and then files" "situs run -- cat $scratch/a-f" "$scratch/a-file"

# A program with heaps is offered by its number.
mkfifo "$scratch/go" "$scratch/ready"
$while_needed "$situs" run -- "$build/tests/conformance/holder" 1 <"$scratch/go" >"$scratch/ready" &
exec 3>"$scratch/go"
read -r pid <"$scratch/ready"
offers "processes with heaps" "situs stat " "$pid"
exec 3>&-
wait
