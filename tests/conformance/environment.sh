#!/bin/sh
# The preload by itself: a bad value is one clear line and the default, and the program runs.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
preload=$("$situs" run --dry-run -- true | sed "s/^LD_PRELOAD='\([^']*\)'.*/\1/")

# lives NAME WORD VARIABLE=VALUE: the program runs, and WORD stands in the one line on standard error.
lives() {
	name=$1
	word=$2
	shift 2
	env "$@" LD_PRELOAD="$preload" /bin/echo alive >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 0 ] && [ "$(cat "$scratch/out")" = alive ] && [ "$(grep -c . "$scratch/err")" = 1 ] &&
		grep -q -e "$word" "$scratch/err"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || show "$scratch/err"
}

echo 1..24
lives "an unknown place is named and any is used" nowhere SITUS_AREA=nowhere
lives "an absent node is named and any is used" 999 SITUS_AREA=node:999
lives "a bad limit is named and ignored" SITUS_LIMIT SITUS_LIMIT=much
lives "a bad size is named and ignored" SITUS_SIZE_MIN SITUS_SIZE_MIN=-1
lives "a bad log level is named" SITUS_LOG SITUS_LOG=shout
lives "bad shares are named and any is used" '"node:0"' SITUS_RATIO=node:0
lives "shares in an absent node are named" 999 SITUS_RATIO=any=1,node:999=2
lives "shares and a place do not go together" SITUS_RATIO SITUS_RATIO=any=1 SITUS_AREA=any
lives "heaps by thread do not lie in a place" local SITUS_PER_THREAD_LOCAL=1 SITUS_AREA=any
lives "a bad switch is named" SITUS_PER_THREAD_LOCAL SITUS_PER_THREAD_LOCAL=yes
lives "a bad wish for the table is named" SITUS_STATS SITUS_STATS=often
lives "bad words for named heaps are told at the start" SITUS_HEAPS SITUS_HEAPS=cache
lives "and so is a place there" 'heap cache.*nowhere.*own place' SITUS_HEAPS='cache=nowhere'
lives "bad tiers are told, whatever the place" 'SITUS_TIERS.*ignored' SITUS_TIERS=nonsense SITUS_AREA=any
lives "once, where the place needs them" 'SITUS_TIERS.*ignored' SITUS_TIERS=nonsense SITUS_AREA='local > tier:fastest'

# own NAME WORD SITUS_HEAPS: the heap "cache" lies where the program suggests, and one line says why.
own() {
	SITUS_HEAPS=$3 LD_PRELOAD=$preload "$build/tests/conformance/named" >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 0 ] && [ "$(cat "$scratch/out")" = any ] && [ "$(grep -c . "$scratch/err")" = 1 ] &&
		grep -q -e "$2" "$scratch/err"
	result=$?
	ok $result "$1"
	[ $result -eq 0 ] || show "$scratch/err"
}
own "a heap that cannot lie where it is ordered lies where the program says" 'heap cache.*999' cache=node:999
own "one whose order is no place likewise" 'heap cache.*nowhere' cache=nowhere
own "and one among words that are none" '"x" is not name=place' 'x;cache=local'
lives "control characters of a value do not reach the terminal" '?' SITUS_LIMIT="$(printf 'a\033[2Jb')"
env LD_PRELOAD="$preload" SITUS_LOG=info SITUS_AREA=any /bin/true 2>"$scratch/err"
grep -q 'draws its memory from any' "$scratch/err"
ok $? "SITUS_LOG=info tells the place"
env LD_PRELOAD="$preload" /bin/true 2>"$scratch/err"
[ ! -s "$scratch/err" ]
ok $? "without variables the preload is silent"
# How much of it suffices for a heap, or for the program itself, depends on the machine.
result=0
for kib in 16000 20000 24000 28000 32000 40000 60000; do
	(ulimit -v $kib && LD_PRELOAD=$preload exec /bin/echo alive) >"$scratch/out" 2>"$scratch/err"
	[ "$(grep -c '^situs: ' "$scratch/err")" -le 1 ] && continue
	show "$scratch/err"
	result=1
done
ok $result "where address space is too little for a heap one line tells it"
(ulimit -f 1 && LD_PRELOAD=$preload exec /bin/echo alive) >"$scratch/out" 2>"$scratch/err"
[ $? -eq 0 ] && [ "$(cat "$scratch/out")" = alive ] && [ ! -s "$scratch/err" ]
ok $? "a program that may not write files larger than a block lives"
"$situs" run --area any -- sh -c 'echo "$SITUS_AREA"; exec "$@"' sh "$situs" run --area "$area" -- \
	sh -c 'echo "$SITUS_AREA $LD_PRELOAD"; exit 7' >"$scratch/out"
[ $? -eq 7 ] && [ "$(cat "$scratch/out")" = "any
$area $preload" ]
ok $? "a run inside a run wins, and preloads once"
