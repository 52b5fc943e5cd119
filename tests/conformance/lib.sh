# lib.sh - for the shell tests of this folder: TAP, a scratch folder, the command of this build.
build=${SITUS_BUILDDIR:?run by make check}
source=${SITUS_SRCDIR:?run by make check}
situs=$build/situs
# LD_PRELOAD and the first lines of scripts take no blanks.
case ${TMPDIR-} in *[!A-Za-z0-9/_.,+-]*) unset TMPDIR ;; esac
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 99' INT TERM HUP
. "$source/tests/said.sh"

# A program that waits for its input and would wait for ever: longer than the slowest machine takes.
while_needed='timeout 1800'

# fresh COMMAND...: tries until the program that is asked has answered in time, which a busy machine may
# keep it from; it answers within a tenth of a second, or the command makes do without.
fresh() {
	tries=0
	until "$@" || [ $tries -ge 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	[ $tries -lt 300 ]
}

# Node 0 where this process may bind to it; a container may forbid that, and any place will do then.
area=node:0
if ! "$situs" run --area "$area" -- true 2>"$scratch/why"; then
	echo "# no node:0 here: $(cat "$scratch/why")"
	area=any
fi
