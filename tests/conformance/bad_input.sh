#!/bin/sh
# What is wrong is named in one line, with exit 2 for what the caller wrote and 1 for what failed;
# nothing is started.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

# refused STATUS WORD NAME COMMAND...: exits so, says WORD in its one line, and started nothing.
refused() {
	status=$1
	word=$2
	name=$3
	shift 3
	rm -f "$scratch/started"
	"$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	got=$?
	[ $got -eq "$status" ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q -e "$word" "$scratch/err" &&
		! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$scratch/err" &&
		[ ! -s "$scratch/out" ] && [ ! -e "$scratch/started" ]
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { echo "# exit $got, wanted $status and '$word'"; show "$scratch/err"; }
}

start="touch $scratch/started"
long=$(awk 'BEGIN { while (i++ < 5000) printf "x" }')
cat >"$scratch/empty.c" <<'END'
int main(void) { return 0; }
END

echo 1..85
refused 2 'command' "no command is a usage error" "$situs" nonsense
refused 2 'nowhere' "an unknown place is named" "$situs" run --area nowhere -- $start
refused 2 'place' "an empty place is no default" "$situs" run --area= -- $start
refused 2 'place' "an empty SITUS_AREA is no default" env SITUS_AREA= "$situs" run -- $start
refused 2 '999' "an absent node is named" "$situs" run --area node:999 -- $start
refused 2 'x' "a very long place is refused" "$situs" run --area "$long" -- $start
refused 2 'node' "control characters in a place do not reach the terminal" \
	"$situs" run --area "node:$(printf '\033')[2J" -- $start
refused 2 '12Q' "a limit that is no size is named" "$situs" run --limit 12Q -- $start
refused 2 '[-]-limit=abc' "by its option where it came by that" "$situs" run --limit=abc -- $start
refused 2 'SITUS_LIMIT=abc' "and by its variable where it came by that" env SITUS_LIMIT=abc "$situs" run -- $start
refused 2 '[-]-limit' "an empty limit is no default" "$situs" run --limit= -- $start
refused 2 'more than any' "a limit that no machine has is refused" "$situs" run --limit 99999999999T -- $start
refused 2 'size-min' "a bad smallest size is named" "$situs" run --size-min -5 -- $start
refused 2 'size-max' "a bad largest size is named" "$situs" run --size-max lots -- $start
refused 2 'above' "sizes the wrong way round are refused" "$situs" run --size-min 2M --size-max 1M -- $start
refused 2 'SITUS_LIMIT' "a bad variable of the environment is named" \
	env SITUS_LIMIT=much "$situs" run -- $start
refused 2 'SITUS_LOG' "a bad log level is named" env SITUS_LOG=loud "$situs" run -- $start
refused 2 'SITUS_LISTEN' "a switch that is neither on nor off is named" env SITUS_LISTEN=yes "$situs" run -- $start
refused 2 'SITUS_AREA: .nowhere' "a bad SITUS_AREA is named" env SITUS_AREA=nowhere "$situs" run -- $start
refused 2 'HWLOC_SYNTHETIC' "a place of a machine that is only described is told as such" \
	env HWLOC_SYNTHETIC='node:100 core:1 pu:1' "$situs" run --area node:99 -- $start
refused 2 '"any"' "shares without weights are named" "$situs" run --ratio any -- $start
refused 2 'any=0' "a weight of 0 is named" "$situs" run --ratio any=0 -- $start
refused 2 'weight' "a weight beyond all measure is refused" "$situs" run --ratio any=99999999999999999999 -- $start
refused 2 'nowhere' "a share in an unknown place is named" "$situs" run --ratio any=1,nowhere=1 -- $start
refused 2 'empty' "empty shares are no default" "$situs" run --ratio= -- $start
refused 2 'ratio' "shares and a place do not go together" "$situs" run --ratio any=1 --area any -- $start
refused 2 'local' "heaps by thread do not lie in a place" "$situs" run --per-thread-local --area any -- $start
refused 2 'cache' "a named heap without a place is refused" "$situs" run --heap cache -- $start
refused 2 'nowhere' "a named heap in an unknown place is refused" "$situs" run --heap cache=nowhere -- $start
refused 2 'empty' "an empty named heap is refused" "$situs" run --heap= -- $start
refused 2 ';' "a named heap with a ; is refused" "$situs" run --heap 'a=any;b=any' -- $start
refused 2 'longer' "a heap's name that is too long is refused" "$situs" run --heap "$long=any" -- $start
refused 2 'SITUS_STATS' "a bad wish for the table is named" env SITUS_STATS=often "$situs" run -- $start
refused 2 'SITUS_STATS' "also with what JSON is not called" env SITUS_STATS=1,xml "$situs" run -- $start
refused 2 'stats=xml' "as an option too" "$situs" run --stats=xml -- $start
refused 2 'both' "SITUS_RATIO and SITUS_AREA do not go together" \
	env SITUS_RATIO=any=1 SITUS_AREA=any "$situs" run -- $start
refused 2 'program' "a run without a program is a usage error" "$situs" run --area any
refused 2 'bogus' "an unknown option is named" "$situs" run --bogus -- $start
refused 2 'run --help' "with where the others stand" "$situs" run --bogus -- $start
refused 2 "'-q'" "an unknown letter among others is named" "$situs" run -vq -- $start
refused 2 "'-?'" "control characters of an option do not reach the terminal" "$situs" run "$(printf -- '-v\033')" -- $start
refused 2 'needs a value' "an option without its value is named" "$situs" run --limit
refused 2 'takes no value' "a value that an option does not take is named" "$situs" run --dry-run=3 -- $start
refused 2 'more than one' "an option that may mean several is named" "$situs" run --size 3 -- $start
refused 2 'word too many' "a word too many is named" "$situs" places everywhere
refused 2 'which command' "no command is a usage error too" "$situs"
for word in run topo stat map places doctor; do
	refused 2 'SITUS_TIERS' "a bad SITUS_TIERS is named by situs $word" env SITUS_TIERS=nonsense "$situs" $word 1
done
refused 2 'would fit: node' "topo says what would fit" "$situs" topo nowhere
refused 2 'would fit: node' "also where a node is absent" "$situs" topo node:999
refused 2 'No such file' "a path out of a folder that is not there is refused" \
	"$situs" run --area "file:$scratch/none/../../../$scratch/x" -- $start
refused 2 'shm' "a shared memory name with a slash is refused" "$situs" run --area "shm:../../etc/passwd" -- $start
refused 2 'control character' "control characters in a file's name do not reach the terminal" \
	"$situs" run --area "file:$(printf '\033]0;x\007')" -- $start
refused 1 'x??y' "nor do those that UTF-8 has besides" "$situs" run -- "$(printf 'x\302\233y')"
refused 1 'x?y' "nor bytes that are no characters" "$situs" run -- "$(printf 'x\233y')"
refused 1 'No space\|too long' "a file's long name does not hide what is wrong" \
	"$situs" run --area "file:$scratch/$(printf '%0300d' 0)" -- $start
echo precious >"$scratch/precious"
refused 1 'lost; file: takes' "a file that holds something is refused, with what would do" \
	"$situs" run --area "file:$scratch/precious" -- $start
refused 2 'svg is empty' "a picture without a file is refused" "$situs" topo --svg=
refused 2 'heap cache: node 99' "the heap whose place is absent is named" env SITUS_HEAPS=cache=node:99 "$situs" run -- $start
refused 2 'local,nonsense' "an option that local does not take is named as it was given" \
	"$situs" run --per-thread-local --area local,nonsense -- $start
refused 1 'no-such-program' "a missing program is named" "$situs" run -- no-such-program
refused 1 'no such program' "a program with an empty name is refused" "$situs" run -- ''
echo '#!/no/such/interpreter' >"$scratch/orphan"
echo 'echo hello' >"$scratch/bare"
printf '#!\n' >"$scratch/void"
cp "$scratch/bare" "$scratch/unexecutable"
chmod +x "$scratch/orphan" "$scratch/bare" "$scratch/void"
refused 1 'unexecutable' "a file that cannot be executed is named" "$situs" run -- "$scratch/unexecutable"
refused 1 'cannot be executed' "a folder is not a program" "$situs" run -- "$scratch"
refused 1 '/no/such/interpreter' "a script's missing interpreter is named" "$situs" run -- "$scratch/orphan"
refused 1 'interpreter line' "a script without an interpreter line is refused" "$situs" run -- "$scratch/bare"
refused 1 'names no interpreter' "a script with an empty first line is refused" "$situs" run -- "$scratch/void"
refused 1 'cannot be reached\|no such program' "a program in a folder that is none is refused" \
	"$situs" run -- "$scratch/bare/program"
cp /bin/true "$scratch/ls"
name="without PATH the system's folders are searched, and not the current one"
(cd "$scratch" && env -i "$situs" run --dry-run -- ls | grep -q '/bin/ls$') 2>"$scratch/err"
ok $? "$name"
${CC:-cc} -o "$scratch/unlinked" "$scratch/empty.c" -Wl,--dynamic-linker=/no/such/linker.so
refused 1 '/no/such/linker.so' "a missing dynamic linker is named" "$situs" run -- "$scratch/unlinked"
${CC:-cc} -o "$scratch/foreign" "$scratch/empty.c" &&
	printf '\377\377' | dd of="$scratch/foreign" bs=1 seek=18 conv=notrunc 2>/dev/null
refused 1 'another processor' "a program for another processor is refused" "$situs" run -- "$scratch/foreign"
${CC:-cc} -o "$scratch/musl" "$scratch/empty.c" -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
refused 1 'another C library' "a program for another C library is refused" "$situs" run -- "$scratch/musl"
head -c 100 "$scratch/musl" >"$scratch/torn" && chmod +x "$scratch/torn"
refused 1 'ends too early' "a program that is cut is refused" "$situs" run -- "$scratch/torn"
name="a static program is refused"
if ${CC:-cc} -static -o "$scratch/static" "$scratch/empty.c" 2>/dev/null; then
	refused 1 'statically' "$name" "$situs" run -- "$scratch/static"
	printf '#!%s\n' "$scratch/static" >"$scratch/script" && chmod +x "$scratch/script"
	refused 1 "interpreter $scratch/static is linked statically" "as a script's interpreter too" \
		"$situs" run -- "$scratch/script"
else
	skip "$name" "this compiler cannot link statically"
	skip "as a script's interpreter too" "this compiler cannot link statically"
fi
# The class byte of the ELF header is what tells a 32-bit program.
${CC:-cc} -o "$scratch/narrow" "$scratch/empty.c" &&
	printf '\001' | dd of="$scratch/narrow" bs=1 seek=4 conv=notrunc 2>/dev/null
refused 1 '32-bit' "a 32-bit program is refused" "$situs" run -- "$scratch/narrow"
name="a set-uid program is refused"
if [ "$(id -u)" = 0 ] && cp /bin/true "$scratch/setuid" && chown 65534 "$scratch/setuid" &&
	chmod 4755 "$scratch/setuid"; then
	refused 1 'set-uid' "$name" "$situs" run -- "$scratch/setuid"
elif [ -u /usr/bin/passwd ]; then
	refused 1 'set-uid' "$name" "$situs" run -- /usr/bin/passwd --help
else
	skip "$name" "there is no set-uid program here"
fi
refused 2 'twelve' "a process id that is no number is named" "$situs" stat twelve
refused 1 '4194305' "an absent process is named" "$situs" stat 4194305
refused 1 'no heaps' "a process without heaps is told apart" "$situs" stat $$
name="output that cannot be written is a failure, of every command"
if [ -c /dev/full ]; then
	result=0
	mkfifo "$scratch/go" "$scratch/ready"
	$while_needed "$situs" run --area any -- "$build/tests/conformance/holder" 1 <"$scratch/go" >"$scratch/ready" &
	exec 3>"$scratch/go"
	read -r pid <"$scratch/ready"
	for words in --help --version 'topo --help' topo 'topo any' 'topo --svg -' 'topo --json' places 'places --json' \
		'run --dry-run -- true' "stat $pid" "stat --prometheus $pid" "map $pid" "map --svg - $pid" \
		"migrate --to any --wait 0 $pid" "stat --watch $pid"; do
		# shellcheck disable=SC2086
		"$situs" $words >/dev/full 2>"$scratch/err"
		[ $? -eq 1 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && continue
		echo "# situs $words"
		show "$scratch/err"
		result=1
	done
	"$situs" doctor >/dev/full 2>/dev/null
	[ $? -eq 1 ] || result=1
	exec 3>&-
	wait
	ok $result "$name"
else
	skip "$name" "there is no /dev/full"
fi
