#!/bin/sh
# A set-uid program that somebody else starts heeds nothing of the environment that Situs reads.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP only root can make a program that is set-uid to another user"
	exit 0
fi

# Where the other user can reach it.
chmod 755 "$scratch"
bin=$scratch/bin
mkdir "$bin"
cp "$build"/.libs/libsitus.so.0 "$build/.libs/libsitus-preload.so" "$bin"
cp "$build/tests/conformance/.libs/secure" "$bin/plain"
cp "$build/tests/conformance/.libs/secure" "$bin/setuid"
chmod -R a+rX "$bin"
chmod 4755 "$bin/setuid"

# as_other PROGRAM: by a user without rights, with everything said that can be said.
as_other() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env LD_LIBRARY_PATH="$bin" \
		LD_PRELOAD="$bin/libsitus-preload.so" SITUS_HEAPS=cache=local SITUS_AREA=nowhere SITUS_LOG=debug \
		SITUS_STATS=1 SITUS_RATIO=nowhere SITUS_LIMIT=much "$@" 2>"$scratch/err"
}

echo 1..3
said=$(as_other "$bin/plain")
[ "$said" = "65534 preload local" ] && grep -q nowhere "$scratch/err"
result=$?
ok $result "the same program without that bit heeds all of it"
[ $result -eq 0 ] || { echo "# $said"; show "$scratch/err"; }

said=$(as_other "$bin/setuid")
if [ "${said%% *}" = 65534 ]; then
	skip "a set-uid program has no preload, and its heaps lie where it says" "here the set-uid bit has no effect"
	skip "and it prints nothing of the environment" "here the set-uid bit has no effect"
	exit 0
fi
[ "$said" = "0 no preload any" ]
result=$?
ok $result "a set-uid program has no preload, and its heaps lie where it says"
[ $result -eq 0 ] || { echo "# $said"; show "$scratch/err"; }
# The dynamic linker's own word on the preload is another's.
grep -v '^ERROR: ld.so' "$scratch/err" >"$scratch/rest"
[ ! -s "$scratch/rest" ]
result=$?
ok $result "and it prints nothing of the environment"
[ $result -eq 0 ] || show "$scratch/err"
