#!/bin/sh
# situs migrate: the program itself is asked, and moves its heap; what cannot be is one line.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

# start NAME PLACE MIB...: the heaps program with its input at descriptor 3; $pid.
start() {
	rm -f "$scratch/go" "$scratch/ready"
	mkfifo "$scratch/go" "$scratch/ready"
	SITUS_PUBLISH=1 $while_needed "$build/tests/conformance/heaps" "$@" <"$scratch/go" >"$scratch/ready" &
	exec 3>"$scratch/go"
	read -r pid <"$scratch/ready"
}
stop() {
	exec 3>&-
	wait
}
# says STATUS WORD NAME ARGUMENTS...: situs migrate exits so, with WORD in one line on standard error.
says() {
	want=$1
	word=$2
	name=$3
	shift 3
	"$situs" migrate "$@" >"$scratch/out" 2>"$scratch/err"
	status=$?
	[ $status -eq "$want" ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q -e "$word" "$scratch/err"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { echo "# exit $status"; show "$scratch/out"; show "$scratch/err"; }
}
# number KEY
number() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$scratch/json" | head -n 1
}

echo 1..28
export SITUS_LISTEN=1
start one any 20 two any 3
name="a program that listens moves its heap at once"
if [ "$area" = any ]; then
	skip "$name" "this process may not bind memory"
	skip "and gives account of every page" "this process may not bind memory"
	skip "situs stat knows its new place" "this process may not bind memory"
else
	"$situs" migrate "$pid" --heap one --to node:0 --json --wait 600 >"$scratch/json" 2>"$scratch/err"
	status=$?
	[ $status -eq 0 ] && grep -q '"complete": true' "$scratch/json"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { echo "# exit $status"; show "$scratch/json"; show "$scratch/err"; }
	[ $(($(number moved) + $(number already))) -ge 20971520 ] && [ "$(number no_room)" = 0 ] &&
		[ "$(number busy)" = 0 ] && [ "$(number other)" = 0 ]
	ok $? "and gives account of every page"
	"$situs" stat --json "$pid" >"$scratch/stat"
	[ "$(grep -c '"place": "node:0"' "$scratch/stat")" = 1 ]
	result=$?
	ok $result "situs stat knows its new place"
	[ $result -eq 0 ] || grep place "$scratch/stat" | sed 's/^/# /'
fi
"$situs" migrate "$pid" --heap two --to any --wait 600 >"$scratch/out" 2>"$scratch/err" </dev/null &&
	grep -q 'there already' "$scratch/out" && [ ! -s "$scratch/err" ]
result=$?
ok $result "where standard error is no terminal there is no bar"
[ $result -eq 0 ] || { show "$scratch/out"; show "$scratch/err"; }
says 2 'where to' "a place must be named" "$pid" --heap one
says 2 'which process' "a process must be named" --to any
says 2 'choose one by --heap: one, two' "of several heaps one must be named" "$pid" --to any
says 1 'it has: one, two' "an absent heap is named, and those there are" "$pid" --heap three --to any
says 2 'would fit' "an unknown place is named" "$pid" --heap one --to nowhere
says 2 '999' "an absent node is named" "$pid" --heap one --to node:999
says 2 'too long' "a very long place is refused" "$pid" --heap one --to "$(printf 'node:%0600d' 0)"
says 2 'wait' "a wait that is no number is named" "$pid" --heap one --to any --wait soon
says 1 'become pages of a file' "a place that pages cannot pass to is refused at once" \
	"$pid" --heap one --to "file:$scratch/file,limit:64M"
says 1 'stays where it is' "a place that has no room is refused by the program" "$pid" \
	--heap one --to any,limit:4K --wait 600
"$situs" migrate -v "$pid" --heap one --to 'local > any' --wait 600 >"$scratch/out" 2>"$scratch/err" &&
	grep -q 'lies in .*, and shall go to local > any' "$scratch/err" && grep -q 'touches a page first' "$scratch/err" &&
	grep -q 'has taken the order' "$scratch/err"
result=$?
ok $result "-v says what was decided and why"
[ $result -eq 0 ] || show "$scratch/err"
"$situs" stat "$pid" >"$scratch/out" 2>&1
ok $? "and the program lives"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$situs" "$scratch/situs"
	chmod 755 "$scratch" "$scratch/situs"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/situs" migrate "$pid" --heap one --to any \
		>"$scratch/out" 2>"$scratch/err"
	[ $? -eq 1 ] && grep -q "another user's" "$scratch/err"
	ok $? "another user is refused"
else
	skip "another user is refused" "only root can become another user"
fi
table=$(sed -n 's/.* \(\/[^ ]*\/situs-[0-9]*-[0-9]*-[0-9]*\)$/\1/p' "/proc/$pid/maps" | head -n 1)
python3 - "$table" <<'END'
import os, random, struct, sys, time
seed = random.randrange(1 << 32)
print('# seed', seed)
r = random.Random(seed)
f = os.open(sys.argv[1], os.O_RDWR)
size = os.fstat(f).st_size
for i in range(300):
    # ticket, cancel, kind, heap, and texts that nobody terminated
    os.pwrite(f, struct.pack('<QQQQ', i * 7 + 1, r.randrange(9), r.randrange(6), r.choice([0, 1, 2, 1 << 63])) +
        r.choice([b'one\0', b'two\0', b'']) + bytes(r.randrange(256) for _ in range(552)), 1024)
    time.sleep(0.002)
os.ftruncate(f, size)
os.pwrite(f, bytes(40), 1024)
END
echo work >&3
"$situs" stat "$pid" >"$scratch/out" 2>&1 && "$situs" migrate "$pid" --heap one --to any --wait 600 >"$scratch/out" 2>&1
result=$?
ok $result "requests that make no sense do no harm"
[ $result -eq 0 ] || show "$scratch/out"
kill -9 "$pid"
stop
says 1 'no process' "a killed program is no more" "$pid" --heap one --to any

unset SITUS_LISTEN
start only any 3
# place: where situs stat says the heap lies
place() {
	"$situs" stat --json "$pid" | sed -n 's/.*"place": "\([^"]*\)".*/\1/p'
}
name="the pages of a program that asks for no memory are moved from outside, and the order stands"
"$situs" migrate "$pid" --to local --wait 0 >"$scratch/out" 2>"$scratch/err" &&
	grep -q 'the order stands' "$scratch/out" && [ ! -s "$scratch/err" ] && [ "$(place)" = any ]
result=$?
ok $result "$name"
[ $result -eq 0 ] || { show "$scratch/out"; show "$scratch/err"; }
[ "$(ls "/proc/$pid/task" | wc -l)" = 1 ]
ok $? "it has no thread for that"
name="and takes the order when it asks for memory, whoever looked meanwhile"
i=0
until [ "$(place)" = local ] || [ $i -ge 3000 ]; do
	echo work >&3
	sleep 0.1
	i=$((i + 1))
done
[ $i -lt 3000 ]
ok $? "$name"
"$situs" migrate "$pid" --to any --wait 1000 >"$scratch/out" 2>"$scratch/err" &
asker=$!
i=0
while kill -0 $asker 2>/dev/null && [ $i -lt 6000 ]; do
	echo work >&3
	sleep 0.1
	i=$((i + 1))
done
wait $asker
ok $? "when it asks for memory it does"
"$situs" migrate "$pid" --to any --wait 1000 >"$scratch/out" 2>"$scratch/err" &
asker=$!
i=0
until "$situs" migrate "$pid" --to any --wait 0 2>&1 | grep -q 'somebody else' || [ $i -ge 3000 ]; do
	sleep 0.1
	i=$((i + 1))
done
[ $i -lt 3000 ]
ok $? "one asker at a time"
kill -INT $asker 2>/dev/null || kill -TERM $asker
wait $asker
[ $? -eq 1 ] && grep -q 'interrupted; nothing has moved' "$scratch/err"
result=$?
ok $result "an interrupt takes the request back"
[ $result -eq 0 ] || show "$scratch/err"
stop
start narrow any,limit:64M 3
says 1 'only the program keeps to limits' "a limit is not passed over from outside" "$pid" --to any,limit:32M --wait 0
stop
name="a strict heap's pages are not moved from outside"
if [ "$area" = any ]; then
	skip "$name" "this process may not bind memory"
else
	start narrow node:0,strict 3
	says 1 'strict' "$name" "$pid" --to any --wait 0
	stop
fi
says 1 'shows no heaps' "a process without heaps is told apart" $$ --to any
