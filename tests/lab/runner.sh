#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The lab's runner notices every way in which a guest can go wrong. QEMU is played by a script that
# says what a guest would say; nothing is booted.
lab=$(cd "${SITUS_SRCDIR:-.}/tests/lab" && pwd)
work=$(mktemp -d) || exit 1
export TMPDIR="$work" # a lock of its own: real guests need not be waited for
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/build/tests/lab/guest"
n=0

cat >"$work/bin/qemu-system-x86_64" <<'E'
#!/bin/sh
cat "${0%/bin/*}/says"
[ ! -e "${0%/bin/*}/hangs" ] || exec sleep 30
E
for name in busybox a; do
	cp "$work/bin/qemu-system-x86_64" "$work/bin/$name"
done
cp "$work/bin/a" "$work/build/tests/lab/guest/a"
chmod +x "$work/bin/"*
command -v cpio >/dev/null || cp "$work/bin/a" "$work/bin/cpio"
: >"$work/vmlinuz"

lab_run() { # arguments
	PATH=$work/bin:$PATH SITUS_LAB_KERNEL=$work/vmlinuz "$lab/run" --build "$work/build" "$@" 2>&1
}

# With a guest that says standard input, the runner ends with STATUS and says PATTERN.
expect() { # name, status, pattern, runner's arguments
	name=$1 status=$2 pattern=$3
	shift 3
	cat >"$work/says"
	said=$(lab_run two "$@" a)
	got=$?
	n=$((n + 1))
	if [ $got = "$status" ] && printf '%s\n' "$said" | grep -qE -e "$pattern"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# expected status $status and $pattern; status $got:"
		printf '%s\n' "$said" | sed 's/^/# /'
	fi
}

echo 1..15
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

# Without QEMU on the PATH: python3 only.
mkdir "$work/poor"
ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$work/poor/python3"
without_qemu() { # name, status, pattern, CI
	said=$(cd "$work" && CI=$4 PATH=$work/poor "$lab/run" --build "$work/build" two a 2>&1)
	got=$?
	n=$((n + 1))
	if [ $got = "$2" ] && printf '%s\n' "$said" | grep -qE -e "$3"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "# status $got: $said"
	fi
}
without_qemu 'without QEMU all is skipped, saying what to install' 0 \
	'^1\.\.0 # SKIP .*apt-get install qemu-system-x86' ''
without_qemu 'without QEMU continuous integration fails' 1 '^Bail out!.*qemu-system-x86' true

said=$(CI='' SITUS_LAB_KERNEL=$work/none PATH=$work/bin:$PATH "$lab/run" --build "$work/build" two a)
n=$((n + 1))
case $?:$said in
"0:1..0 # SKIP "*none*) echo "ok $n - without a kernel all is skipped, saying why" ;;
*) echo "not ok $n - without a kernel all is skipped, saying why" && echo "# $said" ;;
esac
