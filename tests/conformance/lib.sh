# lib.sh - for the shell tests of this folder: TAP, a scratch folder, the command of this build.
build=${SITUS_BUILDDIR:?run by make check}
source=${SITUS_SRCDIR:?run by make check}
situs=$build/situs
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 99' INT TERM HUP
n=0

ok() { # status, name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

skip() { # name, why
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

show() { # file: as TAP comments
	[ -f "$1" ] && head -n 20 "$1" | sed 's/^/# /'
}

# Node 0 where this process may bind to it; a container may forbid that, and any place will do then.
area=node:0
if ! "$situs" run --area "$area" -- true 2>"$scratch/why"; then
	echo "# no node:0 here: $(cat "$scratch/why")"
	area=any
fi
