# compare.sh - runs a program's function twice, plain and under `situs run`, and compares all that can be seen.
LC_ALL=C
export LC_ALL

# Each program is a function run in an empty folder; what it prints and leaves there is compared. "$@"
# starts a program, under `situs run` or not.

# trial FUNCTION SIDE COMMAND...: everything that can be seen of a run goes to $scratch/SIDE.
trial() {
	function=$1
	side=$scratch/$2
	shift 2
	rm -rf "$side" "$scratch/cwd"
	mkdir "$side" "$scratch/cwd"
	(cd "$scratch/cwd" && "$function" "$@") >"$side/out" 2>"$side/err" </dev/null
	echo "exit status $?" >>"$side/out"
	(cd "$scratch/cwd" && find . -type f | sort | xargs -r cksum) >"$side/files"
}

compare() { # program
	name="$1 does the same under situs run"
	if ! command -v "$2" >/dev/null; then
		absent "$name" "$2 is not installed"
		return
	fi
	# Some of them are tests of others and have time limits of their own, which a busy machine meets, placed or not:
	# what differs is run once more. The log has every difference.
	for attempt in 1 2 3; do
		trial "run_$1" plain timeout 1200
		trial "run_$1" placed timeout 1200 "$situs" run --area "$area" --
		diff -r "$scratch/plain" "$scratch/placed" >"$scratch/diff"
		status=$?
		[ $status -ne 0 ] || break
		echo "# $1, attempt $attempt:"
		show "$scratch/diff"
	done
	ok $status "$name"
}

# absent NAME WHY: a skip, but a failure in continuous integration, where nothing may be missing.
absent() {
	if [ -n "${CI:-}" ]; then
		ok 1 "$1"
		echo "# $2"
	else
		skip "$1" "$2"
	fi
}

# until_true COMMAND...: within some minutes, should the machine be that slow.
until_true() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		[ $tries -lt 3000 ] || return 1
		sleep 0.1
		tries=$((tries + 1))
	done
}

