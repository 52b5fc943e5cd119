#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The lab's runner notices every way in which a guest can go wrong. QEMU is played by a script that
# says what a guest would say; nothing is booted.
lab=$(cd "${SITUS_SRCDIR:-.}/tests/lab" && pwd)
work=$(mktemp -d) || exit 1
export SITUS_LAB_TURN="situs-lab-$$" # turns of its own: real guests need not be waited for
unset SITUS_LAB_ATTEMPTS
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/build/tests/lab/guest"
n=0

cat >"$work/bin/qemu-system-x86_64" <<'E'
#!/bin/sh
work=${0%/bin/*}
echo $$ >"$work/pid"
echo "$*" >>"$work/boots"
for word; do
	case $word in file:*) cat "$work/console" >"${word#file:}" ;; esac
done
cp "$work/says" "$work/saying"
[ ! -e "$work/next" ] || mv "$work/next" "$work/says"
cat "$work/saying"
[ ! -e "$work/hangs" ] || exec sleep 600
E
: >"$work/console"
: >"$work/says"
for name in busybox a; do
	cp "$work/bin/qemu-system-x86_64" "$work/bin/$name"
done
cp "$work/bin/a" "$work/build/tests/lab/guest/a"
chmod +x "$work/bin/"*
command -v cpio >/dev/null || cp "$work/bin/a" "$work/bin/cpio"
{ head -c 514 /dev/zero && echo HdrS; } >"$work/vmlinuz"

lab_run() { # arguments
	PATH=$work/bin:$PATH SITUS_LAB_KERNEL=$work/vmlinuz "$lab/run" --build "$work/build" "$@" 2>&1
}

# With a guest that says standard input, the runner ends with STATUS and says PATTERN, in a line or in all of them
# put into one.
expect() { # name, status, pattern, runner's arguments
	name=$1 status=$2 pattern=$3
	shift 3
	cat >"$work/says"
	said=$(lab_run two "$@" a)
	got=$?
	n=$((n + 1))
	if [ $got = "$status" ] && { printf '%s\n' "$said" && echo "$said" | tr '\n' ' '; } | grep -qE -e "$pattern"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# expected status $status and $pattern; status $got:"
		printf '%s\n' "$said" | sed 's/^/# /'
	fi
}

echo 1..38
expect 'a guest whose tests pass is a success' 0 '^ok 1 - a: x$' <<'E'
@@ begin a
1..1
ok 1 - x
@@ end a 0
@@ done
E
expect 'a failing case is a failure' 1 '^not ok 1 - a: x$' <<'E'
@@ begin a
1..1
not ok 1 - x
@@ end a 1
@@ done
E
expect 'a skipped case keeps its reason' 0 '^ok 1 - a: x # SKIP no such thing$' <<'E'
@@ begin a
1..1
lab: skip: no such thing
not ok 1 # SKIP x
@@ end a 0
@@ done
E
expect 'a failing case that says SKIP behind is a failure' 1 '^not ok 1 - a: x$' <<'E'
@@ begin a
1..1
not ok 1 - x # SKIP it failed
@@ end a 0
@@ done
E
expect 'a case of cmocka that is skipped without a reason is a failure' 1 '^not ok 1 - a: x$' <<'E'
@@ begin a
1..1
not ok 1 # SKIP x
@@ end a 0
@@ done
E
expect 'a case that is skipped without a reason is a failure' 1 '^not ok 1 - a: x$' <<'E'
@@ begin a
1..1
ok 1 - x # SKIP
@@ end a 0
@@ done
E
expect 'a test that is skipped with a reason is a success' 0 '^ok 1 - a # SKIP no such thing$' <<'E'
@@ begin a
1..0 # SKIP no such thing
@@ end a 0
@@ done
E
expect 'a test of no cases at all is a failure' 1 '^not ok 1 - a$' <<'E'
@@ begin a
1..0
@@ end a 0
@@ done
E
expect 'a status without a failed case is a failure' 1 '^# it ended with status 139' <<'E'
@@ begin a
1..1
ok 1 - x
@@ end a 139
@@ done
E
expect 'a case that never ran is a failure' 1 '^not ok 3 - a: runs all of its 2 cases' <<'E'
@@ begin a
1..2
ok 1 - x
@@ end a 0
@@ done
E
expect 'a test without a plan is a failure' 1 '^not ok 2 - a: says how many' <<'E'
@@ begin a
@@ end a 0
@@ done
E
expect 'an OOM kill is a failure' 1 '^not ok 2 - a: the kernel has nothing' <<'E'
@@ begin a
1..1
ok 1 - x
@@ kernel [    2.0] Out of memory: Killed process 31 (a)
@@ end a 0
@@ done
E
expect 'an OOM kill that the test announced is none' 0 '^ok 2 - a: the kernel has nothing' <<'E'
@@ begin a
1..1
# lab: an OOM kill is expected
ok 1 - x
@@ kernel [    2.0] Out of memory: Killed process 31 (a)
@@ end a 0
@@ done
E
expect 'a kernel fault is a failure even so' 1 '^not ok 2 - a: the kernel has nothing' <<'E'
@@ begin a
1..1
# lab: an OOM kill is expected
ok 1 - x
@@ kernel [    2.0] BUG: unable to handle page fault
@@ end a 0
@@ done
E
expect 'a complaint that the test expects by name is none' 0 '^ok 2 - a: the kernel has nothing' <<'E'
@@ begin a
1..1
# lab: expected of the kernel: mm/page_alloc.c:42
ok 1 - x
@@ kernel [    2.0] WARNING: CPU: 0 PID: 31 at mm/page_alloc.c:42 f+0x1/0x2
@@ end a 0
@@ done
E
expect 'another complaint than the expected one is a failure' 1 '^not ok 2 - a: the kernel has nothing' <<'E'
@@ begin a
1..1
# lab: expected of the kernel: mm/page_alloc.c:42
ok 1 - x
@@ kernel [    2.0] WARNING: CPU: 0 PID: 31 at mm/slub.c:42 f+0x1/0x2
@@ end a 0
@@ done
E
expect 'a kernel that complains while it boots is a failure' 1 '^# \[    1.0\] WARNING' <<'E'
@@ boot [    1.0] WARNING: CPU: 0 PID: 1 at mm/slub.c:42 f+0x1/0x2
E
echo '[    9.0] BUG: unable to handle page fault' >"$work/console"
expect 'a complaint that is on the console only is a failure' 1 '^# \[    9.0\] BUG' <<'E'
@@ begin a
1..1
ok 1 - x
@@ end a 0
@@ done
E
expect 'a complaint on the console that a test was held to is told once' 1 '^1..2$' <<'E'
@@ begin a
1..1
ok 1 - x
@@ kernel [    9.0] BUG: unable to handle page fault
@@ end a 0
@@ done
E
: >"$work/console"
expect 'a guest that stops in a test is a failure' 1 '^not ok 2 - the guest stopped, during a' <<'E'
@@ begin a
1..1
ok 1 - x
E
expect 'a guest that never comes up is a failure, tried twice' 1 'did not come up, attempt 2' </dev/null
: >"$work/hangs"
expect 'a guest that hangs is stopped and a failure' 1 'was not done after 1 s, during a' --time-limit 1 <<'E'
@@ begin a
1..1
E
rm "$work/hangs"

# result: of the command before, ok or not; what it said in $said.
result() { # status, name
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	printf '%s\n' "$said" | sed 's/^/# /'
}

# Two attempts, as make check has them.
export SITUS_LAB_ATTEMPTS=2
next() { # what the guest of the second attempt says
	cat >"$work/next"
	: >"$work/boots"
}
next <<'E'
@@ begin a#2
1..1
ok 1 - x
@@ end a#2 0
@@ done
E
expect 'what fails is tried once more, alone, and the log keeps both' 0 \
	'^ok 1 - a: x ok 2 - a: the kernel .*# not ok - a#2: x .*# lab: another attempt: a#2 ok 3 - a#2: x ' a <<'E'
@@ begin a
1..1
ok 1 - x
@@ end a 0
@@ begin a#2
1..1
not ok 1 - x
@@ end a#2 1
@@ done
E
n_boots=$(grep -c . "$work/boots")
said=$(cat "$work/boots")
[ "$n_boots" = 2 ] && tail -n 1 "$work/boots" | grep -q 'lab.only=a#2 '
result $? 'the second guest is told to run nothing else'
next <<'E'
@@ begin a
1..1
ok 1 - x
@@ end a 0
@@ done
E
expect 'a guest that stops is tried once more' 0 '^# not ok - the guest stopped, during a .* ok 1 - a: x ' <<'E'
@@ begin a
1..1
E
expect 'what fails twice is a failure' 1 '# lab: another attempt: a not ok 1 - a: x ' <<'E'
@@ begin a
1..1
not ok 1 - x
@@ end a 1
@@ done
E
unset SITUS_LAB_ATTEMPTS

# Condition COMMAND comes to hold, within a generous time.
comes() { # command...
	i=0
	until "$@" || [ $i -ge 3000 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	"$@"
}
has() { # pattern, file
	grep -qE -e "$1" "$2" 2>/dev/null
}
gone() { # pid
	! kill -0 "$1" 2>/dev/null
}

# A shell that stays open, and runs beside it: one in another temporary folder waits for it.
: >"$work/hangs"
start_shell() {
	rm -f "$work/pid"
	PATH=$work/bin:$PATH SITUS_LAB_KERNEL=$work/vmlinuz "$lab/run" --build "$work/build" --shell two </dev/null \
		>"$work/shell.out" 2>&1 &
	runner=$!
	comes has '^[0-9]' "$work/pid"
	qemu=$(cat "$work/pid")
}
start_shell
mkdir "$work/tmp"
printf '@@ begin a\n1..1\nok 1 - x\n@@ end a 0\n@@ done\n' >"$work/says"
TMPDIR=$work/tmp PATH=$work/bin:$PATH SITUS_LAB_KERNEL=$work/vmlinuz "$lab/run" --build "$work/build" two a \
	>"$work/out" 2>"$work/err" &
waiting=$!
comes has "process $runner .*--shell two.*exit.*or kill $runner" "$work/err"
said=$(cat "$work/err" "$work/out") && has "process $runner .*--shell two.*exit.*or kill $runner" "$work/err"
result $? 'who waits for an open shell says whose it is and what to do'
has "^# one guest runs at a time: process $runner" "$work/out"
result $? 'the log says so too'
kill -9 $runner
comes gone "$qemu"
result $? 'a shell whose runner is killed leaves no QEMU behind'
wait $waiting
said=$(cat "$work/out") && has '^ok 1 - a: x$' "$work/out"
result $? 'who waited goes on when the shell has gone'

start_shell
kill $runner
wait $runner
said="status $?" && [ "$said" = 'status 143' ] && comes gone "$qemu"
result $? 'a shell whose runner is told to end takes QEMU along'

rm -f "$work/pid"
echo '@@ begin a' >"$work/says"
PATH=$work/bin:$PATH SITUS_LAB_KERNEL=$work/vmlinuz "$lab/run" --build "$work/build" two a >"$work/out" 2>&1 &
runner=$!
comes has '^[0-9]' "$work/pid"
kill -9 $runner
comes gone "$(cat "$work/pid")"
result $? 'tests whose runner is killed leave no QEMU behind'
rm "$work/hangs"

# What is missing: a skip that says what to install, and a failure in continuous integration.
lacks() { # name, pattern, variables of the environment...
	name=$1 pattern=$2
	shift 2
	said=$(env "$@" CI='' "$lab/run" --build "$work/build" two a 2>&1)
	[ "$?:$(printf '%s\n' "$said" | grep -cE -e "^1\.\.0 # SKIP .*$pattern")" = 0:1 ]
	result $? "without $name all is skipped, saying what to install"
	said=$(env "$@" CI=true "$lab/run" --build "$work/build" two a 2>&1)
	[ "$?:$(printf '%s\n' "$said" | grep -cE -e "^Bail out! .*$pattern")" = 1:1 ]
	result $? "without $name continuous integration fails"
}
mkdir "$work/poor"
ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$work/poor/python3"
echo 'no kernel' >"$work/garbage"
lacks QEMU 'apt-get install qemu-system-x86' PATH="$work/poor"
lacks 'a kernel' "$work/none cannot be read.*apt-get install linux-image-cloud-amd64" \
	PATH="$work/bin:$PATH" SITUS_LAB_KERNEL="$work/none"
lacks 'a kernel that is one' "$work/garbage is no Linux kernel.*apt-get install linux-image-cloud-amd64" \
	PATH="$work/bin:$PATH" SITUS_LAB_KERNEL="$work/garbage"
